//! Loads the rows of one trace, straight through bloom filters and page indexes, each span once.

use crate::row::SpanBatch;
use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use futures::future::try_join_all;
use model::schema::{self, ColumnType, attribute_column};
use model::{Kind, Signal, Span, SpanId, TenantId, Timestamp, TraceId, otlp};
use query::Error;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use storage::Storage;

/// Which columns to load.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Width {
    All,
    /// What a summary or skeleton needs.
    Outline,
    /// Which spans there are, below which.
    Place,
}

/// The rows of one trace; the same span may be in it several times.
pub struct TraceRows {
    pub batches: Vec<RecordBatch>,
}

pub fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal { message: error.to_string() }
}

/// A failure of storage, as one of the query.
pub fn unread(error: &storage::Error) -> Error {
    match error.kind() {
        Kind::Unavailable => Error::Busy { message: error.to_string() },
        _ => internal(error),
    }
}

/// Every row of a trace, blocks first, then hot.
pub async fn load(
    storage: &Storage,
    tenant: &TenantId,
    signal: Signal,
    trace: TraceId,
    width: Width,
) -> Result<TraceRows, Error> {
    load_spans(storage, tenant, signal, trace, width, None).await
}

/// The rows of a trace, at least those of these spans.
pub async fn load_spans(
    storage: &Storage,
    tenant: &TenantId,
    signal: Signal,
    trace: TraceId,
    width: Width,
    spans: Option<&[SpanId]>,
) -> Result<TraceRows, Error> {
    let snapshot = storage.snapshot(tenant, signal);
    let names = match width {
        Width::All => None,
        Width::Outline => Some(outline_columns()),
        Width::Place => Some(place_columns()),
    };
    let names: Option<Vec<&str>> = names.as_ref().map(|names| names.iter().map(String::as_str).collect());
    let blocks = snapshot.blocks.iter().map(|block| block.read_trace(trace, names.as_deref(), spans));
    let mut batches: Vec<RecordBatch> =
        try_join_all(blocks).await.map_err(|error| unread(&error))?.into_iter().flatten().collect();
    batches.extend(snapshot.hot.iter().filter_map(|batch| batch.trace_rows(trace)));
    Ok(TraceRows { batches })
}

fn place_columns() -> Vec<String> {
    let fixed =
        [schema::TRACE_ID, schema::SPAN_ID, schema::PARENT_SPAN_ID, schema::END, schema::ATTRIBUTES_TAIL];
    with_attributes(&fixed, crate::row::pending_keys())
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
        schema::STATUS_MESSAGE,
        schema::SERVICE,
        schema::EVENTS,
        schema::LINKS,
        schema::ATTRIBUTES_TAIL,
    ];
    with_attributes(&fixed, crate::row::asked_keys())
}

fn with_attributes(fixed: &[&str], keys: impl IntoIterator<Item = &'static str>) -> Vec<String> {
    let typed = |key: &'static str| ColumnType::ALL.map(|column_type| attribute_column(key, column_type));
    fixed.iter().map(|name| (*name).to_owned()).chain(keys.into_iter().flat_map(typed)).collect()
}

/// A running span, and its parent.
type StandsFor = (SpanId, Option<SpanId>);

fn running(pending: Span, (span_id, parent_span_id): StandsFor) -> Span {
    Span { span_id, parent_span_id, end: Timestamp(0), ..pending }
}

/// A row: its batch, its place in there.
pub type Place = (usize, usize);

impl TraceRows {
    /// The row that counts of each span: of those sent again, the one that ended last; of several such, the last sent.
    /// A pending span counts as the span that it stands for, while that one is not there.
    pub fn distinct(&self) -> Vec<Place> {
        let mut best: HashMap<SpanId, (Option<u64>, Place)> = HashMap::new();
        for (number, batch) in self.batches.iter().enumerate() {
            let spans = SpanBatch::new(batch);
            let pending = spans.may_have_pending(batch);
            for row in 0..batch.num_rows() {
                let Some(id) = spans.columns.id(schema::SPAN_ID, row).map(SpanId) else { continue };
                let running = if pending { spans.row(row).stands_for() } else { None };
                let end =
                    running.is_none().then(|| spans.columns.uint64(schema::END, row).unwrap_or_default());
                let rank = (end, (number, row));
                let id = running.map_or(id, |(running, _)| running);
                best.entry(id).and_modify(|known| *known = rank.max(*known)).or_insert(rank);
            }
        }
        let mut rows: Vec<_> = best.into_values().map(|(_, place)| place).collect();
        rows.sort_unstable();
        rows
    }

    /// Whether a row does not count, because its span was sent again.
    pub fn has_superseded(&self) -> bool {
        self.batches.iter().map(RecordBatch::num_rows).sum::<usize>() > self.distinct().len()
    }

    /// The rows that count, in their batches.
    pub fn current(&self) -> Vec<RecordBatch> {
        self.take(self.distinct())
    }

    /// The spans as owned values: all, or those named. A pending span is given as the running span that it stands for.
    pub fn spans(&self, only: Option<&BTreeSet<SpanId>>) -> Vec<Span> {
        let batches: Vec<_> = self.batches.iter().map(SpanBatch::new).collect();
        let mut wanted: Vec<(Place, Option<StandsFor>)> = Vec::new();
        for (batch, row) in self.distinct() {
            let span = batches[batch].row(row);
            let stands_for = span.stands_for();
            let sent = || batches[batch].columns.id(schema::SPAN_ID, row).map(SpanId);
            let id = stands_for.map(|(running, _)| running).or_else(sent);
            if only.is_none_or(|only| id.is_some_and(|id| only.contains(&id))) {
                wanted.push(((batch, row), stands_for));
            }
        }
        // The order of places is that of the rows taken.
        let spans = self.take(wanted.iter().map(|(place, _)| *place)).into_iter();
        let spans = spans.flat_map(|rows| otlp::spans(&rows)).zip(&wanted);
        spans
            .map(|(span, (_, stands_for))| match stands_for {
                Some(stands_for) => running(span, *stands_for),
                None => span,
            })
            .collect()
    }

    fn take(&self, places: impl IntoIterator<Item = Place>) -> Vec<RecordBatch> {
        let mut by_batch: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (batch, row) in places {
            by_batch.entry(batch).or_default().push(u32::try_from(row).unwrap_or(u32::MAX));
        }
        let taken = by_batch
            .into_iter()
            .map(|(batch, rows)| take_record_batch(&self.batches[batch], &UInt32Array::from(rows)).ok());
        taken.flatten().collect()
    }
}
