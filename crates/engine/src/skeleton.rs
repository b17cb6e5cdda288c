//! A whole trace without bodies, in depth-first order: iterative, for traces may be deeper than any stack.

use crate::account;
use crate::prices::PriceTable;
use crate::row::SpanBatch;
use crate::trace::TraceRows;
use model::{SpanId, Timestamp, TraceId, otlp, schema};
use query::result::{Skeleton, SkeletonRow, flag};
use semconv::{Meaning, NodeKind};
use std::collections::{HashMap, HashSet};

/// A table of texts; entry 0 is empty.
pub struct Texts {
    texts: Vec<String>,
    index: HashMap<String, u32>,
}

impl Texts {
    pub fn new() -> Self {
        Self { texts: vec![String::new()], index: HashMap::from([(String::new(), 0)]) }
    }

    pub fn get(&self, number: u32) -> Option<&str> {
        self.texts.get(number as usize).map(String::as_str)
    }

    /// The text's number.
    pub fn add(&mut self, text: &str) -> u32 {
        if let Some(known) = self.index.get(text) {
            return *known;
        }
        let next = u32::try_from(self.texts.len()).unwrap_or(0);
        self.texts.push(text.to_owned());
        self.index.insert(text.to_owned(), next);
        next
    }
}

struct Tables {
    names: Texts,
    services: Texts,
    agents: Texts,
    subjects: Texts,
}

/// The skeleton of these rows; `logged` are the spans that log records point to.
pub fn build(
    trace_id: TraceId,
    rows: &TraceRows,
    prices: &PriceTable,
    logged: &HashSet<SpanId>,
) -> Option<Skeleton> {
    let batches: Vec<_> = rows.batches.iter().map(SpanBatch::new).collect();
    let mut tables =
        Tables { names: Texts::new(), services: Texts::new(), agents: Texts::new(), subjects: Texts::new() };
    let mut spans: Vec<(SkeletonRow, Option<SpanId>)> = Vec::new();
    for (batch, row) in rows.distinct() {
        spans.push(read(&batches[batch], row, (prices, logged), &mut tables));
    }
    let start = spans.iter().map(|(row, _)| row.start).min()?;
    let rows = depth_first(spans);
    let orphans = rows.iter().filter(|row| row.flags & flag::ORPHAN != 0).count() as u64;
    Some(Skeleton {
        trace_id,
        start,
        names: tables.names.texts,
        services: tables.services.texts,
        agents: tables.agents.texts,
        subjects: tables.subjects.texts,
        rows,
        orphans,
    })
}

fn read(
    batch: &SpanBatch<'_>,
    row: usize,
    (prices, logged): (&PriceTable, &HashSet<SpanId>),
    tables: &mut Tables,
) -> (SkeletonRow, Option<SpanId>) {
    let (columns, span) = (&batch.columns, batch.row(row));
    let kind = span.kind();
    let sent_id = SpanId(columns.id(schema::SPAN_ID, row).unwrap_or_default());
    let sent_parent = columns.id(schema::PARENT_SPAN_ID, row).map(SpanId);
    let stands_for = span.stands_for();
    let (span_id, parent) = stands_for.unwrap_or((sent_id, sent_parent));
    let subject = kind.subject().and_then(|meaning| span.meaning(meaning)).unwrap_or_default();
    let start = Timestamp(columns.uint64(schema::START, row).unwrap_or_default());
    let call = account::call(&span, span_id, start, prices);
    let tokens = call.as_ref().map_or(0, |call| call.usage.total());
    let ended = if stands_for.is_none() { columns.uint64(schema::END, row) } else { None };
    let end = ended.unwrap_or_default();
    let mut flags = if logged.contains(&span_id) { flag::LOGS } else { 0 };
    if let Some(events) = columns.bytes(schema::EVENTS, row) {
        flags |= flag::EVENTS;
        if otlp::events(events).iter().any(|event| event.name == "exception") {
            flags |= flag::EXCEPTION;
        }
    }
    if columns.bytes(schema::LINKS, row).is_some() {
        flags |= flag::LINKS;
    }
    if end == 0 {
        flags |= flag::RUNNING;
    }
    if span.has_meaning(Meaning::InputMessages) {
        flags |= flag::CONTENT;
    }
    #[expect(clippy::cast_possible_truncation, reason = "dollars need no more digits than f32 has")]
    let cost = call.as_ref().and_then(account::cost).map_or(f32::NAN, |cost| cost as f32);
    let skeleton = SkeletonRow {
        span_id,
        start,
        end: Timestamp(end),
        name: tables.names.add(columns.text(schema::NAME, row).unwrap_or_default()),
        service: tables.services.add(columns.text(schema::SERVICE, row).unwrap_or_default()),
        agent: tables.agents.add(&span.meaning(Meaning::Agent).unwrap_or_default()),
        subject: tables.subjects.add(&subject),
        kind: kind as u8,
        status: u8::try_from(columns.int32(schema::STATUS_CODE, row)).unwrap_or(0),
        flags,
        tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
        cost,
        ..SkeletonRow::default()
    };
    (skeleton, parent)
}

