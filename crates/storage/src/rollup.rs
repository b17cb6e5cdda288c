//! How often and how long each service's operations ran, and how often they failed: kept beside the rows, so that this
//! question does not read them.

use crate::statistics::dictionary;
use arrow::array::{AsArray, DictionaryArray, PrimitiveArray};
use arrow::datatypes::{Int32Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use model::durations::Durations;
use model::schema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// OTLP's status code of an error.
const ERROR: i32 = 2;

/// Which operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationKey {
    pub service: String,
    pub operation: String,
    /// OTLP's span kind.
    pub kind: i32,
}

/// What is known of one operation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OperationTotals {
    pub spans: u64,
    pub errors: u64,
    /// Of the spans that have ended.
    pub durations: Durations,
}

/// The totals of all operations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rollup {
    pub operations: HashMap<OperationKey, OperationTotals>,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct Row(String, String, i32, u64, u64, Vec<u64>);

impl Rollup {
    /// Adds spans; their columns `service`, `name`, `kind`, `start`, `end` and `status_code` are read.
    pub fn add(&mut self, rows: &RecordBatch) {
        let services = dictionary(rows.column_by_name(schema::SERVICE));
        let names = dictionary(rows.column_by_name(schema::NAME));
        let (kinds, statuses) = (int(rows, schema::KIND), int(rows, schema::STATUS_CODE));
        let (starts, ends) = (time(rows, schema::START), time(rows, schema::END));
        let key =
            |column: Option<&DictionaryArray<Int32Type>>, row| column.and_then(|column| column.key(row));
        // Names are compared once for each operation of these rows, not for each row.
        let mut totals: HashMap<_, OperationTotals, foldhash::fast::RandomState> = HashMap::default();
        for row in 0..rows.num_rows() {
            let kind = kinds.map_or(0, |kinds| kinds.value(row));
            let operation = totals.entry((key(services, row), key(names, row), kind)).or_default();
            operation.spans += 1;
            operation.errors += u64::from(statuses.is_some_and(|statuses| statuses.value(row) == ERROR));
            let (start, end) = (starts.map_or(0, |all| all.value(row)), ends.map_or(0, |all| all.value(row)));
            if let Some(duration) = end.checked_sub(start).filter(|_| end > 0) {
                operation.durations.add(duration);
            }
        }
        for ((service, name, kind), totals) in totals {
            let text = crate::statistics::text;
            let key = OperationKey { service: text(services, service), operation: text(names, name), kind };
            self.add_totals(key, &totals);
        }
    }

    pub fn merge(&mut self, other: Self) {
        for (key, totals) in other.operations {
            self.add_totals(key, &totals);
        }
    }

    fn add_totals(&mut self, key: OperationKey, totals: &OperationTotals) {
        let own = self.operations.entry(key).or_default();
        own.spans += totals.spans;
        own.errors += totals.errors;
        own.durations.merge(&totals.durations);
    }

    /// Compressed, for a block's file.
    pub(crate) fn to_bytes(&self) -> std::io::Result<Vec<u8>> {
        let rows = self.operations.iter().map(|(key, totals)| {
            let OperationKey { service, operation, kind } = key.clone();
            Row(service, operation, kind, totals.spans, totals.errors, totals.durations.to_numbers())
        });
        let mut rows: Vec<Row> = rows.collect();
        rows.sort_by(|left, right| (&left.0, &left.1, left.2).cmp(&(&right.0, &right.1, right.2)));
        zstd::bulk::compress(&serde_json::to_vec(&rows)?, 3)
    }

    /// What [`Self::to_bytes`] gave; its size is bounded by the number of operations that are written.
    pub(crate) fn from_bytes(bytes: &[u8]) -> std::io::Result<Self> {
        let rows: Vec<Row> = serde_json::from_slice(&zstd::stream::decode_all(bytes)?)?;
        let operations = rows.into_iter().map(|Row(service, operation, kind, spans, errors, durations)| {
            let totals = OperationTotals { spans, errors, durations: Durations::from_numbers(&durations) };
            (OperationKey { service, operation, kind }, totals)
        });
        Ok(Self { operations: operations.collect() })
    }
}

fn int<'a>(rows: &'a RecordBatch, name: &str) -> Option<&'a PrimitiveArray<Int32Type>> {
    rows.column_by_name(name)?.as_primitive_opt()
}

fn time<'a>(rows: &'a RecordBatch, name: &str) -> Option<&'a PrimitiveArray<UInt64Type>> {
    rows.column_by_name(name)?.as_primitive_opt()
}
