//! Finds a trace in a block: bloom filter, then the page index, then only the pages that have it.

use super::checksum::Checked;
use super::portion;
use crate::error::Error;
use arrow::array::{Array, AsArray, BooleanArray};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use model::{SpanId, TraceId, schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicate, ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowFilter, RowSelection, RowSelector,
};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;
use std::collections::HashSet;
use std::sync::Arc;

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

/// How much of a trace a block has at most, by its indexes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    pub rows: u64,
    /// In memory.
    pub bytes: u64,
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

    /// How much the trace, which is in these row groups, may have at most.
    pub(super) fn extent(&self, trace: TraceId, groups: &[usize], columns: Option<&[String]>) -> Extent {
        let Some(ids) = ids(&self.footer) else { return Extent::default() };
        let shown = self.shown(columns);
        let mut extent = Extent::default();
        for group in groups {
            let rows = pages(&self.footer, ids, &[*group], trace).row_count() as u64;
            let metadata = self.footer.metadata();
            let bytes = portion::decoded_bytes(metadata, *group, &shown, self.footer.schema());
            let all = metadata.row_group(*group).num_rows().unsigned_abs().max(1);
            extent.rows += rows;
            extent.bytes = extent.bytes.saturating_add((bytes / all + 1).saturating_mul(rows));
        }
        extent
    }

    /// The places of these columns, as far as they are there. No column nests, so that they are the same in Parquet and
    /// Arrow.
    pub(super) fn shown(&self, columns: Option<&[String]>) -> Vec<usize> {
        let fields = self.footer.schema().fields().iter().enumerate();
        let shown = fields.filter(|(_, field)| columns.is_none_or(|names| names.contains(field.name())));
        shown.map(|(place, _)| place).collect()
    }

    /// Gives the rows of the trace, which is in these row groups, to `take` until that says that it wants no more. A
    /// batch is bounded by its bytes.
    pub(super) fn trace(
        &self,
        trace: TraceId,
        groups: Vec<usize>,
        (columns, spans): (Option<&[String]>, Option<&Arc<HashSet<SpanId>>>),
        take: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<(), Error> {
        let Some(ids) = ids(&self.footer) else { return Ok(()) };
        let shown = self.shown(columns);
        for group in groups {
            let rows = self.rows((trace, ids), group, &shown, spans.map(Arc::clone));
            for batch in rows.map_err(|error| self.file.fault(&error))? {
                if !take(batch.map_err(|error| self.file.fault(&error))?) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn rows(
        &self,
        (trace, ids): (TraceId, usize),
        group: usize,
        shown: &[usize],
        spans: Option<Arc<HashSet<SpanId>>>,
    ) -> parquet::errors::Result<ParquetRecordBatchReader> {
        let footer = self.footer.clone();
        let selection = pages(&footer, ids, &[group], trace);
        let batch_rows = portion::batch_rows(footer.metadata(), group, shown, footer.schema());
        let parquet_schema = footer.metadata().file_metadata().schema_descr_ptr();
        let projection = ProjectionMask::roots(&parquet_schema, shown.iter().copied());
        let mut conditions = vec![same_id(&parquet_schema, ids, move |id| id == trace.0)];
        let span_ids = footer.schema().column_with_name(schema::SPAN_ID).map(|(place, _)| place);
        if let (Some(spans), Some(place)) = (spans, span_ids) {
            let is_one = move |id: &[u8]| id.try_into().is_ok_and(|id| spans.contains(&SpanId(id)));
            conditions.push(same_id(&parquet_schema, place, is_one));
        }
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), footer)
            .with_row_groups(vec![group])
            .with_row_selection(selection)
            .with_row_filter(RowFilter::new(conditions))
            .with_projection(projection)
            .with_batch_size(batch_rows)
            .build()
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
