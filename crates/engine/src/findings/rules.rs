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

    /// Spans that begin traces by nature.
    const fn never_has_parents(self) -> bool {
        self.with_parent == 0 && self.spans >= ENOUGH
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
    servers: HashMap<u32, Count>,
}

impl Evidence {
    pub fn new(mut seen: SeenSpans) -> Self {
        seen.settle();
        let mut operations = vec![Count::default(); seen.operations.len()];
        let mut servers: HashMap<u32, Count> = HashMap::new();
        let mut missing = Vec::new();
        for trace in seen.traces() {
            for span in trace {
                if let Some(count) = operations.get_mut(span.operation as usize) {
                    count.add(span);
                }
                if let Some(key) = seen.key(span).filter(|key| key.kind == SERVER) {
                    servers.entry(key.service).or_default().add(span);
                }
            }
            missing.extend(missing_parents(trace));
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
        let service = self.servers.get(&key.service).filter(|count| count.mostly_has_parents())?;
        let Count { spans, with_parent } = service;
        (!own.never_has_parents()).then(|| {
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
    pub unread_traces: HashSet<TraceId>,
    pub unread: usize,
}

impl Elsewhere {
    /// Whether it is certain that this parent is not stored.
    fn lacks(&self, trace: TraceId, parent: SpanId) -> bool {
        !self.unread_traces.contains(&trace) && !self.found.contains(&(trace, parent))
    }
}

/// Holds every span against the rules.
pub fn judge(evidence: &Evidence, elsewhere: &Elsewhere, request: &FindingsRequest) -> FindingsResult {
    let seen = &evidence.seen;
    let mut report = Report::new(seen, request);
    let mut lone = Vec::new();
    for trace in seen.traces() {
        let last = trace.iter().map(|span| span.end.unwrap_or_default().max(span.start)).max();
        let last = last.max(trace.first().and_then(|span| elsewhere.last.get(&span.trace).copied()));
        let is_settled = last <= Some(request.settled);
        for span in trace {
            if let Some(why) = span.broken {
                report.add(FindingKind::BrokenChain, span, || why.to_owned());
            }
            match span.parent {
                Some(parent) => match find(trace, parent) {
                    Some(parent) => clocks(&mut report, seen, span, parent),
                    None if is_settled && elsewhere.lacks(span.trace, parent) => {
                        report.add(FindingKind::Orphan, span, || orphan(parent));
                    }
                    None => {}
                },
                None if is_told_otherwise(seen, span) => {}
                None => match evidence.unlike_others(span) {
                    Some(why) => report.add(FindingKind::SuspiciousRoot, span, || why),
                    None => lone.push(span),
                },
            }
        }
    }
    lone.retain(|root| seen.key(root).is_some_and(|key| key.kind == INTERNAL) && !root.begins);
    for (root, parent) in probable_parents(seen, &lone) {
        report.add(FindingKind::SuspiciousRoot, root, || {
            format!(
                "it begins a trace within {:?} ({}), while nothing else was at work in that process",
                seen.name(parent),
                parent.id
            )
        });
    }
    let of = |operation: u32| evidence.operations.get(operation as usize).map_or(0, |count| count.spans);
    report.finish(of)
}

/// Whether a root says itself where it comes from, or is listed for another reason.
fn is_told_otherwise(seen: &SeenSpans, root: &Seen) -> bool {
    root.linked || root.broken.is_some() || seen.key(root).is_some_and(|key| key.kind == CONSUMER)
}

fn clocks(report: &mut Report<'_>, seen: &SeenSpans, span: &Seen, parent: &Seen) {
    let before = parent.start.0.saturating_sub(span.start.0);
    if before > SKEW && seen.service(parent) != seen.service(span) {
        let why = || {
            let milliseconds = before / 1_000_000;
            format!("it starts {milliseconds} ms before its parent, which {} sent", seen.service(parent))
        };
        report.add(FindingKind::ClockSkew, span, why);
    }
}

fn orphan(parent: SpanId) -> String {
    format!(
        "its parent {parent} never came: who started it does not send its spans here, or did not sample them"
    )
}
