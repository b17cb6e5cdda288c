//! Finds a trace in a block: bloom filter, then the page index, then only the pages that have it.

use super::checksum::{Checked, Checksums};
use crate::error::Error;
use arrow::array::{Array, AsArray, BooleanArray};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use model::{SpanId, TraceId, schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicate, ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions,
    ParquetRecordBatchReaderBuilder, RowFilter, RowSelection, RowSelector,
};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::schema::types::SchemaDescriptor;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// An open block.
pub(super) struct Reader {
    path: PathBuf,
    file: Checked,
    footer: ArrowReaderMetadata,
    /// Of each row group; `None` when it has none.
    blooms: Vec<Option<Sbbf>>,
    /// Where the trace ids are among the Parquet columns; `None` for metrics.
    ids: Option<usize>,
    /// The footer once more with the page index, read when a bloom filter first says yes.
    indexed: OnceLock<ArrowReaderMetadata>,
}

impl Reader {
    pub(super) fn open(path: &Path, checksums: &Checksums) -> Result<Self, Error> {
        let file = Checked::open(path, checksums).map_err(Error::io("opening", path))?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
        let footer = ArrowReaderMetadata::load(&file, options).map_err(|error| damaged(path, &error))?;
        let columns = footer.parquet_schema().columns();
        let ids = columns.iter().position(|column| column.path().string() == schema::TRACE_ID);
        let blooms = footer
            .metadata()
            .row_groups()
            .iter()
            .map(|group| match ids {
                Some(ids) => Sbbf::read_from_column_chunk(group.column(ids), &file),
                None => Ok(None),
            })
            .collect::<Result<_, _>>()
            .map_err(|error| damaged(path, &error))?;
        Ok(Self { path: path.to_owned(), file, footer, blooms, ids, indexed: OnceLock::new() })
    }

    /// Whether the trace can be in the block; false is certain.
    pub(super) fn may_have(&self, trace: TraceId) -> bool {
        !self.groups(trace).is_empty()
    }

    /// All rows of the trace.
    pub(super) fn trace(
        &self,
        trace: TraceId,
        columns: Option<&[String]>,
        spans: Option<HashSet<SpanId>>,
    ) -> Result<Vec<RecordBatch>, Error> {
        let groups = self.groups(trace);
        let (Some(ids), false) = (self.ids, groups.is_empty()) else { return Ok(Vec::new()) };
        self.read(trace, ids, groups, columns, spans).map_err(|error| damaged(&self.path, &error))
    }

    /// The row groups that can have the trace, by their bloom filters and smallest and largest ids.
    fn groups(&self, trace: TraceId) -> Vec<usize> {
        let Some(ids) = self.ids else { return Vec::new() };
        let groups = self.footer.metadata().row_groups().iter().zip(&self.blooms).enumerate();
        groups
            .filter(|(_, (group, bloom))| {
                let bounds = group.column(ids).statistics();
                let smallest = bounds.and_then(|bounds| bounds.min_bytes_opt());
                let largest = bounds.and_then(|bounds| bounds.max_bytes_opt());
                smallest.is_none_or(|smallest| smallest <= trace.0.as_slice())
                    && largest.is_none_or(|largest| trace.0.as_slice() <= largest)
                    && bloom.as_ref().is_none_or(|bloom| bloom.check(trace.0.as_slice()))
            })
            .map(|(number, _)| number)
            .collect()
    }

    fn read(
        &self,
        trace: TraceId,
        ids: usize,
        groups: Vec<usize>,
        columns: Option<&[String]>,
        spans: Option<HashSet<SpanId>>,
    ) -> parquet::errors::Result<Vec<RecordBatch>> {
        let footer = self.indexed()?.clone();
        let selection = pages(&footer, ids, &groups, trace);
        let parquet_schema = footer.metadata().file_metadata().schema_descr_ptr();
        let shown = match columns {
            None => ProjectionMask::all(),
            Some(names) => {
                let roots = footer.schema().fields().iter().enumerate();
                let roots = roots.filter(|(_, field)| names.contains(field.name())).map(|(place, _)| place);
                ProjectionMask::roots(&parquet_schema, roots)
            }
        };
        let mut conditions = vec![same_id(&parquet_schema, ids, move |id| id == trace.0)];
        let span_ids = footer.schema().column_with_name(schema::SPAN_ID).map(|(place, _)| place);
        if let (Some(spans), Some(place)) = (spans, span_ids) {
            let is_one = move |id: &[u8]| id.try_into().is_ok_and(|id| spans.contains(&SpanId(id)));
            conditions.push(same_id(&parquet_schema, place, is_one));
        }
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), footer)
            .with_row_groups(groups)
            .with_row_selection(selection)
            .with_row_filter(RowFilter::new(conditions))
            .with_projection(shown)
            .build()?
            .collect::<Result<_, ArrowError>>()
            .map_err(Into::into)
    }

    fn indexed(&self) -> parquet::errors::Result<&ArrowReaderMetadata> {
        if let Some(indexed) = self.indexed.get() {
            return Ok(indexed);
        }
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let indexed = ArrowReaderMetadata::load(&self.file, options)?;
        Ok(self.indexed.get_or_init(|| indexed))
    }
}

/// Lets rows through by an id.
fn same_id(
    schema: &SchemaDescriptor,
    column: usize,
    is_wanted: impl Fn(&[u8]) -> bool + Send + 'static,
) -> Box<dyn ArrowPredicate> {
    let matches = move |rows: RecordBatch| {
        let ids = rows.column(0).as_fixed_size_binary_opt();
        let ids = ids.ok_or_else(|| ArrowError::SchemaError("ids of another type".to_owned()))?;
        let wanted = (0..ids.len()).map(|row| Some(ids.is_valid(row) && is_wanted(ids.value(row))));
        Ok(BooleanArray::from_iter(wanted))
    };
    Box::new(ArrowPredicateFn::new(ProjectionMask::leaves(schema, [column]), matches))
}

/// The rows of the pages, among those of `groups`, whose smallest and largest trace ids let the trace in.
fn pages(footer: &ArrowReaderMetadata, ids: usize, groups: &[usize], trace: TraceId) -> RowSelection {
    let metadata = footer.metadata();
    let mut selectors = Vec::new();
    for number in groups {
        let rows = usize::try_from(metadata.row_group(*number).num_rows()).unwrap_or(0);
        let index = metadata.column_index().and_then(|index| index.get(*number)?.get(ids));
        let offsets = metadata.offset_index().and_then(|index| index.get(*number)?.get(ids));
        let (Some(ColumnIndexMetaData::FIXED_LEN_BYTE_ARRAY(index)), Some(offsets)) = (index, offsets) else {
            selectors.push(RowSelector::select(rows));
            continue;
        };
        let starts =
            offsets.page_locations().iter().map(|page| usize::try_from(page.first_row_index).unwrap_or(0));
        let ends = starts.clone().skip(1).chain([rows]);
        for (page, (start, end)) in starts.zip(ends).enumerate() {
            let smallest = index.min_value(page);
            let largest = index.max_value(page);
            let may_have = smallest.is_some_and(|smallest| smallest <= trace.0.as_slice())
                && largest.is_some_and(|largest| trace.0.as_slice() <= largest);
            let count = end - start;
            selectors.push(if may_have { RowSelector::select(count) } else { RowSelector::skip(count) });
        }
    }
    selectors.into()
}

pub(super) fn damaged(path: &Path, error: &parquet::errors::ParquetError) -> Error {
    Error::Damaged { what: format!("block {}", path.display()), detail: error.to_string() }
}
