//! Loads the rows of one trace, straight through bloom filters and page indexes, each span once.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use futures::future::try_join_all;
use model::otlp::columns::Columns;
use model::schema::{self, ColumnType, attribute_column};
use model::{Signal, Span, SpanId, TenantId, TraceId, otlp};
use query::Error;
use std::collections::{BTreeSet, HashMap};
use storage::Storage;

/// Which columns to load.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Width {
    All,
    /// What a summary or skeleton needs.
    Outline,
}

/// The rows of one trace; the same span may be in it several times.
pub struct TraceRows {
    pub batches: Vec<RecordBatch>,
}

pub fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal { message: error.to_string() }
}

/// Every row of a trace, blocks first, then hot.
pub async fn load(
    storage: &Storage,
    tenant: &TenantId,
    signal: Signal,
    trace: TraceId,
    width: Width,
) -> Result<TraceRows, Error> {
    let snapshot = storage.snapshot(tenant, signal);
    let names = (width == Width::Outline).then(outline_columns);
    let names: Option<Vec<&str>> = names.as_ref().map(|names| names.iter().map(String::as_str).collect());
    let blocks = snapshot.blocks.iter().map(|block| block.read_trace(trace, names.as_deref()));
    let mut batches: Vec<RecordBatch> =
        try_join_all(blocks).await.map_err(internal)?.into_iter().flatten().collect();
    batches.extend(snapshot.hot.iter().filter_map(|batch| batch.trace_rows(trace)));
    Ok(TraceRows { batches })
}

fn outline_columns() -> Vec<String> {
    let fixed = [
        schema::TRACE_ID,
        schema::SPAN_ID,
        schema::PARENT_SPAN_ID,
        schema::NAME,
        schema::KIND,
        schema::START,
        schema::END,
        schema::STATUS_CODE,
        schema::SERVICE,
        schema::EVENTS,
        schema::LINKS,
        schema::ATTRIBUTES_TAIL,
    ];
    let typed = |key: &'static str| ColumnType::ALL.map(|column_type| attribute_column(key, column_type));
    let attributes = crate::row::asked_keys().into_iter().flat_map(typed);
    fixed.map(str::to_owned).into_iter().chain(attributes).collect()
}

impl TraceRows {
    /// The row that counts of each span: of those sent again, the one that ended last; of several such, the last sent.
    pub fn distinct(&self) -> Vec<(usize, usize)> {
        let mut best: HashMap<SpanId, (u64, (usize, usize))> = HashMap::new();
        for (number, batch) in self.batches.iter().enumerate() {
            let columns = Columns::new(batch);
            for row in 0..batch.num_rows() {
                let Some(id) = columns.id(schema::SPAN_ID, row).map(SpanId) else { continue };
                let rank = (columns.uint64(schema::END, row).unwrap_or_default(), (number, row));
                best.entry(id).and_modify(|known| *known = rank.max(*known)).or_insert(rank);
            }
        }
        let mut rows: Vec<_> = best.into_values().map(|(_, place)| place).collect();
        rows.sort_unstable();
        rows
    }
}

impl TraceRows {
    /// The spans as owned values: all, or those named.
    pub fn spans(&self, only: Option<&BTreeSet<SpanId>>) -> Vec<Span> {
        let mut wanted: HashMap<usize, Vec<u32>> = HashMap::new();
        let columns: Vec<_> = self.batches.iter().map(Columns::new).collect();
        for (batch, row) in self.distinct() {
            let id = columns[batch].id(schema::SPAN_ID, row).map(SpanId);
            if only.is_none_or(|only| id.is_some_and(|id| only.contains(&id))) {
                wanted.entry(batch).or_default().push(u32::try_from(row).unwrap_or(u32::MAX));
            }
        }
        let rows = wanted.into_iter().filter_map(|(batch, rows)| {
            take_record_batch(&self.batches[batch], &UInt32Array::from(rows)).ok()
        });
        rows.flat_map(|rows| otlp::spans(&rows)).collect()
    }
}
