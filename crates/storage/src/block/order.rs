//! In which order the rows of hot batches go into a block, and which of them are left out as resent.

use crate::snapshot::HotBatch;
use crate::statistics;
use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt64Type;
use model::{Signal, schema};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Batch and row, as `interleave` wants them.
pub(super) type Place = (usize, usize);

/// A row, by what it is sorted by: trace id or rank of the name, then time, then age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    group: u128,
    time: u64,
    place: Place,
}

/// A row of a span, by its identity; of rows with the same identity, the last one is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SpanKey {
    trace: u128,
    span: u64,
    end: u64,
    place: Place,
    start: u64,
}

/// The rows to write, in order. Spans: by trace id and start, each identity once, with the later end or else the later
/// sent. Log records: by trace id (those without come last) and time. Data points: by name and time.
pub(super) fn order(signal: Signal, batches: &[Arc<HotBatch>]) -> Vec<Place> {
    let mut keys = match signal {
        Signal::Traces => span_keys(batches),
        Signal::Logs => log_keys(batches),
        Signal::Metrics => point_keys(batches),
    };
    keys.sort_unstable();
    keys.into_iter().map(|key| key.place).collect()
}

/// At most how many different traces there are.
pub(super) fn traces(batches: &[Arc<HotBatch>]) -> u64 {
    batches.iter().map(|batch| batch.traces().count() as u64).sum()
}

fn span_keys(batches: &[Arc<HotBatch>]) -> Vec<Key> {
    let mut spans = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let rows = batch.columns.num_rows();
        let id = |name, row| id(batch, name, row);
        let time = |name, row| time(batch, name, row);
        spans.extend((0..rows).map(|row| SpanKey {
            trace: id(schema::TRACE_ID, row).unwrap_or(0),
            span: u64::try_from(id(schema::SPAN_ID, row).unwrap_or(0)).unwrap_or(0),
            end: time(schema::END, row),
            place: (number, row),
            start: time(schema::START, row),
        }));
    }
    // The latest of each identity first; that one stays.
    spans.sort_unstable_by(|left, right| right.cmp(left));
    spans.dedup_by_key(|span| (span.trace, span.span));
    spans.iter().map(|span| Key { group: span.trace, time: span.start, place: span.place }).collect()
}

fn log_keys(batches: &[Arc<HotBatch>]) -> Vec<Key> {
    let mut keys = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let times = statistics::times(Signal::Logs, &batch.columns);
        keys.extend(times.enumerate().map(|(row, time)| {
            let group = id(batch, schema::TRACE_ID, row).unwrap_or(u128::MAX);
            Key { group, time, place: (number, row) }
        }));
    }
    keys
}

fn point_keys(batches: &[Arc<HotBatch>]) -> Vec<Key> {
    let operations = batches.iter().flat_map(|batch| &batch.statistics.operations);
    let mut ranks: BTreeMap<&str, u128> = operations.map(|count| (count.operation.as_str(), 0)).collect();
    for (rank, place) in (0..).zip(ranks.values_mut()) {
        *place = rank;
    }
    let mut keys = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let names = statistics::dictionary(batch.columns.column_by_name(schema::NAME));
        let values = names.and_then(|names| names.values().as_string_opt::<i32>());
        // The rank of each dictionary entry, looked up once.
        let entries: Vec<u128> = values.map_or_else(Vec::new, |values| {
            values.iter().map(|name| ranks.get(name.unwrap_or_default()).copied().unwrap_or(0)).collect()
        });
        let times = statistics::times(Signal::Metrics, &batch.columns);
        keys.extend(times.enumerate().map(|(row, time)| {
            let entry = names.and_then(|names| names.key(row)).and_then(|key| entries.get(key));
            Key { group: entry.copied().unwrap_or(0), time, place: (number, row) }
        }));
    }
    keys
}

/// An id as a number that sorts as its bytes do; `None` when the row has none.
fn id(batch: &HotBatch, name: &str, row: usize) -> Option<u128> {
    let column = batch.columns.column_by_name(name)?.as_fixed_size_binary_opt()?;
    let bytes = column.is_valid(row).then(|| column.value(row))?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte)))
}

fn time(batch: &HotBatch, name: &str, row: usize) -> u64 {
    let column =
        batch.columns.column_by_name(name).and_then(|column| column.as_primitive_opt::<UInt64Type>());
    column.map_or(0, |column| column.value(row))
}
