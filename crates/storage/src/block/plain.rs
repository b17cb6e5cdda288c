//! What can be told of a block that says nothing of itself: an older version wrote it.

use super::{Checksums, Coverage, Description};
use crate::error::Error;
use crate::place::Place;
use crate::snapshot::BlockStatistics;
use crate::statistics;
use arrow::record_batch::RecordBatch;
use model::{Signal, Timestamp, schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// The columns that statistics are made of.
const COLUMNS: [&str; 6] =
    [schema::SERVICE, schema::NAME, schema::KIND, schema::START, schema::TIME, schema::OBSERVED_TIME];

/// What the catalog is to know of the block in a file, told from its rows. Its age counts from when the file was written.
/// Without indexes within the block, searches read all of it.
pub(crate) fn describe_plain(
    path: &Path,
    place: Place,
    signal: Signal,
    (bytes, checksums): (u64, Checksums),
) -> Result<Description, Error> {
    let damaged = |error: ParquetError| Error::Damaged {
        what: format!("block {}", path.display()),
        detail: error.to_string(),
    };
    let file = File::open(path).map_err(Error::io("opening", path))?;
    let written = file.metadata().and_then(|metadata| metadata.modified()).ok();
    let sealed = written.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let sealed = sealed
        .map_or_else(Timestamp::now, |since| Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)));
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?;
    let schema = Arc::clone(builder.schema());
    let fields = schema.fields().iter().enumerate();
    let wanted = fields.filter(|(_, field)| COLUMNS.contains(&field.name().as_str()));
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.map(|(place, _)| place));
    let rows = builder.with_projection(mask).build().map_err(damaged)?;
    let parts: Vec<BlockStatistics> = rows
        .map(|rows| rows.map(|rows: RecordBatch| statistics::of_rows(signal, &rows, sealed)))
        .collect::<Result<_, _>>()?;
    Ok(Description {
        coverage: Coverage::of_name(path),
        place,
        bytes,
        statistics: BlockStatistics { sealed, ..statistics::sum(&parts) },
        schema,
        checksums,
        generation: 0,
        value_bytes: 0,
    })
}
