//! Writes hot batches as one block: into one schema, in order, without what was resent.

use super::Description;
use super::order::{order, traces};
use crate::disk;
use crate::error::Error;
use crate::layout::{Layout, Nulls};
use crate::snapshot::{BlockStatistics, HotBatch};
use crate::statistics;
use arrow::compute::interleave_record_batch;
use arrow::record_batch::RecordBatch;
use model::{Signal, Timestamp, schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

const ROW_GROUP_ROWS: usize = 64 << 10;
const PAGE_ROWS: usize = 4096;
/// Smaller than Parquet's usual megabyte, because a trace lookup reads them whole.
const PAGE_BYTES: usize = 128 << 10;
/// An attribute that fewer than one row in this many has goes into the tail.
const RARE: u64 = 64;
/// Rows are gathered in portions of about this size, so that sealing needs little memory of its own.
const PORTION_BYTES: u64 = 64 << 20;

/// Writes the block to `path`, by way of a temporary file, and fsyncs it.
pub(crate) fn write_block(
    path: &Path,
    signal: Signal,
    batches: &[Arc<HotBatch>],
) -> Result<Description, Error> {
    let temporary = path.with_extension("tmp");
    let written = write(&temporary, signal, batches).and_then(|(statistics, schema)| {
        let bytes = publish(&temporary, path)?;
        Ok(Description { path: path.to_owned(), bytes, statistics, schema })
    });
    if written.is_err() {
        disk::remove(&temporary);
    }
    written
}

fn write(
    path: &Path,
    signal: Signal,
    batches: &[Arc<HotBatch>],
) -> Result<(BlockStatistics, arrow::datatypes::SchemaRef), Error> {
    let columns: Vec<&RecordBatch> = batches.iter().map(|batch| &batch.columns).collect();
    let rows: u64 = batches.iter().map(|batch| batch.statistics.rows).sum();
    let layout = Layout::plan(signal, &columns, rows / RARE);
    let mut nulls = Nulls::default();
    let arranged: Vec<RecordBatch> =
        columns.iter().map(|batch| layout.arrange(batch, &mut nulls)).collect::<Result<_, _>>()?;
    let arranged: Vec<&RecordBatch> = arranged.iter().collect();
    let received = batches.iter().map(|batch| batch.received).min().unwrap_or_else(Timestamp::now);

    let file = File::create(path).map_err(Error::io("creating", path))?;
    let schema = Arc::clone(&layout.schema);
    let mut writer =
        ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(signal, traces(batches))?))?;
    let mut parts = Vec::new();
    for places in order(signal, batches).chunks(portion(rows, batches)) {
        let portion = interleave_record_batch(&arranged, places)?;
        parts.push(statistics::of_rows(signal, &portion, received));
        writer.write(&portion).map_err(|error| disk_error(error, path))?;
    }
    writer.finish().map_err(|error| disk_error(error, path))?;
    writer.inner().sync_all().map_err(Error::io("writing", path))?;
    let statistics = BlockStatistics { sealed: Timestamp::now(), ..statistics::sum(&parts) };
    Ok((statistics, schema))
}

/// Gives the finished file its name, for good.
fn publish(temporary: &Path, path: &Path) -> Result<u64, Error> {
    std::fs::rename(temporary, path).map_err(Error::io("renaming", temporary))?;
    let directory = path.parent().unwrap_or(path);
    disk::sync_directory(directory).map_err(Error::io("writing the directory", directory))?;
    Ok(path.metadata().map_err(Error::io("reading", path))?.len())
}

/// How many rows to gather at once.
fn portion(rows: u64, batches: &[Arc<HotBatch>]) -> usize {
    let bytes: u64 = batches.iter().map(|batch| batch.bytes).sum();
    let per_row = (bytes / rows.max(1)).max(1);
    usize::try_from(PORTION_BYTES / per_row).unwrap_or(PAGE_ROWS).clamp(64, PAGE_ROWS)
}

fn properties(signal: Signal, traces: u64) -> Result<WriterProperties, Error> {
    let builder = WriterProperties::builder()
        .set_created_by(format!("clew {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_write_batch_size(PAGE_ROWS / 4)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(PAGE_BYTES);
    // Ids and times hardly repeat: a dictionary of them is built in vain.
    let unique =
        [schema::TRACE_ID, schema::SPAN_ID, schema::START, schema::END, schema::TIME, schema::OBSERVED_TIME];
    let builder = unique
        .into_iter()
        .fold(builder, |builder, name| builder.set_column_dictionary_enabled(ColumnPath::from(name), false));
    let ids = ColumnPath::from(schema::TRACE_ID);
    Ok(match signal {
        Signal::Traces | Signal::Logs => builder
            .set_column_bloom_filter_enabled(ids.clone(), true)
            .set_column_bloom_filter_fpp(ids.clone(), 0.01)
            .set_column_bloom_filter_max_ndv(ids, traces.clamp(1, ROW_GROUP_ROWS as u64))
            .build(),
        Signal::Metrics => builder.build(),
    })
}

/// Tells a full disk from other failures of the writer.
fn disk_error(error: parquet::errors::ParquetError, path: &Path) -> Error {
    match error {
        parquet::errors::ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => Error::io("writing", path)(*source),
            Err(source) => parquet::errors::ParquetError::External(source).into(),
        },
        other => other.into(),
    }
}