/// Parents before children, children by start; the agent of a span without one is its parent's.
fn depth_first(mut spans: Vec<(SkeletonRow, Option<SpanId>)>) -> Vec<SkeletonRow> {
    spans.sort_by_key(|(row, _)| (row.start, row.span_id));
    let places: HashMap<SpanId, usize> =
        spans.iter().enumerate().map(|(place, (row, _))| (row.span_id, place)).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    let mut parents = vec![None; spans.len()];
    let mut roots = Vec::new();
    for (place, (row, parent)) in spans.iter_mut().enumerate() {
        match parent.as_ref().map(|parent| places.get(parent).copied()) {
            Some(Some(parent)) if parent != place => {
                parents[place] = Some(parent);
                children[parent].push(place);
            }
            None => roots.push(place),
            Some(_) => {
                row.flags |= flag::ORPHAN;
                roots.push(place);
            }
        }
    }
    let mut walk = Walk { spans, children, placed: Vec::new(), seen: HashSet::new() };
    for root in roots {
        walk.descend(root);
    }
    // What is left goes in circles, or hangs on one: each circle starts at its first span.
    for circle in circles(&walk, &parents) {
        for place in &circle {
            walk.spans[*place].0.flags |= flag::ORPHAN;
        }
        walk.descend(circle.into_iter().min().unwrap_or_default());
    }
    walk.placed
}

/// The spans that are their own ancestors, circle by circle.
fn circles(walk: &Walk, parents: &[Option<usize>]) -> Vec<Vec<usize>> {
    let mut visits: HashMap<usize, usize> = HashMap::new();
    let mut circles = Vec::new();
    for start in (0..walk.spans.len()).filter(|place| !walk.seen.contains(place)) {
        let mut path = Vec::new();
        let mut place = start;
        while !visits.contains_key(&place) {
            visits.insert(place, start);
            path.push(place);
            place = parents[place].unwrap_or(place);
        }
        if visits.get(&place) == Some(&start) {
            let first = path.iter().position(|known| *known == place).unwrap_or_default();
            circles.push(path.split_off(first));
        }
    }
    circles
}

struct Walk {
    spans: Vec<(SkeletonRow, Option<SpanId>)>,
    children: Vec<Vec<usize>>,
    placed: Vec<SkeletonRow>,
    seen: HashSet<usize>,
}

impl Walk {
    fn descend(&mut self, root: usize) {
        let mut waiting: Vec<(usize, Option<u32>)> = vec![(root, None)];
        while let Some((place, parent)) = waiting.pop() {
            if !self.seen.insert(place) {
                continue;
            }
            let mut row = self.spans[place].0;
            row.parent = parent;
            if let Some(parent) = parent.and_then(|parent| self.placed.get(parent as usize)) {
                row.depth = parent.depth.saturating_add(1);
                if row.agent == 0 {
                    row.agent = parent.agent;
                }
            }
            let number = u32::try_from(self.placed.len()).unwrap_or(u32::MAX);
            self.placed.push(row);
            waiting.extend(self.children[place].iter().rev().map(|child| (*child, Some(number))));
        }
    }
}

/// The kind that a row of a skeleton says.
pub fn kind_of(row: &SkeletonRow) -> NodeKind {
    NodeKind::ALL.get(usize::from(row.kind)).copied().unwrap_or_default()
}
