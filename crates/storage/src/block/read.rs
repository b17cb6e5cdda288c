//! Finds a trace in a block: bloom filter, then the page index, then only the pages that have it.

use super::checksum::Checked;
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
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;
use std::collections::HashSet;

/// In which row groups of a block a trace may be; kept for as long as the block is, so that a lookup touches no block
/// that does not have its trace.
pub(super) struct Traces {
    groups: Vec<Group>,
}

/// What is known of the trace ids of a row group.
struct Group {
    smallest: Option<Box<[u8]>>,
    largest: Option<Box<[u8]>>,
    bloom: Option<Sbbf>,
}

impl Traces {
    /// Those of a block; for metrics, none.
    pub(super) fn read(file: &Checked) -> Result<Self, Error> {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
        let groups = ArrowReaderMetadata::load(file, options).and_then(|footer| {
            let Some(ids) = ids(&footer) else { return Ok(Vec::new()) };
            let group = |group: &RowGroupMetaData| {
                let bounds = group.column(ids).statistics();
                Ok(Group {
                    smallest: bounds.and_then(Statistics::min_bytes_opt).map(Box::from),
                    largest: bounds.and_then(Statistics::max_bytes_opt).map(Box::from),
                    bloom: Sbbf::read_from_column_chunk(group.column(ids), file)?,
                })
            };
            footer.metadata().row_groups().iter().map(group).collect()
        });
        Ok(Self { groups: groups.map_err(|error| file.fault(&error))? })
    }

    /// The row groups that can have the trace; that no other has it is certain.
    pub(super) fn groups(&self, trace: TraceId) -> Vec<usize> {
        let id = trace.0.as_slice();
        let may_have = |group: &Group| {
            group.smallest.as_deref().is_none_or(|smallest| smallest <= id)
                && group.largest.as_deref().is_none_or(|largest| id <= largest)
                && group.bloom.as_ref().is_none_or(|bloom| bloom.check(id))
        };
        let groups = self.groups.iter().enumerate();
        groups.filter(|(_, group)| may_have(group)).map(|(number, _)| number).collect()
    }
}

/// Where the trace ids are among the Parquet columns.
fn ids(footer: &ArrowReaderMetadata) -> Option<usize> {
    let mut columns = footer.parquet_schema().columns().iter();
    columns.position(|column| column.path().string() == schema::TRACE_ID)
}

/// An open block.
pub(super) struct Opened {
    pub(super) file: Checked,
    /// With the page index.
    pub(super) footer: ArrowReaderMetadata,
}

impl Opened {
    pub(super) fn read(file: Checked) -> Result<Self, Error> {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let footer = ArrowReaderMetadata::load(&file, options).map_err(|error| file.fault(&error))?;
        Ok(Self { file, footer })
    }

    /// All rows of the trace, which is in these row groups.
    pub(super) fn trace(
        &self,
        trace: TraceId,
        groups: Vec<usize>,
        columns: Option<&[String]>,
        spans: Option<HashSet<SpanId>>,
    ) -> Result<Vec<RecordBatch>, Error> {
        let Some(ids) = ids(&self.footer) else { return Ok(Vec::new()) };
        self.rows(trace, ids, groups, columns, spans).map_err(|error| self.file.fault(&error))
    }

    fn rows(
        &self,
        trace: TraceId,
        ids: usize,
        groups: Vec<usize>,
        columns: Option<&[String]>,
        spans: Option<HashSet<SpanId>>,
    ) -> parquet::errors::Result<Vec<RecordBatch>> {
        let footer = self.footer.clone();
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
