//! When a span is listed, and why. `docs/api.md` has these rules in words.

use super::report::Report;
use super::seen::{CONSUMER, INTERNAL, SERVER, Seen, SeenSpans, find};
use super::within::probable_parents;
use model::{SpanId, Timestamp, TraceId};
use query::FindingsRequest;
use query::findings::{FindingKind, FindingsResult};
use std::collections::{HashMap, HashSet};

/// Clocks of two services that are less apart than this are not spoken of; nanoseconds.
pub const SKEW: u64 = 1_000_000;
/// So many spans must have a parent before a root among them is suspicious ...
const ENOUGH: u64 = 3;

/// How many spans there are, and how many of them have a parent.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    spans: u64,
    with_parent: u64,
}

impl Count {
    fn add(&mut self, span: &Seen) {
        self.spans += 1;
        self.with_parent += u64::from(span.parent.is_some());
    }

    /// ... and three quarters of all.
    const fn mostly_has_parents(self) -> bool {
        self.with_parent >= ENOUGH && self.with_parent * 4 >= self.spans * 3
    }
}

/// The requests that a service answered.
#[derive(Debug, Clone, Copy, Default)]
struct Answered {
    count: Count,
    /// Those whose operation has no other span.
    single: u64,
}

impl Answered {
    /// Whether names tell requests apart rather than operations, as `GET /orders/17` does.
    const fn has_names_of_requests(self) -> bool {
        self.single * 2 >= self.count.spans
    }
}

/// Parents that are not among the spans looked at, of one trace.
pub struct Missing {
    pub trace: TraceId,
    pub parents: Vec<SpanId>,
    newest: Timestamp,
}

/// The spans looked at, and what is known of all of them together.
pub struct Evidence {
    pub seen: SeenSpans,
    /// The newest trace first.
    pub missing: Vec<Missing>,
    operations: Vec<Count>,
    /// Of the spans of servers, by service.
    servers: HashMap<u32, Answered>,
}

impl Evidence {
    pub fn new(mut seen: SeenSpans) -> Self {
        seen.settle();
        let mut operations = vec![Count::default(); seen.operations.len()];
        let mut servers: HashMap<u32, Answered> = HashMap::new();
        let mut missing = Vec::new();
        for trace in seen.traces() {
            for span in trace {
                if let Some(count) = operations.get_mut(span.operation as usize) {
                    count.add(span);
                }
                if let Some(key) = seen.key(span).filter(|key| key.kind == SERVER) {
                    servers.entry(key.service).or_default().count.add(span);
                }
            }
            missing.extend(missing_parents(trace));
        }
        let singles = seen.operations.iter().zip(&operations).filter(|(_, count)| count.spans == 1);
        for (key, _) in singles {
            if let Some(answered) = servers.get_mut(&key.service).filter(|_| key.kind == SERVER) {
                answered.single += 1;
            }
        }
        missing.sort_by_key(|missing| std::cmp::Reverse(missing.newest));
        Self { seen, missing, operations, servers }
    }

    fn count(&self, span: &Seen) -> Count {
        self.operations.get(span.operation as usize).copied().unwrap_or_default()
    }

    /// Why a root should have had a parent, by what others like it have.
    fn unlike_others(&self, root: &Seen) -> Option<String> {
        let own = self.count(root);
        if own.mostly_has_parents() {
            let Count { spans, with_parent } = own;
            return Some(format!(
                "it begins a trace, while {with_parent} of the {spans} spans of this operation go on with one"
            ));
        }
        let key = self.seen.key(root).filter(|key| key.kind == SERVER)?;
        let answered = self.servers.get(&key.service)?;
        let Count { spans, with_parent } = answered.count;
        let is_unlike =
            own.spans == 1 && answered.has_names_of_requests() && answered.count.mostly_has_parents();
        is_unlike.then(|| {
            format!(
                "it begins a trace, while {with_parent} of the {spans} requests that its service answered go on with \
                 their caller's"
            )
        })
    }
}

