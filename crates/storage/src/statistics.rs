//! What is known of rows without reading them again: how many, from when to when, which operations.

use crate::snapshot::{BlockStatistics, OperationCount};
use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray};
use arrow::datatypes::{Int32Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use model::{Signal, Timestamp, schema};
use std::collections::HashMap;

/// Counts these rows. A time that was not given counts as `received`.
pub(crate) fn of_rows(signal: Signal, columns: &RecordBatch, received: Timestamp) -> BlockStatistics {
    let mut times = times(signal, columns).map(|time| if time == 0 { received.0 } else { time });
    let first = times.next().unwrap_or(received.0);
    let (first, last) = times.fold((first, first), |(low, high), time| (low.min(time), high.max(time)));
    BlockStatistics {
        rows: columns.num_rows() as u64,
        first: Timestamp(first),
        last: Timestamp(last),
        sealed: Timestamp::default(),
        operations: operations(signal, columns),
    }
}

/// Adds up statistics.
pub(crate) fn sum<'a>(parts: impl IntoIterator<Item = &'a BlockStatistics>) -> BlockStatistics {
    let mut parts = parts.into_iter();
    let Some(mut total) = parts.next().cloned() else { return BlockStatistics::default() };
    let mut counts = HashMap::<_, _, foldhash::fast::RandomState>::default();
    let mut count = |operations: Vec<OperationCount>| {
        for OperationCount { service, operation, kind, rows } in operations {
            *counts.entry((service, operation, kind)).or_insert(0) += rows;
        }
    };
    count(std::mem::take(&mut total.operations));
    for part in parts {
        total.rows += part.rows;
        total.first = total.first.min(part.first);
        total.last = total.last.max(part.last);
        count(part.operations.clone());
    }
    total.operations = sorted(counts);
    total
}

/// The time that each row is filed under, in row order; zero when it was not given.
pub(crate) fn times(signal: Signal, columns: &RecordBatch) -> impl Iterator<Item = u64> {
    let (name, instead) = match signal {
        Signal::Traces => (schema::START, None),
        Signal::Logs => (schema::TIME, Some(schema::OBSERVED_TIME)),
        Signal::Metrics => (schema::TIME, None),
    };
    let column = |name| columns.column_by_name(name)?.as_primitive_opt::<UInt64Type>();
    let (times, instead) = (column(name), instead.and_then(column));
    (0..columns.num_rows()).map(move |row| {
        let at = |times: Option<&arrow::array::UInt64Array>| times.map_or(0, |times| times.value(row));
        if at(times) == 0 { at(instead) } else { at(times) }
    })
}

/// A column of strings with a dictionary.
pub(crate) fn dictionary(column: Option<&ArrayRef>) -> Option<&DictionaryArray<Int32Type>> {
    column?.as_dictionary_opt::<Int32Type>()
}

fn operations(signal: Signal, columns: &RecordBatch) -> Vec<OperationCount> {
    let services = dictionary(columns.column_by_name(schema::SERVICE));
    let names = match signal {
        Signal::Traces | Signal::Metrics => dictionary(columns.column_by_name(schema::NAME)),
        Signal::Logs => None,
    };
    let kinds = match signal {
        Signal::Traces => columns.column_by_name(schema::KIND),
        Signal::Logs | Signal::Metrics => None,
    };
    let kinds = kinds.and_then(|column| column.as_primitive_opt::<arrow::datatypes::Int32Type>());
    let key = |column: Option<&DictionaryArray<Int32Type>>, row| column.and_then(|column| column.key(row));
    let mut by_key: HashMap<_, u64, foldhash::fast::RandomState> = HashMap::default();
    for row in 0..columns.num_rows() {
        let kind = kinds.map_or(0, |kinds| kinds.value(row));
        *by_key.entry((key(services, row), key(names, row), kind)).or_insert(0) += 1;
    }
    // A dictionary may hold a value twice, so that keys are not yet names.
    let mut by_name = HashMap::<_, u64, foldhash::fast::RandomState>::default();
    for ((service, name, kind), rows) in by_key {
        let name = (text(services, service), text(names, name), kind);
        *by_name.entry(name).or_insert(0) += rows;
    }
    sorted(by_name)
}

pub(crate) fn text(column: Option<&DictionaryArray<Int32Type>>, key: Option<usize>) -> String {
    let values = column.and_then(|column| column.values().as_string_opt::<i32>());
    match (values, key) {
        (Some(values), Some(key)) if values.is_valid(key) => values.value(key).to_owned(),
        _ => String::new(),
    }
}

fn sorted(counts: HashMap<(String, String, i32), u64, foldhash::fast::RandomState>) -> Vec<OperationCount> {
    let mut operations: Vec<OperationCount> = counts
        .into_iter()
        .map(|((service, operation, kind), rows)| OperationCount { service, operation, kind, rows })
        .collect();
    operations.sort_by(|left, right| {
        (&left.service, &left.operation, left.kind).cmp(&(&right.service, &right.operation, right.kind))
    });
    operations
}
