//! A trace as the run of an agent: how it ended, where its time went, what is wrong with it.

use crate::account::{self, Accounts};
use crate::findings::SKEW;
use crate::outline::{CALLS, Outline, Outlined};
use crate::row::SpanBatch;
use crate::skeleton;
use crate::trace::TraceRows;
use model::{SpanId, Timestamp, TraceId, Value, otlp, schema};
use query::findings::FindingKind;
use query::result::{Skeleton, SkeletonRow, flag};
use query::run::{Account, Call, Failure, Finding, Part, Retry, Run, RunState, Segment, Waits};
use semconv::NodeKind;
use semconv::node_kind::Attributes;
use std::collections::{HashMap, HashSet};

/// Of one kind, no more are told one by one.
const MOST_FINDINGS: usize = 50;

/// What a trace, of which the outline is settled, says of the run; `None` when there is no span. What failed first is
/// told without what its row says of that.
pub fn build(trace_id: TraceId, mut outline: Outline) -> Option<Run> {
    let accounts = Accounts::of(&mut outline);
    let broken = broken_chains(&outline.spans);
    let skeleton = skeleton::build(trace_id, outline, &HashSet::new())?;
    let tree = Tree::new(&skeleton);
    let failing = first_failing(&skeleton.rows);
    let root = tree.root.and_then(|root| skeleton.rows.get(root));
    let running = skeleton.rows.iter().any(|row| row.flags & flag::RUNNING != 0);
    let state = match (running, failing, root.is_some_and(|root| root.status == 2)) {
        (true, _, _) => RunState::Running,
        (_, None, _) => RunState::Succeeded,
        (_, Some(_), true) => RunState::Failed,
        (_, Some(_), false) => RunState::Recovered,
    };
    let said = || accounts.nodes.iter().filter_map(|node| node.call.as_deref());
    let calls: Vec<Call> = said().take(CALLS).cloned().collect();
    let (told, all) = (calls.len(), said().count());
    let incomplete =
        (told < all).then(|| format!("only {told} of {all} calls of models are told one by one"));
    Some(Run {
        trace_id,
        state,
        total: accounts.total(),
        by_model: grouped(&accounts, |_, call| call.model.clone()),
        by_agent: grouped(&accounts, |node, _| node.agent.as_deref().map(str::to_owned)),
        first_failure: failing.map(|row| failure(&skeleton, row)),
        critical_path: tree.critical_path(),
        retries: retries(&skeleton.rows),
        waits: waits(&skeleton.rows),
        findings: [broken, findings(&skeleton)].concat(),
        calls,
        incomplete,
        ..Run::default()
    })
}

fn grouped(
    accounts: &Accounts,
    group: impl Fn(&account::Node, &query::run::Call) -> Option<String>,
) -> Vec<(String, Account)> {
    let mut groups: HashMap<String, Account> = HashMap::new();
    for (node, call) in accounts.counted() {
        account::add(groups.entry(group(node, call).unwrap_or_default()).or_default(), call);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    let worth = |account: &Account| account.cost.unwrap_or(0.0);
    groups
        .sort_by(|left, right| worth(&right.1).total_cmp(&worth(&left.1)).then_with(|| left.0.cmp(&right.0)));
    groups
}

/// The span that failed while none below it did; of several, the one that ended first.
fn first_failing(rows: &[SkeletonRow]) -> Option<&SkeletonRow> {
    let mut failed_below = vec![false; rows.len()];
    // Parents come before their children.
    for place in (0..rows.len()).rev() {
        let Some(row) = rows.get(place) else { continue };
        let failed = row.status == 2 || failed_below.get(place) == Some(&true);
        if let Some(below) = row.parent.and_then(|parent| failed_below.get_mut(parent as usize)) {
            *below |= failed;
        }
    }
    let leaves = rows.iter().zip(&failed_below).filter(|(row, below)| row.status == 2 && !**below);
    leaves.map(|(row, _)| row).min_by_key(|row| (row.end, row.start))
}

fn failure(skeleton: &Skeleton, row: &SkeletonRow) -> Failure {
    let failures = skeleton.rows.iter().filter(|row| row.status == 2).count() as u64;
    Failure {
        span_id: row.span_id,
        name: skeleton.names.get(row.name as usize).cloned().unwrap_or_default(),
        kind: skeleton::kind_of(row),
        failures,
        ..Failure::default()
    }
}

/// Completes a failure by what its row says; `rows` have its span.
pub fn explain(failure: &mut Failure, rows: &TraceRows) {
    for rows in rows.current() {
        let batch = SpanBatch::new(&rows);
        let ids = (0..rows.num_rows())
            .find(|place| batch.columns.id(schema::SPAN_ID, *place).map(SpanId) == Some(failure.span_id));
        let Some(place) = ids else { continue };
        failure.message = batch.columns.text(schema::STATUS_MESSAGE, place).unwrap_or_default().to_owned();
        failure.error_type = batch.row(place).text("error.type").map(str::to_owned);
        let events = batch.columns.bytes(schema::EVENTS, place).map(otlp::events).unwrap_or_default();
        let exception = events.into_iter().find(|event| event.name == "exception");
        for attribute in exception.into_iter().flat_map(|event| event.attributes) {
            match (attribute.key.as_str(), attribute.value) {
                ("exception.type", Value::String(text)) => {
                    failure.error_type.get_or_insert(text);
                }
                ("exception.message", Value::String(text)) if failure.message.is_empty() => {
                    failure.message = text;
                }
                _ => {}
            }
        }
    }
}

/// The spans of a trace as a tree with ends.
struct Tree<'s> {
    rows: &'s [SkeletonRow],
    /// By the end, the last first.
    children: Vec<Vec<usize>>,
    root: Option<usize>,
}

