//! What readers see: the hot batches and the blocks of one moment.

use crate::Error;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use model::{Timestamp, TraceId};
use std::path::Path;
use std::sync::Arc;

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
}

/// What is known of a batch or block without reading its rows.
#[derive(Debug, Clone, Default)]
pub struct BlockStatistics {
    pub rows: u64,
    /// Start of spans, time of log records (observed time when zero) and data points: the first and the last.
    pub first: Timestamp,
    pub last: Timestamp,
    /// For spans: services and operations with how many spans each; for metrics: the metric's name as `operation`.
    pub operations: Vec<OperationCount>,
}

/// How many rows a service's operation has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationCount {
    pub service: String,
    pub operation: String,
    pub kind: i32,
    pub rows: u64,
}

/// One immutable, sealed Parquet file. Its file lives as long as this value does.
pub struct Block {}

impl Block {
    #[must_use]
    pub fn statistics(&self) -> &BlockStatistics {
        unreachable!()
    }

    /// The columns that this block has.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        unreachable!()
    }

    /// The Parquet file, for engines that read it themselves.
    #[must_use]
    pub fn path(&self) -> &Path {
        unreachable!()
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        0
    }

    /// The rows of one trace, through bloom filter and page index; all columns, or those named that exist.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read_trace(&self, trace: TraceId, columns: Option<&[&str]>) -> Result<Vec<RecordBatch>, Error> {
        let _ = (trace, columns);
        Ok(Vec::new())
    }
}

impl HotBatch {
    /// The rows of one trace; `None` when it has none.
    #[must_use]
    pub fn trace_rows(&self, trace: TraceId) -> Option<RecordBatch> {
        let _ = trace;
        None
    }
}
