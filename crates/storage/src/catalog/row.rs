//! A block as a row of the catalog, with a checksum of its own: SQLite does not notice a flipped bit within a value.

use super::{Entry, damaged};
use crate::block::{Checksums, Coverage, Description};
use crate::error::Error;
use crate::place::{Place, Places};
use crate::snapshot::{BlockStatistics, OperationCount};
use crate::tables::TableKey;
use arrow::datatypes::Schema;
use arrow::ipc::convert::{IpcSchemaEncoder, fb_to_schema};
use arrow::ipc::root_as_schema;
use arrow::ipc::writer::DictionaryTracker;
use model::{Signal, TenantId, Timestamp};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::path::Path;
use std::sync::Arc;

/// The values of a row, as SQLite has them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Values {
    tenant: String,
    signal: String,
    path: String,
    /// Rows, bytes, first, last, `sealed_at`, generation, `value_bytes`, in this order.
    numbers: [i64; 7],
    /// Of the first and the last request.
    sequences: Option<(i64, i64)>,
    operations: String,
    schema: Vec<u8>,
    checksums: Vec<u8>,
}

const NUMBERS: [&str; 7] = ["rows", "bytes", "first", "last", "sealed_at", "generation", "value_bytes"];

impl Values {
    fn of(key: &TableKey, name: &str, block: &Description) -> Self {
        let statistics = &block.statistics;
        let numbers = [
            statistics.rows,
            block.bytes,
            statistics.first.0,
            statistics.last.0,
            statistics.sealed.0,
            u64::from(block.generation),
            block.value_bytes,
        ];
        let sequences = block.coverage.map(|of| (of.first.cast_signed(), of.last.cast_signed()));
        Self {
            tenant: key.tenant.as_str().to_owned(),
            signal: key.signal.as_str().to_owned(),
            path: name.to_owned(),
            numbers: numbers.map(u64::cast_signed),
            sequences,
            operations: operations_to_json(&statistics.operations),
            schema: schema_to_bytes(&block.schema),
            checksums: block.checksums.to_bytes(),
        }
    }

    fn read(row: &SqliteRow) -> Result<Self, Error> {
        let mut numbers = [0; 7];
        for (number, name) in numbers.iter_mut().zip(NUMBERS) {
            *number = row.try_get(name)?;
        }
        let sequences = (row.try_get("first_sequence")?, row.try_get("last_sequence")?);
        let sequences: (Option<i64>, Option<i64>) = sequences;
        Ok(Self {
            tenant: row.try_get("tenant")?,
            signal: row.try_get("signal")?,
            path: row.try_get("path")?,
            numbers,
            sequences: sequences.0.zip(sequences.1),
            operations: row.try_get("operations")?,
            schema: row.try_get("schema")?,
            checksums: row.try_get("checksums")?,
        })
    }

    fn checksum(&self) -> i64 {
        let (first, last) = self.sequences.unwrap_or((-1, -1));
        let numbers: Vec<u8> =
            self.numbers.iter().chain(&[first, last]).flat_map(|number| number.to_le_bytes()).collect();
        sum_of(&[
            self.tenant.as_bytes(),
            self.signal.as_bytes(),
            self.path.as_bytes(),
            &numbers,
            self.operations.as_bytes(),
            &self.schema,
            &self.checksums,
        ])
    }
}

/// A CRC-32C of parts, each with its length.
pub(super) fn sum_of(parts: &[&[u8]]) -> i64 {
    let sum = parts.iter().fold(0, |sum, part| {
        let sum = crc32c::crc32c_append(sum, &(part.len() as u64).to_le_bytes());
        crc32c::crc32c_append(sum, part)
    });
    i64::from(sum)
}

