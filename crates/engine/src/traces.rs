//! Questions about whole traces: found, summed up, drawn, understood as runs.

use crate::Under;
use crate::admission::Question;
use crate::outline::{Outline, Wants};
use crate::scan::Wanted;
use crate::trace::{Shape, TraceRows, Visitor, load, outline_columns, visit};
use crate::{run, search, skeleton, summary};
use arrow::array::RecordBatch;
use futures::stream::{self, Stream, StreamExt};
use model::otlp::columns::Columns;
use model::{Kind, Signal, SpanId, TimeRange, TraceId, schema};
use query::result::{Held, Listed, SearchResult, Skeleton, TraceSummary};
use query::run::Run;
use query::{Error, Expression, SearchRequest};
use std::collections::HashSet;
use std::sync::Arc;
use storage::Extent;

/// Traces that are summed up at the same time.
const SUMMARIES: usize = 8;

/// Traces, newest first.
pub async fn search(under: &Under, request: &SearchRequest) -> Result<SearchResult, Error> {
    let snapshot = under.snapshot(Signal::Traces);
    let page = search::page(&under.core.scanner, &under.question, &snapshot, request).await?;
    drop(snapshot);
    let ids = stream::iter(page.traces.clone());
    let matching = ids.map(|trace| matching_summary(under, trace, request)).buffered(SUMMARIES);
    let (traces, left_out) = each(&page.traces, matching).await?;
    let left_out = left_out.map(|(_, why)| why);
    Ok(SearchResult { traces, cursor: page.cursor, incomplete: under.question.incomplete().or(left_out) })
}

/// An error, and what is said where the rest is answered.
type LeftOut = (Error, String);

/// The summaries that there are of these traces, in their order. One that is too large costs itself alone.
async fn each(
    traces: &[TraceId],
    summaries: impl Stream<Item = Result<Option<TraceSummary>, Error>>,
) -> Result<(Vec<TraceSummary>, Option<LeftOut>), Error> {
    let mut summaries = std::pin::pin!(summaries);
    let (mut summed_up, mut left_out) = (Vec::new(), None);
    for trace in traces {
        match summaries.next().await.transpose() {
            Err(error) if error.kind() == Kind::Busy => {
                let why = format!("the trace {trace} is left out: {error}");
                left_out.get_or_insert((error, why));
            }
            summary => summed_up.extend(summary?.flatten()),
        }
    }
    Ok((summed_up, left_out))
}

/// These traces in one line each.
pub async fn summaries(under: &Under, traces: Vec<TraceId>) -> Result<Listed<TraceSummary>, Error> {
    let each_one = stream::iter(traces.clone()).map(|trace| summary(under, trace)).buffered(SUMMARIES);
    let (items, left_out) = each(&traces, each_one).await?;
    let left_out = match left_out {
        Some((error, _)) if items.is_empty() => return Err(error),
        left_out => left_out.map(|(_, why)| why),
    };
    if items.is_empty() {
        under.question.nothing("the trace")?;
    }
    let incomplete = under.question.incomplete().or(left_out);
    Ok(Listed { items, incomplete, bytes: 0, held: Held::default() })
}

async fn outline(under: &Under, trace: TraceId, wants: Wants) -> Result<Outline, Error> {
    let outline = Outline::new(wants, &under.core.prices, &under.question);
    visit(under.of(trace), Signal::Traces, Shape::columns(outline_columns()), outline).await
}

async fn summary(under: &Under, trace: TraceId) -> Result<Option<TraceSummary>, Error> {
    let mut outline = outline(under, trace, Wants::Totals).await?;
    let built = under.question.compute(move || {
        outline.settle();
        summary::build(trace, outline)
    });
    built.await
}

