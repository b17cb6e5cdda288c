//! What readers see: the hot batches and the blocks of one moment.

pub use crate::block::{BATCH_ROWS, Block, Extent, Portion};

use crate::superseded::{OfBlocks, Versions};

use arrow::record_batch::RecordBatch;
use model::{Timestamp, TraceId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

/// One tenant's telemetry of one signal at one moment. A span may be in it several times (resent): readers keep one per
/// (trace id, span id), the one with the later end, then the later one in this order: blocks first, then hot. Those who
/// count ask for [`Self::each_once`].
#[derive(Default)]
pub struct Snapshot {
    /// Oldest first.
    pub blocks: Vec<Arc<Block>>,
    /// In the order appended.
    pub hot: Vec<Arc<HotBatch>>,
    /// Rows of blocks that do not count, because other blocks have their spans.
    pub(crate) superseded: Arc<OfBlocks>,
    /// The same with each span once, when somebody asked; nothing where that is this one.
    pub(crate) once: OnceLock<Option<Arc<Self>>>,
}

impl Clone for Snapshot {
    /// To be changed: what was found of the whole is not handed on.
    fn clone(&self) -> Self {
        Self {
            blocks: self.blocks.clone(),
            hot: self.hot.clone(),
            superseded: Arc::clone(&self.superseded),
            once: OnceLock::new(),
        }
    }
}

/// Columns not yet sealed.
pub struct HotBatch {
    pub columns: RecordBatch,
    /// A row sent twice counts twice here; in a block it counts once.
    pub statistics: BlockStatistics,
    /// In memory.
    pub bytes: u64,
    /// When the oldest row was received, by the system's clock.
    pub(crate) received: Timestamp,
    /// The same by the store's clock.
    pub(crate) arrived: Timestamp,
    /// When the youngest one was, by the store's clock.
    pub(crate) youngest: Timestamp,
    /// Sequence numbers of the first and the last request in it.
    pub(crate) sequences: (u64, u64),
    /// The rows that have a trace id, by trace id.
    pub(crate) by_trace: Box<[u32]>,
    /// The traces that sampling keeps for one of these rows, once that was asked for.
    pub(crate) wanted: OnceLock<Box<[TraceId]>>,
    /// What blocks, by their numbers, were found to have of its spans, and perhaps of others.
    pub(crate) in_blocks: Mutex<HashMap<u64, Versions>>,
}

/// What is known of a batch or block without reading its rows.
#[derive(Debug, Clone, Default)]
pub struct BlockStatistics {
    pub rows: u64,
    /// Start of spans, time of log records (observed time when zero) and data points: the first and the last.
    pub first: Timestamp,
    pub last: Timestamp,
    /// When the block was sealed, by the store's clock, for retention; zero while hot.
    pub sealed: Timestamp,
    /// For spans: services and operations with how many spans each; for metrics: the metric's name as `operation`; for
    /// log records: services alone, with an empty `operation`.
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