fn missing_parents(trace: &[Seen]) -> Option<Missing> {
    let mut parents: Vec<SpanId> = trace.iter().filter_map(|span| span.parent).collect();
    parents.sort_unstable();
    parents.dedup();
    parents.retain(|parent| find(trace, *parent).is_none());
    let first = trace.first().filter(|_| !parents.is_empty())?;
    let newest = trace.iter().map(|span| span.start).max().unwrap_or_default();
    Some(Missing { trace: first.trace, parents, newest })
}

/// What the traces that lack parents have beyond the spans looked at.
#[derive(Default)]
pub struct Elsewhere {
    pub found: HashSet<(TraceId, SpanId)>,
    /// When the last of a trace's spans ended.
    pub last: HashMap<TraceId, Timestamp>,
    pub unread: HashSet<TraceId>,
}

impl Elsewhere {
    /// Whether it is certain that this parent is not stored.
    fn lacks(&self, trace: TraceId, parent: SpanId) -> bool {
        !self.unread.contains(&trace) && !self.found.contains(&(trace, parent))
    }
}

/// Holds every span against the rules.
pub fn judge(evidence: &Evidence, elsewhere: &Elsewhere, request: &FindingsRequest) -> FindingsResult {
    let report = Report::new(&evidence.seen, request);
    let mut judge = Judge { evidence, elsewhere, settled: request.settled, report, lone: Vec::new() };
    evidence.seen.traces().for_each(|trace| judge.trace(trace));
    judge.lone_roots();
    let count = |operation: u32| evidence.operations.get(operation as usize);
    judge.report.finish(|operation| count(operation).map_or(0, |count| count.spans))
}

struct Judge<'j> {
    evidence: &'j Evidence,
    elsewhere: &'j Elsewhere,
    settled: Timestamp,
    report: Report<'j>,
    /// Internal roots that are not unlike others of their operation.
    lone: Vec<&'j Seen>,
}

impl<'j> Judge<'j> {
    fn trace(&mut self, trace: &'j [Seen]) {
        let last = trace.iter().map(|span| span.end.unwrap_or_default().max(span.start)).max();
        let beyond = trace.first().and_then(|span| self.elsewhere.last.get(&span.trace).copied());
        let is_settled = last.max(beyond) <= Some(self.settled);
        for span in trace {
            if let Some(why) = span.broken {
                self.report.add(FindingKind::BrokenChain, span, || why.to_owned());
            }
            match span.parent.map(|parent| (parent, find(trace, parent))) {
                None => self.root(span),
                Some((_, Some(parent))) => self.clocks(span, parent),
                Some((parent, None)) if is_settled && self.elsewhere.lacks(span.trace, parent) => {
                    self.report.add(FindingKind::Orphan, span, || orphan(parent));
                }
                Some(_) => {}
            }
        }
    }

    fn root(&mut self, root: &'j Seen) {
        let kind = self.evidence.seen.key(root).map(|key| key.kind);
        // It says itself where it comes from, or is listed for another reason.
        if root.linked || root.broken.is_some() || kind == Some(CONSUMER) {
            return;
        }
        match self.evidence.unlike_others(root) {
            Some(why) => self.report.add(FindingKind::SuspiciousRoot, root, || why),
            None if kind == Some(INTERNAL) && !root.begins => self.lone.push(root),
            None => {}
        }
    }

    fn clocks(&mut self, span: &Seen, parent: &Seen) {
        let seen = &self.evidence.seen;
        let before = parent.start.0.saturating_sub(span.start.0);
        if before > SKEW && seen.service(parent) != seen.service(span) {
            let milliseconds = before / 1_000_000;
            self.report.add(FindingKind::ClockSkew, span, || {
                format!("it starts {milliseconds} ms before its parent, which {} sent", seen.service(parent))
            });
        }
    }

    fn lone_roots(&mut self) {
        let seen = &self.evidence.seen;
        for (root, parent) in probable_parents(seen, &self.lone) {
            self.report.add(FindingKind::SuspiciousRoot, root, || {
                let (name, id) = (seen.name(parent), parent.id);
                format!(
                    "it begins a trace within {name:?} ({id}), while nothing else was at work in that process"
                )
            });
        }
    }
}

fn orphan(parent: SpanId) -> String {
    format!(
        "its parent {parent} never came: who started it does not send its spans here, or did not sample them"
    )
}