/// The summary of a trace that was found, unless what was found in it is a version of a span that was sent again.
async fn matching_summary(
    under: &Under,
    trace: TraceId,
    request: &SearchRequest,
) -> Result<Option<TraceSummary>, Error> {
    let mut outline = outline(under, trace, Wants::Totals).await?;
    let settled = under.question.compute(move || {
        let has_superseded = outline.settle();
        (summary::build(trace, outline), has_superseded)
    });
    let (summary, has_superseded) = settled.await?;
    let everything = request.filter == Expression::All && request.range == TimeRange::ALL;
    if everything || !has_superseded || still_matches(under, trace, request).await? {
        return Ok(summary);
    }
    Ok(None)
}

/// Whether a span matches as it is now. Where that would take too much, it is taken to do so.
async fn still_matches(under: &Under, trace: TraceId, request: &SearchRequest) -> Result<bool, Error> {
    let rows = match load(under.of(trace), Signal::Traces, Shape::default()).await {
        Err(error) if error.kind() == Kind::Busy => return Ok(true),
        rows => rows?,
    };
    let wanted = Wanted { signal: Signal::Traces, filter: &request.filter, range: request.range };
    for batch in under.question.compute(move || rows.current()).await? {
        if !under.core.scanner.matching(batch, wanted).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Every span of a trace, without bodies.
pub async fn skeleton(under: &Under, trace: TraceId) -> Result<Option<Skeleton>, Error> {
    let mut outline = outline(under, trace, Wants::Spans).await?;
    if outline.spans.is_empty() {
        under.question.nothing("the trace")?;
        return Ok(None);
    }
    let logged = logged_spans(under, trace).await?;
    let built = under.question.compute(move || {
        outline.settle();
        skeleton::build(trace, outline, &logged)
    });
    Ok(built.await?.map(|skeleton| {
        let held = held(&under.question, skeleton.rows.len() * size_of::<query::result::SkeletonRow>());
        Skeleton { incomplete: under.question.incomplete(), held, ..skeleton }
    }))
}

/// A heavy answer keeps the others waiting until it is written.
fn held(question: &Arc<Question>, bytes: usize) -> Held {
    if !question.is_heavy() {
        return Held::default();
    }
    question.note(bytes as u64);
    Held::new(Arc::clone(question))
}

/// A trace as the run of an agent.
pub async fn run(under: &Under, trace: TraceId) -> Result<Option<Run>, Error> {
    let mut outline = outline(under, trace, Wants::Calls).await?;
    let built = under.question.compute(move || {
        outline.settle();
        run::build(trace, outline)
    });
    let Some(mut run) = built.await? else {
        under.question.nothing("the trace")?;
        return Ok(None);
    };
    if let Some(failure) = &mut run.first_failure {
        let columns: Option<Arc<[String]>> = Some(outline_columns().into());
        let shape = Shape { columns, spans: Some(&[failure.span_id]) };
        let rows: TraceRows = load(under.of(trace), Signal::Traces, shape).await?;
        run::explain(failure, &rows);
    }
    let left = run.incomplete.take();
    run.incomplete = under.question.incomplete().or(left);
    run.held = held(&under.question, run.calls.len() * size_of::<query::run::Call>());
    Ok(Some(run))
}

/// The spans that log records point to.
async fn logged_spans(under: &Under, trace: TraceId) -> Result<HashSet<SpanId>, Error> {
    let logged = Logged { question: Arc::clone(&under.question), spans: HashSet::new() };
    let columns = [schema::TRACE_ID, schema::SPAN_ID].map(str::to_owned);
    Ok(visit(under.of(trace), Signal::Logs, Shape::columns(columns), logged).await?.spans)
}

struct Logged {
    question: Arc<Question>,
    spans: HashSet<SpanId>,
}

/// What an id takes in a set.
const ID_BYTES: u64 = 24;

impl Visitor for Logged {
    fn take(&mut self, rows: &RecordBatch) -> bool {
        let (columns, before) = (Columns::new(rows), self.spans.len());
        let ids = (0..rows.num_rows()).filter_map(|row| columns.id(schema::SPAN_ID, row).map(SpanId));
        self.spans.extend(ids);
        self.question.note((self.spans.len() - before) as u64 * ID_BYTES);
        self.question.fits()
    }

    fn expects(&self, extent: Extent) -> u64 {
        extent.rows * ID_BYTES
    }
}
