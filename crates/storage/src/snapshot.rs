//! What readers see: the hot batches and the blocks of one moment.

use crate::block::Block;
use crate::statistics::BlockStatistics;
use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use model::{TraceId, schema};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// One tenant's telemetry of one signal at one moment. A span may be in it several times (resent): readers keep one per
/// (trace id, span id), the one with the later end, then the later one in this order: blocks first, then hot.
#[derive(Default, Clone)]
pub struct Snapshot {
    /// Oldest first.
    pub blocks: Vec<Arc<Block>>,
    /// In the order appended.
    pub hot: Vec<Arc<HotBatch>>,
}

/// Columns not yet sealed.
pub struct HotBatch {
    pub columns: RecordBatch,
    pub statistics: BlockStatistics,
    pub bytes: u64,
    /// The log records that these rows come from.
    pub(crate) first_sequence: u64,
    pub(crate) last_sequence: u64,
    by_trace: OnceLock<HashMap<[u8; 16], Vec<u32>, foldhash::fast::RandomState>>,
}

impl HotBatch {
    pub(crate) fn new(columns: RecordBatch, statistics: BlockStatistics, sequences: (u64, u64)) -> Self {
        let bytes = columns.get_array_memory_size() as u64;
        let (first_sequence, last_sequence) = sequences;
        Self { columns, statistics, bytes, first_sequence, last_sequence, by_trace: OnceLock::new() }
    }

    /// The rows of one trace; `None` when it has none.
    #[must_use]
    pub fn trace_rows(&self, trace: TraceId) -> Option<RecordBatch> {
        let rows = self.by_trace.get_or_init(|| index(&self.columns)).get(&trace.0)?;
        take_record_batch(&self.columns, &UInt32Array::from(rows.clone())).ok()
    }
}

fn index(columns: &RecordBatch) -> HashMap<[u8; 16], Vec<u32>, foldhash::fast::RandomState> {
    let mut index: HashMap<[u8; 16], Vec<u32>, _> = HashMap::default();
    let Some(ids) =
        columns.column_by_name(schema::TRACE_ID).and_then(|array| array.as_fixed_size_binary_opt())
    else {
        return index;
    };
    for (row, number) in (0..ids.len()).zip(0u32..) {
        if let (true, Ok(id)) = (ids.is_valid(row), ids.value(row).try_into()) {
            index.entry(id).or_default().push(number);
        }
    }
    index
}
