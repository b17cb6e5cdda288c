//! Reads the rows of one trace, straight through bloom filters and page indexes, batch by batch: a trace may be larger
//! than memory.

use crate::admission::Question;
use crate::row::SpanBatch;
use crate::scan::Source;
use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use futures::stream::{self, StreamExt};
use model::schema::{self, ColumnType, attribute_column};
use model::{Kind, Signal, SpanId, TenantId, TraceId};
use query::Error;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use storage::{Block, Extent, Snapshot, Storage};
use tokio::sync::OwnedSemaphorePermit;

/// Blocks whose indexes are asked for a trace at the same time.
const LOOKUPS: usize = 4;

/// One trace of a tenant's.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub storage: &'a Storage,
    pub question: &'a Arc<Question>,
    pub tenant: &'a TenantId,
    pub trace: TraceId,
}

/// Takes rows of a trace, on a thread that may take its time.
pub trait Visitor: Send + 'static {
    /// Takes them, and says whether it wants more: it notes what it holds, and stops when that is too much.
    fn take(&mut self, rows: &RecordBatch) -> bool;

    /// How many bytes it will hold of so many rows, about.
    fn expects(&self, extent: Extent) -> u64;

    /// Whether several such of one question wait for each other, when together they would hold too much.
    fn reserves(&self) -> bool {
        false
    }

    /// Holds the room that it waited for.
    fn hold(&mut self, _room: OwnedSemaphorePermit) {}
}

/// Which columns, all unless they are named, of which spans.
#[derive(Default, Clone)]
pub struct Shape<'s> {
    pub columns: Option<Arc<[String]>>,
    pub spans: Option<&'s [SpanId]>,
}

impl Shape<'_> {
    pub fn columns(columns: impl IntoIterator<Item = String>) -> Self {
        Self { columns: Some(columns.into_iter().collect()), spans: None }
    }
}

pub fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal { message: error.to_string() }
}

/// A failure of storage, as one of the query.
pub fn unread(error: &storage::Error) -> Error {
    let message = error.to_string();
    match error.kind() {
        _ if error.is_of_block() => Error::Unreadable { message },
        Kind::Busy => Error::Busy { message },
        Kind::Unavailable => Error::Unavailable { message },
        _ => internal(error),
    }
}

/// Gives every row of a trace to a visitor: those of blocks first, then hot ones.
pub async fn visit<V: Visitor>(
    asked: Asked<'_>,
    signal: Signal,
    shape: Shape<'_>,
    mut visitor: V,
) -> Result<V, Error> {
    let Asked { storage, question, tenant, trace } = asked;
    let snapshot = storage.snapshot(tenant, signal);
    question.searching(signal, snapshot.blocks.len());
    let blocks = having(question, &snapshot, trace, &shape).await?;
    let expected = blocks.iter().map(|(_, extent)| visitor.expects(narrowed(*extent, shape.spans)));
    let expected = expected.fold(0, u64::saturating_add);
    if visitor.reserves() {
        visitor.hold(question.reserve(expected).await?);
    }
    question.expect(expected).await?;
    let shared = Arc::new(Mutex::new(visitor));
    for (block, _) in blocks {
        let (visitor, holder) = (Arc::clone(&shared), Arc::clone(question));
        let take = move |rows: RecordBatch| {
            visitor.lock().unwrap_or_else(PoisonError::into_inner).take(&rows) && holder.fits()
        };
        let read = block.visit_trace(trace, shape.columns.clone(), shape.spans, take).await;
        if let Err(error) = read {
            question.pass_over(&Source::Block(block, None), unread(&error))?;
        }
        question.admit().await?;
    }
    let hot = snapshot.hot.clone();
    let visited = question.compute(move || {
        let mut visitor = shared.lock().unwrap_or_else(PoisonError::into_inner);
        for rows in hot.iter().filter_map(|batch| batch.trace_rows(trace)) {
            if !visitor.take(&rows) {
                break;
            }
        }
        drop(visitor);
        Arc::into_inner(shared).map(|visitor| visitor.into_inner().unwrap_or_else(PoisonError::into_inner))
    });
    let visitor =
        visited.await?.ok_or_else(|| internal("a trace was still being read when it had been read"))?;
    question.admit().await?;
    Ok(visitor)
}

/// Of few spans a block has few rows, however many the trace has.
fn narrowed(extent: Extent, spans: Option<&[SpanId]>) -> Extent {
    let Some(spans) = spans else { return extent };
    let rows = extent.rows.min(4 * spans.len() as u64);
    Extent { rows, bytes: extent.bytes / extent.rows.max(1) * rows }
}

/// The blocks that may have the trace.
async fn having(
    question: &Arc<Question>,
    snapshot: &Snapshot,
    trace: TraceId,
    shape: &Shape<'_>,
) -> Result<Vec<(Arc<Block>, Extent)>, Error> {
    let looking = stream::iter(snapshot.blocks.clone()).map(|block| async move {
        let extent = block.extent(trace, shape.columns.clone()).await;
        (block, extent)
    });
    let mut looked = looking.buffered(LOOKUPS);
    let mut having = Vec::new();
    while let Some((block, extent)) = looked.next().await {
        match extent {
            Ok(extent) => having.extend(extent.map(|extent| (block, extent))),
            Err(error) => question.pass_over(&Source::Block(block, None), unread(&error))?,
        }
    }
    Ok(having)
}

/// The rows of one trace, in memory; the same span may be in it several times.
pub struct TraceRows {
    pub batches: Vec<RecordBatch>,
    question: Arc<Question>,
    noted: u64,
}

impl Drop for TraceRows {
    fn drop(&mut self) {
        self.question.give_back(self.noted);
    }
}

impl Visitor for TraceRows {
    fn take(&mut self, rows: &RecordBatch) -> bool {
        let bytes = rows.get_array_memory_size() as u64;
        self.question.note(bytes);
        self.noted += bytes;
        self.batches.push(rows.clone());
        self.question.fits()
    }

    fn expects(&self, extent: Extent) -> u64 {
        extent.bytes
    }
}

/// Every row of a trace.
pub async fn load(asked: Asked<'_>, signal: Signal, shape: Shape<'_>) -> Result<TraceRows, Error> {
    let rows = TraceRows { batches: Vec::new(), question: Arc::clone(asked.question), noted: 0 };
    visit(asked, signal, shape, rows).await
}

/// The columns that tell which spans there are, below which.
pub fn place_columns() -> Vec<String> {
    let fixed =
        [schema::TRACE_ID, schema::SPAN_ID, schema::PARENT_SPAN_ID, schema::END, schema::ATTRIBUTES_TAIL];
    with_attributes(&fixed, crate::row::pending_keys())
}

/// The columns that a summary or skeleton needs.
pub fn outline_columns() -> Vec<String> {
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

/// A row: its batch, its place in there.
type Place = (usize, usize);

/// How a row of a span ranks among those of the same one: of those sent again, the one that ended last counts; of
/// several such, the last sent. A pending span counts as the span that it stands for, while that one is not there.
pub type Rank = (Option<u64>, u64);

impl TraceRows {
    /// The row that counts of each span.
    fn distinct(&self) -> Vec<Place> {
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

    /// The rows that count, in their batches.
    pub fn current(&self) -> Vec<RecordBatch> {
        let mut by_batch: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (batch, row) in self.distinct() {
            by_batch.entry(batch).or_default().push(u32::try_from(row).unwrap_or(u32::MAX));
        }
        let taken = by_batch
            .into_iter()
            .map(|(batch, rows)| take_record_batch(&self.batches[batch], &UInt32Array::from(rows)).ok());
        taken.flatten().collect()
    }
}