/// A span on the way back in time: up to where it is done, and which child is next.
struct Frame {
    place: usize,
    start: u64,
    cursor: u64,
    next: usize,
}

impl<'s> Tree<'s> {
    fn new(skeleton: &'s Skeleton) -> Self {
        let rows = skeleton.rows.as_slice();
        let mut children = vec![Vec::new(); rows.len()];
        for (place, row) in rows.iter().enumerate() {
            if let Some(siblings) = row.parent.and_then(|parent| children.get_mut(parent as usize)) {
                siblings.push(place);
            }
        }
        for siblings in &mut children {
            siblings.sort_by_key(|place| std::cmp::Reverse(rows.get(*place).map(|row| (row.end, row.start))));
        }
        let is_root = |row: &&SkeletonRow| row.parent.is_none() && row.flags & flag::ORPHAN == 0;
        let roots = rows.iter().enumerate().filter(|(_, row)| is_root(row));
        let any = || rows.iter().enumerate().min_by_key(|(_, row)| row.start);
        let root = roots.min_by_key(|(_, row)| row.start).or_else(any).map(|(place, _)| place);
        Self { rows, children, root }
    }

    /// What the root's time was spent on, back from its end: at each moment the child that ended last before it, and
    /// between children the span itself. Without recursion, for traces may be deeper than any stack.
    fn critical_path(&self) -> Vec<Segment> {
        let mut path = Vec::new();
        let Some(root) = self.root else { return path };
        let Some(row) = self.rows.get(root).filter(|row| row.end > row.start) else { return path };
        let mut stack = vec![Frame { place: root, start: row.start.0, cursor: row.end.0, next: 0 }];
        while let Some(frame) = stack.last_mut() {
            let child = self.children.get(frame.place).and_then(|children| children.get(frame.next));
            frame.next += 1;
            let Some(child) = child else {
                self.segment(&mut path, frame.place, frame.start, frame.cursor);
                stack.pop();
                continue;
            };
            let Some(row) = self.rows.get(*child) else { continue };
            // What is outside of the parent's time, or beside a child that is on the path, is not waited for.
            let (start, end) = (row.start.0.max(frame.start), row.end.0.min(frame.cursor));
            if start >= end {
                continue;
            }
            self.segment(&mut path, frame.place, end, frame.cursor);
            frame.cursor = start;
            let frame = Frame { place: *child, start, cursor: end, next: 0 };
            stack.push(frame);
        }
        path.reverse();
        path
    }

    fn segment(&self, path: &mut Vec<Segment>, place: usize, start: u64, end: u64) {
        if let Some(row) = self.rows.get(place).filter(|_| end > start) {
            // The root's own work is that of the program that was asked, not of one that it asks.
            let is_root = self.root == Some(place);
            let part = match part_of(skeleton::kind_of(row)) {
                Part::Tool | Part::Wait if is_root => Part::Gap,
                part => part,
            };
            path.push(Segment { span_id: row.span_id, start: Timestamp(start), length: end - start, part });
        }
    }
}

