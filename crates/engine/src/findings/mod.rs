//! What is wrong with traces themselves, over a range of time: spans are read newest first and put together by trace;
//! parents that are not among them are looked for in all that is stored.

mod report;
mod rules;
mod seen;
mod within;

use crate::row::SpanBatch;
use crate::scan::{Scanner, Wanted, damage, sources};
use crate::trace::{Width, internal, load};
use futures::stream::{self, StreamExt, TryStreamExt};
use model::{Signal, SpanId, TenantId, TimeRange, Timestamp, schema};
use query::findings::FindingsResult;
use query::{Error, Expression, FindingsRequest};
pub use rules::SKEW;
use rules::{Elsewhere, Evidence};
use seen::SeenSpans;
pub use seen::{CONTEXT_MISSING, broken_chain};
use std::collections::HashSet;
use storage::{Snapshot, Storage};

/// Traces in which parents are looked for, beyond the spans looked at.
const MOST_LOOKUPS: usize = 1_000;
/// Traces that are read at the same time.
const LOOKUPS: usize = 8;

pub async fn list(
    scanner: &Scanner,
    (storage, tenant): (&Storage, &TenantId),
    request: &FindingsRequest,
) -> Result<FindingsResult, Error> {
    let snapshot = storage.snapshot(tenant, Signal::Traces);
    let (seen, damaged) = look(scanner, &snapshot, request.range).await?;
    let evidence = crate::compute(move || Evidence::new(seen)).await?;
    let is_everything = evidence.seen.whole && damaged == 0 && request.range == TimeRange::ALL;
    let elsewhere = match is_everything {
        true => Elsewhere::default(),
        false => look_elsewhere(storage, tenant, &evidence).await?,
    };
    let (spans, whole, unread) = (evidence.seen.spans.len(), evidence.seen.whole, elsewhere.unread.len());
    let asked = request.clone();
    let mut result = crate::compute(move || rules::judge(&evidence, &elsewhere, &asked)).await?;
    result.incomplete = damage(damaged).or_else(|| {
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

/// The spans of the range, and how many blocks could not be read.
async fn look(scanner: &Scanner, snapshot: &Snapshot, range: TimeRange) -> Result<(SeenSpans, u64), Error> {
    let wanted = Wanted { signal: Signal::Traces, filter: &Expression::All, range };
    let columns = SeenSpans::columns();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let (mut seen, mut damaged) = (SeenSpans::new(), 0);
    for source in sources(snapshot, range) {
        let scanned = scanner.each_while(&source, wanted, &columns, |batch| seen.add(batch)).await;
        if let Err(error) = scanned {
            source.forgive(error)?;
            damaged += 1;
        }
        if !seen.whole {
            break;
        }
    }
    Ok((seen, damaged))
}

/// Looks for parents in the whole traces, of the newest ones.
async fn look_elsewhere(
    storage: &Storage,
    tenant: &TenantId,
    evidence: &Evidence,
) -> Result<Elsewhere, Error> {
    let newest = 0..evidence.missing.len().min(MOST_LOOKUPS);
    let reading = stream::iter(newest).map(|place| async move {
        let missing = evidence.missing.get(place).ok_or_else(|| internal("a trace was lost"))?;
        let rows = load(storage, tenant, Signal::Traces, missing.trace, Width::Place).await?;
        Ok::<_, Error>((missing, rows))
    });
    let mut elsewhere = Elsewhere::default();
    let mut read = reading.buffer_unordered(LOOKUPS);
    while let Some((missing, rows)) = read.try_next().await? {
        let (ids, last) = crate::compute(move || ids(&rows.batches)).await?;
        elsewhere.last.insert(missing.trace, last);
        let found = missing.parents.iter().filter(|parent| ids.contains(*parent));
        elsewhere.found.extend(found.map(|parent| (missing.trace, *parent)));
    }
    let unread = evidence.missing.iter().skip(MOST_LOOKUPS).map(|missing| missing.trace);
    elsewhere.unread.extend(unread);
    Ok(elsewhere)
}

/// The spans of a trace, and when the last of them ended.
fn ids(batches: &[arrow::array::RecordBatch]) -> (HashSet<SpanId>, Timestamp) {
    let (mut ids, mut last) = (HashSet::new(), Timestamp::default());
    for batch in batches {
        let spans = SpanBatch::new(batch);
        for row in 0..batch.num_rows() {
            let running = spans.row(row).stands_for().map(|(running, _)| running);
            let sent = || spans.columns.id(schema::SPAN_ID, row).map(SpanId);
            ids.extend(running.or_else(sent));
            last = last.max(Timestamp(spans.columns.uint64(schema::END, row).unwrap_or_default()));
        }
    }
    (ids, last)
}
