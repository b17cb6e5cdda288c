//! In which order rows stand in a block, and which of them are left out as resent.
//!
//! Spans stand by trace id and start, each identity once, with the later end or else the later sent. Log records stand
//! by trace id (those without come last) and time, data points by name and time.

use crate::snapshot::{BlockStatistics, HotBatch};
use crate::statistics;
use arrow::array::{Array, AsArray, FixedSizeBinaryArray, UInt64Array};
use arrow::datatypes::UInt64Type;
use arrow::record_batch::RecordBatch;
use model::{Signal, schema};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Batch and row, as `interleave` wants them.
pub(super) type Place = (usize, usize);

/// What a row is sorted by and, for spans, told apart by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowKey {
    /// The trace id, or the rank of the metric's name.
    pub(crate) group: u128,
    pub(crate) time: u64,
    pub(crate) span: u64,
    pub(crate) end: u64,
}

/// The columns that keys are made of.
pub(super) const fn key_columns(signal: Signal) -> &'static [&'static str] {
    match signal {
        Signal::Traces => &[schema::TRACE_ID, schema::SPAN_ID, schema::START, schema::END],
        Signal::Logs => &[schema::TRACE_ID, schema::TIME, schema::OBSERVED_TIME],
        Signal::Metrics => &[schema::NAME, schema::TIME],
    }
}

/// Makes keys that can be compared between all the sources it was made for.
pub(super) struct Keys {
    signal: Signal,
    /// Of metric names, in their order.
    ranks: BTreeMap<String, u128>,
}

impl Keys {
    pub(super) fn new<'a>(signal: Signal, sources: impl Iterator<Item = &'a BlockStatistics>) -> Self {
        let mut ranks = BTreeMap::new();
        if signal == Signal::Metrics {
            let operations = sources.flat_map(|source| &source.operations);
            ranks.extend(operations.map(|count| (count.operation.clone(), 0)));
        }
        for (rank, place) in (0..).zip(ranks.values_mut()) {
            *place = rank;
        }
        Self { signal, ranks }
    }

    /// Of each row.
    pub(super) fn of(&self, columns: &RecordBatch) -> Vec<RowKey> {
        match self.signal {
            Signal::Traces => span_keys(columns),
            Signal::Logs => log_keys(columns),
            Signal::Metrics => self.point_keys(columns),
        }
    }

    fn point_keys(&self, columns: &RecordBatch) -> Vec<RowKey> {
        let names = statistics::dictionary(columns.column_by_name(schema::NAME));
        let values = names.and_then(|names| names.values().as_string_opt::<i32>());
        // The rank of each dictionary entry, looked up once.
        let entries: Vec<u128> = values.map_or_else(Vec::new, |values| {
            let rank = |name: Option<&str>| self.ranks.get(name.unwrap_or_default()).copied().unwrap_or(0);
            values.iter().map(rank).collect()
        });
        let times = statistics::times(Signal::Metrics, columns).enumerate();
        let key = |(row, time)| {
            let entry = names.and_then(|names| names.key(row)).and_then(|key| entries.get(key));
            RowKey { group: entry.copied().unwrap_or(0), time, span: 0, end: 0 }
        };
        times.map(key).collect()
    }
}

/// The rows to write, in order.
pub(super) fn order(signal: Signal, batches: &[Arc<HotBatch>]) -> Vec<Place> {
    let keys = Keys::new(signal, batches.iter().map(|batch| &batch.statistics));
    let mut rows: Vec<(RowKey, Place)> = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let places = (0..batch.columns.num_rows()).map(|row| (number, row));
        rows.extend(keys.of(&batch.columns).into_iter().zip(places));
    }
    if signal == Signal::Traces {
        drop_resent(&mut rows);
    }
    rows.sort_unstable_by_key(|(key, place)| (key.group, key.time, *place));
    rows.into_iter().map(|(_, place)| place).collect()
}

/// Leaves one row of each span.
pub(super) fn drop_resent(rows: &mut Vec<(RowKey, Place)>) {
    // The latest of each identity first; that one stays.
    rows.sort_unstable_by(|(left, left_place), (right, right_place)| {
        (right.group, right.span, right.end, right_place).cmp(&(left.group, left.span, left.end, left_place))
    });
    rows.dedup_by_key(|(key, _)| (key.group, key.span));
}

/// At most how many different traces there are.
pub(super) fn traces(batches: &[Arc<HotBatch>]) -> u64 {
    batches.iter().map(|batch| batch.traces().count() as u64).sum()
}

/// Of each span; a column that is not there counts as zero.
pub(crate) fn span_keys(columns: &RecordBatch) -> Vec<RowKey> {
    let (traces, spans) = (ids(columns, schema::TRACE_ID), ids(columns, schema::SPAN_ID));
    let (starts, ends) = (times(columns, schema::START), times(columns, schema::END));
    let key = |row| RowKey {
        group: number(traces, row).unwrap_or(0),
        time: starts.map_or(0, |starts| starts.value(row)),
        span: number(spans, row).and_then(|id| u64::try_from(id).ok()).unwrap_or(0),
        end: ends.map_or(0, |ends| ends.value(row)),
    };
    (0..columns.num_rows()).map(key).collect()
}

fn log_keys(columns: &RecordBatch) -> Vec<RowKey> {
    let traces = ids(columns, schema::TRACE_ID);
    let key = |(row, time)| RowKey { group: number(traces, row).unwrap_or(u128::MAX), time, span: 0, end: 0 };
    statistics::times(Signal::Logs, columns).enumerate().map(key).collect()
}

fn ids<'a>(columns: &'a RecordBatch, name: &str) -> Option<&'a FixedSizeBinaryArray> {
    columns.column_by_name(name)?.as_fixed_size_binary_opt()
}

fn times<'a>(columns: &'a RecordBatch, name: &str) -> Option<&'a UInt64Array> {
    columns.column_by_name(name)?.as_primitive_opt::<UInt64Type>()
}

/// An id as a number that sorts as its bytes do; `None` when the row has none.
fn number(ids: Option<&FixedSizeBinaryArray>, row: usize) -> Option<u128> {
    let bytes = ids.filter(|ids| ids.is_valid(row))?.value(row);
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte)))
}