/// Enters a block under an id, or under the next one; answers which.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    id: Option<i64>,
    key: &TableKey,
    (name, block): (&str, &Description),
) -> Result<i64, Error> {
    let values = Values::of(key, name, block);
    let checksum = values.checksum();
    let [rows, bytes, first, last, sealed_at, generation, value_bytes] = values.numbers;
    let (first_sequence, last_sequence) = values.sequences.unzip();
    let inserted = sqlx::query(
        "INSERT INTO blocks (id, tenant, signal, path, rows, bytes, first, last, sealed_at, generation,
            value_bytes, first_sequence, last_sequence, operations, schema, schema_version, checksums, checksum)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id)
    .bind(values.tenant)
    .bind(values.signal)
    .bind(values.path)
    .bind(rows)
    .bind(bytes)
    .bind(first)
    .bind(last)
    .bind(sealed_at)
    .bind(generation)
    .bind(value_bytes)
    .bind(first_sequence)
    .bind(last_sequence)
    .bind(values.operations)
    .bind(values.schema)
    .bind(super::tables::VERSION)
    .bind(values.checksums)
    .bind(checksum)
    .execute(connection)
    .await?;
    Ok(inserted.last_insert_rowid())
}

/// The block of a row.
pub(super) fn entry(row: &SqliteRow, places: &Places) -> Result<Entry, Error> {
    let values = Values::read(row)?;
    let checksum: Option<i64> = row.try_get("checksum")?;
    // Rows of version 1 have none.
    if checksum.is_some_and(|checksum| checksum != values.checksum()) {
        return Err(damaged(&"the row is not what was written"));
    }
    let key = key_of(&values.tenant, &values.signal)?;
    let [rows, bytes, first, last, sealed, generation, value_bytes] = values.numbers.map(i64::cast_unsigned);
    let statistics = BlockStatistics {
        rows,
        first: Timestamp(first),
        last: Timestamp(last),
        sealed: Timestamp(sealed),
        operations: operations_from_json(&values.operations)?,
    };
    let schema = root_as_schema(&values.schema).map(fb_to_schema).map_err(|error| damaged(&error))?;
    let coverage = values
        .sequences
        .map(|(first, last)| Coverage { first: first.cast_unsigned(), last: last.cast_unsigned() });
    let place = places.named(&values.path);
    let description = Description {
        bytes,
        statistics,
        schema: Arc::new(schema),
        checksums: Checksums::from_bytes(&values.checksums),
        coverage: coverage.or_else(|| coverage_of(&place)),
        generation: u32::try_from(generation).unwrap_or(u32::MAX),
        value_bytes,
        place,
    };
    Ok(Entry { id: row.try_get("id")?, key, description })
}

/// What the name of a block's file says that it covers: of those that were sealed and not rewritten.
fn coverage_of(place: &Place) -> Option<Coverage> {
    match place {
        Place::Disk(path) => Coverage::of_name(path),
        Place::Object(_, key) => Coverage::of_name(Path::new(key.as_ref())),
        Place::Elsewhere(_) => None,
    }
}

pub(super) fn key_of(tenant: &str, signal: &str) -> Result<TableKey, Error> {
    match (TenantId::new(tenant), Signal::from_name(signal)) {
        (Some(tenant), Some(signal)) => Ok(TableKey { tenant, signal }),
        _ => Err(damaged(&format!("no tenant and signal: {tenant:?}, {signal:?}"))),
    }
}

fn schema_to_bytes(schema: &Schema) -> Vec<u8> {
    let mut dictionaries = DictionaryTracker::new(false);
    let mut encoder = IpcSchemaEncoder::new().with_dictionary_tracker(&mut dictionaries);
    encoder.schema_to_fb(schema).finished_data().to_vec()
}

pub(crate) fn operations_to_json(operations: &[OperationCount]) -> String {
    let rows = operations
        .iter()
        .map(|count| serde_json::json!([count.service, count.operation, count.kind, count.rows]));
    serde_json::Value::Array(rows.collect()).to_string()
}

pub(crate) fn operations_from_json(text: &str) -> Result<Vec<OperationCount>, Error> {
    let rows: Vec<(String, String, i32, u64)> =
        serde_json::from_str(text).map_err(|error| damaged(&error))?;
    let count = |(service, operation, kind, rows)| OperationCount { service, operation, kind, rows };
    Ok(rows.into_iter().map(count).collect())
}
