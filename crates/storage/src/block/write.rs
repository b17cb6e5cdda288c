//! Writes a block: one sorted batch to one Parquet file, durable before it has its name.

use crate::Error;
use crate::log::sync_directory;
use arrow::array::RecordBatch;
use model::{Signal, schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::path::Path;

/// Rows of a row group: what a search must look at together.
const ROW_GROUP_ROWS: usize = 64 << 10;
/// Rows of a page: what a trace lookup must decode.
const PAGE_ROWS: usize = 4 << 10;
const PAGE_BYTES: usize = 256 << 10;

/// Gives the file's length. The file appears under `path` only when it is whole and on disk.
pub fn write(signal: Signal, batch: &RecordBatch, path: &Path) -> Result<u64, Error> {
    let temporary = path.with_extension("tmp");
    let io = |action| move |source| Error::Io { action, path: path.to_owned(), source };
    let file = File::create(&temporary).map_err(io("creating the block"))?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties(signal, batch)?))?;
    writer.write(batch)?;
    let file = writer.into_inner()?;
    file.sync_all().map_err(io("syncing the block"))?;
    let length = file.metadata().map_err(io("measuring the block"))?.len();
    std::fs::rename(&temporary, path).map_err(io("naming the block"))?;
    if let Some(directory) = path.parent() {
        sync_directory(directory)?;
    }
    Ok(length)
}

fn properties(signal: Signal, batch: &RecordBatch) -> Result<WriterProperties, Error> {
    let trace_id = ColumnPath::from(schema::TRACE_ID);
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_write_batch_size(1_024)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_index_truncate_length(Some(32))
        .set_statistics_truncate_length(Some(32));
    if signal != Signal::Metrics {
        let rows = batch.num_rows().min(ROW_GROUP_ROWS) as u64;
        builder = builder
            .set_column_bloom_filter_enabled(trace_id.clone(), true)
            .set_column_bloom_filter_max_ndv(trace_id, rows.max(1));
    }
    // Ids hardly repeat: a dictionary of them is built in vain.
    for name in [schema::SPAN_ID, schema::START, schema::END, schema::TIME, schema::OBSERVED_TIME] {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    Ok(builder.build())
}
