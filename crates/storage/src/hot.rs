//! The hot buffer's columns: what was appended and is not yet sealed, with what is needed to find a trace in it.

use crate::error::Error;
use crate::sampling::Keeps;
use crate::snapshot::HotBatch;
use crate::statistics;
use crate::superseded::Versions;
use arrow::array::{Array, ArrayData, AsArray, BooleanArray, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::record_batch::RecordBatch;
use model::{Signal, Timestamp, TraceId, schema};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Buffers that were counted already; the dictionaries of a request's batches are shared.
pub(crate) type Counted = HashSet<usize>;

impl HotBatch {
    /// Columns as they came from the decoder.
    #[must_use]
    pub fn new(signal: Signal, columns: RecordBatch, received: Timestamp) -> Self {
        Self::counting(signal, columns, (received, received), &mut Counted::new())
    }

    /// The same, counting only the memory that `counted` does not have yet; received at this time by the system's clock,
    /// and at that by the store's.
    pub(crate) fn counting(
        signal: Signal,
        columns: RecordBatch,
        (received, arrived): (Timestamp, Timestamp),
        counted: &mut Counted,
    ) -> Self {
        let statistics = statistics::of_rows(signal, &columns, received);
        let by_trace = order_by_trace(&columns);
        let buffers: u64 = columns.columns().iter().map(|column| memory(&column.to_data(), counted)).sum();
        let bytes = buffers + 4 * by_trace.len() as u64;
        Self {
            columns,
            statistics,
            bytes,
            received,
            arrived,
            youngest: arrived,
            sequences: (0, 0),
            by_trace,
            wanted: OnceLock::new(),
            in_blocks: Mutex::default(),
        }
    }

    /// The rows of one trace; `None` when it has none.
    #[must_use]
    pub fn trace_rows(&self, trace: TraceId) -> Option<RecordBatch> {
        let ids = self.columns.column_by_name(schema::TRACE_ID)?.as_fixed_size_binary_opt()?;
        let id_of = |row: &u32| ids.value(*row as usize);
        let from = self.by_trace.partition_point(|row| id_of(row) < trace.0.as_slice());
        let rows = self.by_trace.get(from..)?;
        let rows = rows.get(..rows.partition_point(|row| id_of(row) == trace.0.as_slice()))?;
        let (first, last) = (*rows.first()?, *rows.last()?);
        // Rows stay in order within a trace, so that a run without gaps can be shared instead of copied.
        if (last - first) as usize + 1 == rows.len() {
            return Some(self.columns.slice(first as usize, rows.len()));
        }
        take_record_batch(&self.columns, &UInt32Array::from(rows.to_vec())).ok()
    }

    /// The traces in these columns, ascending.
    pub(crate) fn traces(&self) -> impl Iterator<Item = TraceId> {
        let mut before = None;
        let traces = self.rows_by_trace().map(|(_, trace)| trace);
        traces.filter(move |trace| before.replace(*trace) != Some(*trace))
    }

    /// The traces that are kept for a row's sake; rows are looked at once.
    pub(crate) fn wanted(&self, keeps: &Keeps) -> &[TraceId] {
        self.wanted.get_or_init(|| {
            let wanted = keeps(&self.columns);
            let rows = self.rows_by_trace().filter(|(row, _)| wanted.is_valid(*row) && wanted.value(*row));
            let mut traces: Vec<TraceId> = rows.map(|(_, trace)| trace).collect();
            traces.dedup();
            traces.into_boxed_slice()
        })
    }

    /// The rows of the traces that are kept, as a batch of their own when there are others; `None` when there are none.
    pub(crate) fn retain(
        self: &Arc<Self>,
        is_kept: impl Fn(TraceId) -> bool,
    ) -> Result<Option<Arc<Self>>, Error> {
        let mut kept = vec![true; self.columns.num_rows()];
        let mut last: Option<(TraceId, bool)> = None;
        for (row, trace) in self.rows_by_trace() {
            let same = last.filter(|(before, _)| *before == trace);
            let (_, keep) = *last.insert(same.unwrap_or_else(|| (trace, is_kept(trace))));
            kept[row] = keep;
        }
        if !kept.contains(&false) {
            return Ok(Some(Arc::clone(self)));
        }
        self.only(kept)
    }

    /// The rows of spans that are marked; `None` when there are none.
    pub(crate) fn only(&self, kept: Vec<bool>) -> Result<Option<Arc<Self>>, Error> {
        let columns = filter_record_batch(&self.columns, &BooleanArray::from(kept))?;
        if columns.num_rows() == 0 {
            return Ok(None);
        }
        let mut batch = Self::new(Signal::Traces, columns, self.received);
        (batch.arrived, batch.youngest, batch.sequences) = (self.arrived, self.youngest, self.sequences);
        Ok(Some(Arc::new(batch)))
    }

    /// What a block was found to have of its spans; `None` when that was not asked yet.
    pub(crate) fn known_in(&self, block: u64) -> Option<Versions> {
        self.in_blocks.lock().unwrap_or_else(PoisonError::into_inner).get(&block).cloned()
    }

    pub(crate) fn note_in(&self, block: u64, found: &Versions) {
        let mut known = self.in_blocks.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(block, Arc::clone(found));
    }

    fn rows_by_trace(&self) -> impl Iterator<Item = (usize, TraceId)> {
        let ids = self.columns.column_by_name(schema::TRACE_ID);
        let ids = ids.and_then(|column| column.as_fixed_size_binary_opt());
        let row = move |row: &u32| {
            let row = *row as usize;
            Some((row, TraceId(ids?.value(row).try_into().ok()?)))
        };
        self.by_trace.iter().filter_map(row)
    }
}

/// The rows that have a trace id, by trace id, then as they came.
fn order_by_trace(columns: &RecordBatch) -> Box<[u32]> {
    let ids = columns.column_by_name(schema::TRACE_ID).and_then(|column| column.as_fixed_size_binary_opt());
    let Some(ids) = ids else { return Box::default() };
    let rows = u32::try_from(columns.num_rows()).unwrap_or(u32::MAX);
    let mut order: Vec<u32> = (0..rows).filter(|row| ids.is_valid(*row as usize)).collect();
    order.sort_by_key(|row| ids.value(*row as usize));
    order.into_boxed_slice()
}

/// The bytes of all buffers of an array that were not counted before.
fn memory(data: &ArrayData, counted: &mut Counted) -> u64 {
    let buffers = data.buffers().iter().chain(data.nulls().map(arrow::buffer::NullBuffer::buffer));
    let own: usize = buffers
        .filter(|buffer| counted.insert(buffer.data_ptr().as_ptr() as usize))
        .map(arrow::buffer::Buffer::capacity)
        .sum();
    own as u64 + data.child_data().iter().map(|child| memory(child, counted)).sum::<u64>()
}
