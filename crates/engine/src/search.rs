//! Finds traces: matching spans source by source, newest first, until no older source can change the page.

use crate::admission::Question;
use crate::scan::{Scanner, Wanted, blocks, horizon, sources};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use model::{Signal, TraceId, schema};
use query::{Error, SearchRequest};
use std::collections::HashMap;
use std::sync::Arc;
use storage::Snapshot;

/// A page of traces, newest first.
pub struct Page {
    pub traces: Vec<TraceId>,
    pub cursor: Option<String>,
}

/// What is kept of each trace found.
const TRACE_BYTES: u64 = 64;

/// A trace's place in the order: its newest matching span, then its id.
type Place = (u64, TraceId);

/// The traces that have a matching span.
pub async fn page(
    scanner: &Scanner,
    question: &Arc<Question>,
    snapshot: &Snapshot,
    request: &SearchRequest,
) -> Result<Page, Error> {
    let after = request.cursor.as_deref().map(parse_cursor).transpose()?;
    let mut newest: HashMap<TraceId, u64> = HashMap::new();
    let sources = sources(snapshot, request.range);
    for (number, source) in sources.iter().enumerate() {
        let wanted = Wanted { signal: Signal::Traces, filter: &request.filter, range: request.range };
        let columns: &[&str] = &[schema::TRACE_ID, schema::START];
        let take = |batch: &RecordBatch| {
            let known = newest.len();
            add(&mut newest, batch);
            question.note((newest.len() - known) as u64 * TRACE_BYTES);
        };
        if let Err(error) = scanner.each(question, source, wanted, (columns, take)).await {
            question.pass_over(source, error)?;
        }
        question.searching(Signal::Traces, blocks(&sources[..=number]));
        // Older sources cannot hold anything newer than their last span.
        let horizon = horizon(&sources[number + 1..]);
        let settled = |place: &Place| horizon.is_none_or(|horizon| place.0 > horizon.0);
        if horizon.is_some() && places(&newest, after).filter(settled).count() > request.limit {
            break;
        }
    }
    let mut page: Vec<Place> = places(&newest, after).collect();
    page.sort_unstable_by(|left, right| right.cmp(left));
    let more = page.len() > request.limit;
    page.truncate(request.limit);
    let cursor = page.last().filter(|_| more).map(|(start, trace)| format!("{start}-{trace}"));
    question.give_back(newest.len() as u64 * TRACE_BYTES);
    Ok(Page { traces: page.into_iter().map(|(_, trace)| trace).collect(), cursor })
}

fn places(newest: &HashMap<TraceId, u64>, after: Option<Place>) -> impl Iterator<Item = Place> {
    let places = newest.iter().map(|(trace, start)| (*start, *trace));
    places.filter(move |place| after.is_none_or(|after| *place < after))
}

fn add(newest: &mut HashMap<TraceId, u64>, batch: &RecordBatch) {
    let (ids, starts) =
        (batch.column(0).as_fixed_size_binary(), batch.column(1).as_primitive::<UInt64Type>());
    for row in 0..batch.num_rows() {
        let Ok(id) = ids.value(row).try_into() else { continue };
        let start = newest.entry(TraceId(id)).or_default();
        *start = starts.value(row).max(*start);
    }
}

fn parse_cursor(cursor: &str) -> Result<Place, Error> {
    let parsed =
        cursor.split_once('-').and_then(|(start, trace)| Some((start.parse().ok()?, TraceId::parse(trace)?)));
    parsed
        .ok_or_else(|| Error::Invalid { message: format!("{cursor:?} is not a cursor that an answer gave") })
}
