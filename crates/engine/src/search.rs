//! Finds traces: matching spans source by source, newest first, until no older source can change the page.

use crate::scan::{Scanner, Wanted, damage, horizon, sources};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use model::{Signal, TraceId, schema};
use query::{Error, SearchRequest};
use std::collections::HashMap;
use storage::Snapshot;

/// A page of traces, newest first.
pub struct Page {
    pub traces: Vec<TraceId>,
    pub cursor: Option<String>,
    /// Why traces may be missing.
    pub incomplete: Option<String>,
}

/// A trace's place in the order: its newest matching span, then its id.
type Place = (u64, TraceId);

/// The traces that have a matching span.
pub async fn page(scanner: &Scanner, snapshot: &Snapshot, request: &SearchRequest) -> Result<Page, Error> {
    let after = request.cursor.as_deref().map(parse_cursor).transpose()?;
    let mut newest: HashMap<TraceId, u64> = HashMap::new();
    let mut damaged = 0;
    let sources = sources(snapshot, request.range);
    for (number, source) in sources.iter().enumerate() {
        let wanted = Wanted { signal: Signal::Traces, filter: &request.filter, range: request.range };
        let columns = [schema::TRACE_ID, schema::START];
        let scanned = scanner.each(source, wanted, &columns, |batch| add(&mut newest, batch)).await;
        if let Err(error) = scanned {
            source.forgive(error)?;
            damaged += 1;
        }
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
    Ok(Page {
        traces: page.into_iter().map(|(_, trace)| trace).collect(),
        cursor,
        incomplete: damage(damaged),
    })
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
