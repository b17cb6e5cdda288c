//! A whole trace without bodies, in depth-first order: iterative, for traces may be deeper than any stack.

use crate::outline::{Outline, Outlined};
use model::{SpanId, TraceId};
use query::result::{Skeleton, SkeletonRow, flag};
use semconv::NodeKind;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A table of texts; entry 0 is empty.
pub struct Texts {
    texts: Vec<Arc<str>>,
    index: HashMap<Arc<str>, u32>,
    bytes: u64,
}

/// What a text takes beside its characters.
const TEXT_BYTES: usize = 80;

impl Texts {
    pub fn new() -> Self {
        let empty: Arc<str> = Arc::from("");
        Self { texts: vec![Arc::clone(&empty)], index: HashMap::from([(empty, 0)]), bytes: 0 }
    }

    pub fn get(&self, number: u32) -> Option<&str> {
        self.texts.get(number as usize).map(|text| &**text)
    }

    pub fn shared(&self, number: u32) -> Option<Arc<str>> {
        self.texts.get(number as usize).map(Arc::clone)
    }

    /// The text's number.
    pub fn add(&mut self, text: &str) -> u32 {
        if let Some(known) = self.index.get(text) {
            return *known;
        }
        let next = u32::try_from(self.texts.len()).unwrap_or(0);
        let shared: Arc<str> = Arc::from(text);
        self.texts.push(Arc::clone(&shared));
        self.index.insert(shared, next);
        self.bytes += (text.len() + TEXT_BYTES) as u64;
        next
    }

    /// In memory.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The texts, in their order, which are gone then.
    fn take(&mut self) -> Vec<String> {
        self.index = HashMap::new();
        std::mem::take(&mut self.texts).into_iter().map(|text| text.to_string()).collect()
    }
}

/// The skeleton of an outline that is settled; `logged` are the spans that log records point to.
pub fn build(trace_id: TraceId, mut outline: Outline, logged: &HashSet<SpanId>) -> Option<Skeleton> {
    let mut rows = depth_first(&outline.spans);
    outline.spans = Vec::new();
    let start = rows.iter().map(|row| row.start).min()?;
    for row in rows.iter_mut().filter(|row| logged.contains(&row.span_id)) {
        row.flags |= flag::LOGS;
    }
    let orphans = rows.iter().filter(|row| row.flags & flag::ORPHAN != 0).count() as u64;
    let tables = &mut outline.tables;
    Some(Skeleton {
        trace_id,
        start,
        names: tables.names.take(),
        services: tables.services.take(),
        agents: tables.agents.take(),
        subjects: tables.subjects.take(),
        rows,
        orphans,
        ..Skeleton::default()
    })
}

/// No place.
const NONE: u32 = u32::MAX;

fn index(place: u32) -> usize {
    place as usize
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NONE)
}

/// Parents before children, children by start; the agent of a span without one is its parent's.
pub fn depth_first(spans: &[Outlined]) -> Vec<SkeletonRow> {
    let mut order: Vec<u32> = (0..number(spans.len())).collect();
    order.sort_unstable_by_key(|place| {
        spans.get(index(*place)).map(|span| (span.row.start, span.row.span_id))
    });
    let sorted = |place: usize| order.get(place).and_then(|place| spans.get(index(*place)));
    let mut walk = Walk::new(order.len());
    let places: HashMap<SpanId, u32> =
        (0..order.len()).filter_map(|place| Some((sorted(place)?.row.span_id, number(place)))).collect();
    let mut roots = Vec::new();
    for place in 0..order.len() {
        let parent = sorted(place).and_then(|span| span.parent);
        match parent.map(|parent| places.get(&parent).copied()) {
            Some(Some(parent)) if index(parent) != place => walk.parents[place] = parent,
            None => roots.push(place),
            Some(_) => {
                walk.orphans[place] = true;
                roots.push(place);
            }
        }
    }
    drop(places);
    walk.list_children();
    let row = |place: usize| sorted(place).map(|span| span.row).unwrap_or_default();
    for root in roots {
        walk.descend(root, &row);
    }
    // What is left goes in circles, or hangs on one: each circle starts at its first span.
    for circle in walk.circles() {
        for place in &circle {
            walk.orphans[*place] = true;
        }
        walk.descend(circle.into_iter().min().unwrap_or_default(), &row);
    }
    walk.placed
}

/// Places are those in the order of start.
struct Walk {
    parents: Vec<u32>,
    orphans: Vec<bool>,
    /// The children of all, those of one after each other ...
    children: Vec<u32>,
    /// ... and where those of each begin.
    begins: Vec<u32>,
    placed: Vec<SkeletonRow>,
    seen: Vec<bool>,
}

impl Walk {
    fn new(spans: usize) -> Self {
        Self {
            parents: vec![NONE; spans],
            orphans: vec![false; spans],
            children: Vec::new(),
            begins: Vec::new(),
            placed: Vec::with_capacity(spans),
            seen: vec![false; spans],
        }
    }

    fn list_children(&mut self) {
        let spans = self.parents.len();
        self.begins = vec![0; spans + 1];
        for parent in self.parents.iter().filter(|parent| **parent != NONE) {
            self.begins[index(*parent) + 1] += 1;
        }
        for place in 0..spans {
            self.begins[place + 1] += self.begins[place];
        }
        let mut next = self.begins.clone();
        self.children = vec![NONE; index(self.begins[spans])];
        for place in 0..spans {
            let parent = self.parents[place];
            if parent != NONE {
                let at = &mut next[index(parent)];
                self.children[index(*at)] = number(place);
                *at += 1;
            }
        }
    }

    /// The spans that are their own ancestors, circle by circle.
    fn circles(&self) -> Vec<Vec<usize>> {
        let mut visits: HashMap<usize, usize> = HashMap::new();
        let mut circles = Vec::new();
        for start in (0..self.parents.len()).filter(|place| !self.seen[*place]) {
            let mut path = Vec::new();
            let mut place = start;
            while !visits.contains_key(&place) {
                visits.insert(place, start);
                path.push(place);
                place = if self.parents[place] == NONE { place } else { index(self.parents[place]) };
            }
            if visits.get(&place) == Some(&start) {
                let first = path.iter().position(|known| *known == place).unwrap_or_default();
                circles.push(path.split_off(first));
            }
        }
        circles
    }

    fn descend(&mut self, root: usize, row: &dyn Fn(usize) -> SkeletonRow) {
        let mut waiting: Vec<(u32, Option<u32>)> = vec![(number(root), None)];
        while let Some((place, parent)) = waiting.pop() {
            let place = index(place);
            if std::mem::replace(&mut self.seen[place], true) {
                continue;
            }
            let mut row = row(place);
            row.parent = parent;
            if self.orphans[place] {
                row.flags |= flag::ORPHAN;
            }
            if let Some(parent) = parent.and_then(|parent| self.placed.get(parent as usize)) {
                row.depth = parent.depth.saturating_add(1);
                if row.agent == 0 {
                    row.agent = parent.agent;
                }
            }
            let placed = number(self.placed.len());
            self.placed.push(row);
            let own = index(self.begins[place])..index(self.begins[place + 1]);
            waiting.extend(self.children[own].iter().rev().map(|child| (*child, Some(placed))));
        }
    }
}

/// The kind that a row of a skeleton says.
pub fn kind_of(row: &SkeletonRow) -> NodeKind {
    NodeKind::ALL.get(usize::from(row.kind)).copied().unwrap_or_default()
}
