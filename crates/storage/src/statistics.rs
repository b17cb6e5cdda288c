//! What is known of rows without reading them: how many, from when to when, of which services and operations.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, UInt64Type};
use model::otlp::columns::Columns;
use model::{Signal, Timestamp, schema};
use std::collections::HashMap;

/// What is known of a batch or block without reading its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BlockStatistics {
    /// Rows, spans that were sent again included until they are sealed.
    pub rows: u64,
    /// Start of spans, time of log records (observed time when zero) and data points: the first and the last.
    #[serde(with = "nanoseconds")]
    pub first: Timestamp,
    #[serde(with = "nanoseconds")]
    pub last: Timestamp,
    /// When the block was sealed, for retention; zero while hot.
    #[serde(with = "nanoseconds")]
    pub sealed: Timestamp,
    /// For spans: services and operations with how many spans each; for metrics: the metric's name as `operation`.
    pub operations: Vec<OperationCount>,
}

/// How many rows a service's operation has.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OperationCount {
    /// Empty where the resource names no service.
    pub service: String,
    pub operation: String,
    pub kind: i32,
    pub rows: u64,
}

mod nanoseconds {
    use model::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(time.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp)
    }
}

impl BlockStatistics {
    /// Looks at every row once.
    #[must_use]
    pub fn of(signal: Signal, batch: &RecordBatch) -> Self {
        let (first, last) = time_bounds(signal, batch);
        let operations = match signal {
            Signal::Logs => Vec::new(),
            Signal::Traces | Signal::Metrics => operations(batch),
        };
        Self {
            rows: batch.num_rows() as u64,
            first: Timestamp(first),
            last: Timestamp(last),
            sealed: Timestamp(0),
            operations,
        }
    }
}

fn time_bounds(signal: Signal, batch: &RecordBatch) -> (u64, u64) {
    let column =
        |name: &str| batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<UInt64Type>());
    let (times, fallback) = match signal {
        Signal::Traces => (column(schema::START), None),
        Signal::Logs => (column(schema::TIME), column(schema::OBSERVED_TIME)),
        Signal::Metrics => (column(schema::TIME), None),
    };
    let Some(times) = times else { return (0, 0) };
    let values = (0..times.len()).map(|row| match times.value(row) {
        0 => fallback.map_or(0, |fallback| fallback.value(row)),
        time => time,
    });
    values.fold((u64::MAX, 0), |(first, last), time| (first.min(time), last.max(time)))
}

/// Dictionary keys of service and name, and the span's kind.
type Keys = (Option<usize>, Option<usize>, i32);

fn operations(batch: &RecordBatch) -> Vec<OperationCount> {
    let keys =
        |name: &str| batch.column_by_name(name).and_then(|array| array.as_dictionary_opt::<Int32Type>());
    let (Some(services), Some(names)) = (keys(schema::SERVICE), keys(schema::NAME)) else {
        return Vec::new();
    };
    let columns = Columns::new(batch);
    let mut counts: HashMap<Keys, (usize, u64), foldhash::fast::RandomState> = HashMap::default();
    for row in 0..batch.num_rows() {
        let key = (services.key(row), names.key(row), columns.int32(schema::KIND, row));
        counts.entry(key).or_insert((row, 0)).1 += 1;
    }
    // Dictionaries of united batches may hold a text twice.
    let mut by_text: HashMap<(String, String, i32), u64> = HashMap::new();
    for ((_, _, kind), (row, rows)) in counts {
        let text = |name| columns.text(name, row).unwrap_or_default().to_owned();
        *by_text.entry((text(schema::SERVICE), text(schema::NAME), kind)).or_default() += rows;
    }
    by_text
        .into_iter()
        .map(|((service, operation, kind), rows)| OperationCount { service, operation, kind, rows })
        .collect()
}
