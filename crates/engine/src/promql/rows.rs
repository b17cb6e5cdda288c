//! Rows of results: which are empty, and which have the same labels.

use super::column::{Column, Row};
use foldhash::HashMap;
use query::Error;
use query::promql::Labels;
use std::collections::hash_map::Entry;

/// An instant vector over all steps.
#[derive(Debug, Default)]
pub(super) struct Vector {
    /// Its series.
    pub(super) rows: Vec<Row>,
    /// Whether their order is the query's and not that of the labels.
    pub(super) ordered: bool,
}

impl Vector {
    /// In no order of its own.
    pub(super) const fn of(rows: Vec<Row>) -> Self {
        Self { rows, ordered: false }
    }
}

/// The rows that have a sample; of those with the same labels one is made.
///
/// # Errors
/// When rows with the same labels have a sample at the same step.
pub(super) fn united(rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    let mut places: HashMap<Labels, usize> = HashMap::default();
    let mut united: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows.into_iter().filter(|row| !row.column.is_empty()) {
        match places.entry(row.labels.clone()) {
            Entry::Vacant(place) => {
                place.insert(united.len());
                united.push(row);
            }
            Entry::Occupied(place) => {
                if let Some(first) = united.get_mut(*place.get()) {
                    merge(&mut first.column, &row.column)?;
                }
            }
        }
    }
    Ok(united)
}

fn merge(into: &mut Column, other: &Column) -> Result<(), Error> {
    for (step, sample) in other.iter() {
        if into.has(step) {
            return Err(execution("vector cannot contain metrics with the same labelset"));
        }
        into.set(step, sample.to_sample());
    }
    Ok(())
}

/// An error of computing.
pub(super) fn execution(message: impl Into<String>) -> Error {
    Error::Execution { message: message.into() }
}
