//! Roots that began while one span of the same process waited and nothing else was at work there: probably its
//! children, started without its context.

use super::seen::{Seen, SeenSpans};
use model::{SpanId, Timestamp, TraceId};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

/// So many spans that start while a root runs are looked through; with more, the process was busy.
const MOST_DURING: usize = 1_000;

/// Each of these roots with the span that probably began it. An operation of which one root cannot be explained so
/// begins traces by nature, and none of it is given.
pub fn probable_parents<'s>(seen: &'s SeenSpans, roots: &[&'s Seen]) -> Vec<(&'s Seen, &'s Seen)> {
    let resources: HashSet<u64> = roots.iter().map(|root| root.resource).collect();
    let has_ended = |span: &Seen| span.end > Some(span.start);
    let mut spans: Vec<&Seen> =
        seen.spans.iter().filter(|span| resources.contains(&span.resource) && has_ended(span)).collect();
    spans.sort_by_key(|span| (span.resource, span.start, Reverse(span.end)));
    let mut found = Found {
        wanted: roots.iter().map(|root| (root.trace, root.id)).collect(),
        refused: roots.iter().filter(|root| !has_ended(root)).map(|root| root.operation).collect(),
        pairs: Vec::new(),
        adopted: HashSet::new(),
    };
    for process in spans.chunk_by(|left, right| left.resource == right.resource) {
        found.walk(process);
    }
    let Found { mut pairs, refused, .. } = found;
    pairs.retain(|(root, _)| !refused.contains(&root.operation));
    pairs
}

struct Found<'s> {
    wanted: HashSet<(TraceId, SpanId)>,
    /// Operations.
    refused: HashSet<u32>,
    pairs: Vec<(&'s Seen, &'s Seen)>,
    /// Traces that such roots began.
    adopted: HashSet<TraceId>,
}

/// The spans that run at a moment, the one that ends first on top.
#[derive(Default)]
struct Open {
    spans: BinaryHeap<(Reverse<Option<Timestamp>>, usize)>,
    traces: HashMap<TraceId, usize>,
}

impl Open {
    fn begin(&mut self, place: usize, span: &Seen) {
        self.spans.push((Reverse(span.end), place));
        *self.traces.entry(span.trace).or_default() += 1;
    }

    fn end_until(&mut self, moment: Timestamp, process: &[&Seen]) {
        while self.spans.peek().is_some_and(|(Reverse(end), _)| *end <= Some(moment)) {
            let ended = self.spans.pop().and_then(|(_, place)| process.get(place));
            let trace = ended.map(|span| span.trace).unwrap_or_default();
            match self.traces.get_mut(&trace) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.traces.remove(&trace)),
            }
        }
    }
}

impl<'s> Found<'s> {
    /// Goes through the spans of one process as they began.
    fn walk(&mut self, process: &[&'s Seen]) {
        let mut open = Open::default();
        for (place, span) in process.iter().enumerate() {
            open.end_until(span.start, process);
            if self.wanted.contains(&(span.trace, span.id)) && !self.refused.contains(&span.operation) {
                match self.around(process, place, &open) {
                    Some(parent) => {
                        self.adopted.insert(span.trace);
                        self.pairs.push((span, parent));
                    }
                    None => drop(self.refused.insert(span.operation)),
                }
            }
            open.begin(place, span);
        }
    }

    /// The innermost span around a root, when that one's trace alone was at work and it did nothing else meanwhile.
    fn around(&self, process: &[&'s Seen], place: usize, open: &Open) -> Option<&'s Seen> {
        let root = *process.get(place)?;
        let mut at_work = open.traces.keys().filter(|trace| !self.adopted.contains(trace));
        let (trace, None) = (*at_work.next()?, at_work.next()) else { return None };
        let running = || open.spans.iter().filter_map(|(_, place)| process.get(*place).copied());
        let holds =
            |span: &&Seen| span.trace == trace && span.end >= root.end && span.operation != root.operation;
        let parent = running().filter(holds).max_by_key(|span| span.start)?;
        let mut during =
            process.get(place + 1..)?.iter().copied().take_while(|span| Some(span.start) < root.end);
        let mut later = during.by_ref().take(MOST_DURING);
        let is_its_child = |span: &Seen| span.trace == trace && span.parent == Some(parent.id);
        let was_busy = running().any(is_its_child) || later.any(is_its_child) || during.next().is_some();
        (!was_busy).then_some(parent)
    }
}