const fn part_of(kind: NodeKind) -> Part {
    match kind {
        NodeKind::Llm | NodeKind::Embedding | NodeKind::Reranker => Part::Model,
        NodeKind::Tool
        | NodeKind::Retrieval
        | NodeKind::Memory
        | NodeKind::Mcp
        | NodeKind::Http
        | NodeKind::Rpc
        | NodeKind::Db => Part::Tool,
        NodeKind::Approval | NodeKind::Message => Part::Wait,
        _ => Part::Gap,
    }
}

/// Spans under one parent, of one kind, name and subject, each begun after the one before it had failed.
fn retries(rows: &[SkeletonRow]) -> Vec<Retry> {
    let mut retries = Vec::new();
    let mut failed: HashMap<_, (SpanId, Timestamp)> = HashMap::new();
    // Of each parent, children are in the order of their start.
    for row in rows.iter().filter(|row| row.parent.is_some()) {
        let what = (row.parent, row.kind, row.name, row.subject);
        let before =
            if row.status == 2 { failed.insert(what, (row.span_id, row.end)) } else { failed.remove(&what) };
        if let Some((of, _)) = before.filter(|(_, end)| *end <= row.start) {
            retries.push(Retry { span_id: row.span_id, of });
        }
    }
    retries
}

fn waits(rows: &[SkeletonRow]) -> Waits {
    let mut waits = Waits::default();
    for row in rows {
        match skeleton::kind_of(row) {
            NodeKind::Approval => waits.approval += row.end.0.saturating_sub(row.start.0),
            NodeKind::Message => {
                let sender = row.parent.and_then(|parent| rows.get(parent as usize));
                let sender = sender
                    .filter(|sender| skeleton::kind_of(sender) == NodeKind::Message && sender.end.0 > 0);
                waits.queue += sender.map_or(0, |sender| row.start.0.saturating_sub(sender.end.0));
            }
            _ => {}
        }
    }
    waits
}

/// The first findings of one kind, and how many more there are.
fn told(mut all: impl Iterator<Item = Finding>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = all.by_ref().take(MOST_FINDINGS).collect();
    let more = all.count();
    let kind = findings.first().map(|finding| finding.kind).filter(|_| more > 0);
    let rest =
        kind.map(|kind| Finding { kind, span_id: None, detail: format!("and {more} more like these") });
    findings.extend(rest);
    findings
}

fn broken_chains(spans: &[Outlined]) -> Vec<Finding> {
    told(spans.iter().filter_map(|span| {
        let (why, span_id) = (span.broken?, Some(span.row.span_id));
        Some(Finding { kind: FindingKind::BrokenChain.as_str(), span_id, detail: why.to_owned() })
    }))
}

fn findings(skeleton: &Skeleton) -> Vec<Finding> {
    let rows = &skeleton.rows;
    let orphans = rows.iter().filter(|row| row.flags & flag::ORPHAN != 0);
    let mut findings = told(orphans.map(|row| Finding {
        kind: FindingKind::Orphan.as_str(),
        span_id: Some(row.span_id),
        detail:
            "its parent is not stored: it was not sent here, was not sampled, or is still to come".to_owned(),
    }));
    if !rows.iter().any(|row| row.parent.is_none() && row.flags & flag::ORPHAN == 0) {
        let detail = "no span without a parent came: the trace begins where nobody sends to here".to_owned();
        findings.push(Finding { kind: "noRoot", span_id: None, detail });
    }
    let early = rows.iter().filter_map(|row| {
        let parent = rows.get(row.parent? as usize)?;
        let before = parent.start.0.saturating_sub(row.start.0);
        (before > SKEW && parent.service != row.service).then_some((row, before))
    });
    findings.extend(told(early.map(|(row, before)| Finding {
        kind: FindingKind::ClockSkew.as_str(),
        span_id: Some(row.span_id),
        detail: format!(
            "it starts {} ms before its parent, which another service sent: their clocks differ",
            before / 1_000_000
        ),
    })));
    findings
}
