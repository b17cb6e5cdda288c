//! What is wrong with traces themselves, over a range of time: spans are read newest first and put together by trace;
//! parents that are not among them are looked for in all that is stored.

mod report;
mod rules;
mod seen;
mod within;

use crate::admission::Question;
use crate::row::SpanBatch;
use crate::scan::{Scanner, Wanted, blocks, sources};
use crate::trace::{Asked, Shape, Visitor, internal, place_columns, visit};
use arrow::array::RecordBatch;
use futures::stream::{self, StreamExt, TryStreamExt};
use model::{Signal, SpanId, TenantId, TimeRange, Timestamp, schema};
use query::findings::FindingsResult;
use query::{Error, Expression, FindingsRequest};
pub use rules::SKEW;
use rules::{Elsewhere, Evidence};
use seen::SeenSpans;
pub use seen::{CONTEXT_MISSING, broken_chain};
use std::collections::HashSet;
use std::sync::Arc;
use storage::{Extent, Snapshot, Storage};

/// Traces in which parents are looked for, beyond the spans looked at.
const MOST_LOOKUPS: usize = 1_000;
/// Traces that are read at the same time.
const LOOKUPS: usize = 8;

/// What a span that was looked at takes until all are judged.
const SPAN_BYTES: u64 = 2 * size_of::<seen::Seen>() as u64;

pub async fn list(
    (scanner, question): (&Scanner, &Arc<Question>),
    snapshot: &Snapshot,
    (storage, tenant): (&Storage, &TenantId),
    request: &FindingsRequest,
) -> Result<FindingsResult, Error> {
    let seen = look(scanner, question, snapshot, request.range).await?;
    let evidence = question.compute(move || Evidence::new(seen)).await?;
    let is_everything = evidence.seen.whole && question.unread() == 0 && request.range == TimeRange::ALL;
    let elsewhere = match is_everything {
        true => Elsewhere::default(),
        false => look_elsewhere(question, (storage, tenant), &evidence).await?,
    };
    let (spans, whole, unread) = (evidence.seen.spans.len(), evidence.seen.whole, elsewhere.unread.len());
    let asked = request.clone();
    let mut result = question.compute(move || rules::judge(&evidence, &elsewhere, &asked)).await?;
    result.incomplete = question.incomplete().or_else(|| {
        let why = || format!("only {spans} spans were looked at; narrow the time range");
        (!whole).then(why)
    });
    result.incomplete = result.incomplete.or_else(|| {
        let why = || format!("the parents of {unread} traces were not looked for; narrow the time range");
        (unread > 0).then(why)
    });
    result.complete &= result.incomplete.is_none();
    Ok(result)
}

/// The spans of the range.
async fn look(
    scanner: &Scanner,
    question: &Arc<Question>,
    snapshot: &Snapshot,
    range: TimeRange,
) -> Result<SeenSpans, Error> {
    let wanted = Wanted { signal: Signal::Traces, filter: &Expression::All, range };
    let columns = SeenSpans::columns();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut seen = SeenSpans::new();
    let sources = sources(snapshot, range);
    for (number, source) in sources.iter().enumerate() {
        let take = |batch: &RecordBatch| {
            question.note(batch.num_rows() as u64 * SPAN_BYTES);
            seen.add(batch)
        };
        if let Err(error) = scanner.each_while(question, source, wanted, (&columns, take)).await {
            question.pass_over(source, error)?;
        }
        question.searching(Signal::Traces, blocks(&sources[..=number]));
        if !seen.whole {
            break;
        }
    }
    Ok(seen)
}

/// Looks for parents in the whole traces, of the newest ones.
async fn look_elsewhere(
    question: &Arc<Question>,
    (storage, tenant): (&Storage, &TenantId),
    evidence: &Evidence,
) -> Result<Elsewhere, Error> {
    let newest = 0..evidence.missing.len().min(MOST_LOOKUPS);
    let reading = stream::iter(newest).map(|place| async move {
        let missing = evidence.missing.get(place).ok_or_else(|| internal("a trace was lost"))?;
        let asked = Asked { storage, question, tenant, trace: missing.trace };
        let ids = Ids { question: Arc::clone(question), ids: HashSet::new(), last: Timestamp::default() };
        let ids = visit(asked, Signal::Traces, Shape::columns(place_columns()), ids).await?;
        Ok::<_, Error>((missing, ids))
    });
    let mut elsewhere = Elsewhere::default();
    let mut read = reading.buffer_unordered(LOOKUPS);
    while let Some((missing, there)) = read.try_next().await? {
        elsewhere.last.insert(missing.trace, there.last);
        let found = missing.parents.iter().filter(|parent| there.ids.contains(*parent));
        question.give_back(there.ids.len() as u64 * ID_BYTES);
        elsewhere.found.extend(found.map(|parent| (missing.trace, *parent)));
    }
    let unread = evidence.missing.iter().skip(MOST_LOOKUPS).map(|missing| missing.trace);
    elsewhere.unread.extend(unread);
    Ok(elsewhere)
}

/// What an id takes in a set.
const ID_BYTES: u64 = 24;

/// The spans of a trace, and when the last of them ended.
struct Ids {
    question: Arc<Question>,
    ids: HashSet<SpanId>,
    last: Timestamp,
}

impl Visitor for Ids {
    fn take(&mut self, batch: &RecordBatch) -> bool {
        let (spans, before) = (SpanBatch::new(batch), self.ids.len());
        for row in 0..batch.num_rows() {
            let running = spans.row(row).stands_for().map(|(running, _)| running);
            let sent = || spans.columns.id(schema::SPAN_ID, row).map(SpanId);
            self.ids.extend(running.or_else(sent));
            let end = Timestamp(spans.columns.uint64(schema::END, row).unwrap_or_default());
            self.last = self.last.max(end);
        }
        self.question.note((self.ids.len() - before) as u64 * ID_BYTES);
        self.question.fits()
    }

    fn expects(&self, extent: Extent) -> u64 {
        extent.rows * ID_BYTES
    }
}
