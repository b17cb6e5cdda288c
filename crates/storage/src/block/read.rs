//! Reads one trace of a block through its bloom filters and page indexes, without looking at other traces' pages.

use super::Block;
use crate::Error;
use arrow::array::{Array, AsArray, RecordBatch};
use model::{TraceId, schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

impl Block {
    /// The rows of one trace, through bloom filter and page index; all columns, or those named that exist.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read_trace(
        self: &Arc<Self>,
        trace: TraceId,
        columns: Option<&[&str]>,
    ) -> Result<Vec<RecordBatch>, Error> {
        if self.metadata.get().is_some() && self.blooms.get().is_some() && self.row_groups(trace)?.is_empty()
        {
            return Ok(Vec::new());
        }
        let block = Arc::clone(self);
        let columns: Option<Vec<String>> =
            columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let read = tokio::task::spawn_blocking(move || block.read_trace_blocking(trace, columns.as_deref()));
        read.await.map_err(|_| Error::Closed)?
    }

    fn read_trace_blocking(
        &self,
        trace: TraceId,
        columns: Option<&[String]>,
    ) -> Result<Vec<RecordBatch>, Error> {
        let metadata = self.reader_metadata()?;
        let mut found = Vec::new();
        for group in self.row_groups(trace)? {
            let candidates = candidate_rows(metadata, group, trace);
            let ids = ProjectionMask::columns(metadata.parquet_schema(), [schema::TRACE_ID]);
            let rows = self.rows_of(metadata, group, trace, candidates, ids)?;
            if rows.is_empty() {
                continue;
            }
            let mask = match columns {
                Some(names) => {
                    ProjectionMask::columns(metadata.parquet_schema(), names.iter().map(String::as_str))
                }
                None => ProjectionMask::all(),
            };
            for batch in self.reader(metadata, group, &rows, mask)? {
                found.push(batch?);
            }
        }
        Ok(found)
    }

    fn open(&self) -> Result<File, Error> {
        let io = |source| Error::Io { action: "opening the block", path: self.path.clone(), source };
        File::open(&self.path).map_err(io)
    }

    /// Footer and page index, read once.
    pub(crate) fn reader_metadata(&self) -> Result<&ArrowReaderMetadata, Error> {
        if let Some(metadata) = self.metadata.get() {
            return Ok(metadata);
        }
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(&self.open()?, options)?;
        Ok(self.metadata.get_or_init(|| metadata))
    }

    fn blooms(&self) -> Result<&[Option<Sbbf>], Error> {
        if let Some(blooms) = self.blooms.get() {
            return Ok(blooms);
        }
        let metadata = self.reader_metadata()?;
        let Some(column) = trace_column(metadata) else { return Ok(&[]) };
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.open()?, metadata.clone());
        let groups = 0..metadata.metadata().num_row_groups();
        let blooms: Result<Vec<_>, _> =
            groups.map(|group| builder.get_row_group_column_bloom_filter(group, column)).collect();
        let blooms = blooms?;
        Ok(self.blooms.get_or_init(|| blooms))
    }

    /// The row groups that may hold the trace.
    fn row_groups(&self, trace: TraceId) -> Result<Vec<usize>, Error> {
        let metadata = self.reader_metadata()?;
        let blooms = self.blooms()?;
        let Some(column) = trace_column(metadata) else { return Ok(Vec::new()) };
        let may_hold = |group: &usize| {
            let statistics = metadata.metadata().row_group(*group).column(column).statistics();
            let within = match statistics {
                Some(Statistics::FixedLenByteArray(values)) => {
                    values.min_bytes_opt().is_none_or(|min| min <= &trace.0[..])
                        && values.max_bytes_opt().is_none_or(|max| &trace.0[..] <= max)
                }
                _ => true,
            };
            within
                && blooms.get(*group).and_then(Option::as_ref).is_none_or(|bloom| bloom.check(&trace.0[..]))
        };
        Ok((0..metadata.metadata().num_row_groups()).filter(may_hold).collect())
    }

    /// The rows of the trace within a row group, from its ids alone.
    fn rows_of(
        &self,
        metadata: &ArrowReaderMetadata,
        group: usize,
        trace: TraceId,
        candidates: Range<usize>,
        ids: ProjectionMask,
    ) -> Result<Range<usize>, Error> {
        let mut row = candidates.start;
        let mut found = 0..0;
        for batch in self.reader(metadata, group, &candidates, ids)? {
            let batch = batch?;
            let ids = batch.column(0).as_fixed_size_binary();
            for place in 0..ids.len() {
                if ids.is_valid(place) && ids.value(place) == trace.0 {
                    found = widened(&found, row);
                }
                row += 1;
            }
        }
        Ok(found)
    }

    fn reader(
        &self,
        metadata: &ArrowReaderMetadata,
        group: usize,
        rows: &Range<usize>,
        mask: ProjectionMask,
    ) -> Result<parquet::arrow::arrow_reader::ParquetRecordBatchReader, Error> {
        let selection =
            RowSelection::from(vec![RowSelector::skip(rows.start), RowSelector::select(rows.len())]);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.open()?, metadata.clone());
        let builder = builder.with_row_groups(vec![group]).with_row_selection(selection);
        Ok(builder.with_projection(mask).with_batch_size(8_192).build()?)
    }
}

/// A range with this row at its end.
fn widened(rows: &Range<usize>, row: usize) -> Range<usize> {
    let start = if rows.is_empty() { row } else { rows.start };
    start..row + 1
}

fn trace_column(metadata: &ArrowReaderMetadata) -> Option<usize> {
    let columns = metadata.parquet_schema().columns();
    columns.iter().position(|column| column.name() == schema::TRACE_ID)
}

/// The rows of the pages that may hold the trace: all of the row group where there is no page index.
fn candidate_rows(metadata: &ArrowReaderMetadata, group: usize, trace: TraceId) -> Range<usize> {
    let file = metadata.metadata();
    let rows = usize::try_from(file.row_group(group).num_rows()).unwrap_or_default();
    let narrowed = || {
        let column = trace_column(metadata)?;
        let ColumnIndexMetaData::FIXED_LEN_BYTE_ARRAY(index) = &file.column_index()?[group][column] else {
            return None;
        };
        let pages = file.offset_index()?[group][column].page_locations();
        let starts: Vec<usize> =
            pages.iter().filter_map(|page| usize::try_from(page.first_row_index).ok()).collect();
        let may_hold = |page: &usize| {
            index.min_value(*page).is_some_and(|min| min <= &trace.0[..])
                && index.max_value(*page).is_some_and(|max| &trace.0[..] <= max)
        };
        let first = (0..starts.len()).find(may_hold)?;
        let last = (0..starts.len()).rfind(may_hold)?;
        Some(starts[first]..starts.get(last + 1).copied().unwrap_or(rows))
    };
    narrowed().unwrap_or(0..rows)
}
