//! Findings put together by kind and operation, with the newest of each as examples.

use super::seen::{Seen, SeenSpans};
use model::Timestamp;
use query::FindingsRequest;
use query::findings::{FindingExample, FindingGroup, FindingKind, FindingsResult};
use std::collections::HashMap;

/// Examples of a group.
const EXAMPLES: usize = 5;

pub struct Report<'r> {
    seen: &'r SeenSpans,
    request: &'r FindingsRequest,
    groups: HashMap<(FindingKind, u32), FindingGroup>,
}

impl<'r> Report<'r> {
    pub fn new(seen: &'r SeenSpans, request: &'r FindingsRequest) -> Self {
        Self { seen, request, groups: HashMap::new() }
    }

    pub fn add(&mut self, kind: FindingKind, span: &Seen, why: impl FnOnce() -> String) {
        let service = self.seen.service(span);
        if self.request.service.as_deref().is_some_and(|wanted| wanted != service) {
            return;
        }
        let group = self.groups.entry((kind, span.operation)).or_insert_with(|| FindingGroup {
            kind,
            service: service.to_owned(),
            operation: self.seen.operation(span),
            spans: 0,
            of: 0,
            first: Timestamp(u64::MAX),
            last: Timestamp(0),
            examples: Vec::new(),
        });
        group.spans += 1;
        group.first = group.first.min(span.start);
        group.last = group.last.max(span.start);
        let place = group.examples.partition_point(|example| example.start >= span.start);
        if place < EXAMPLES {
            let (trace_id, span_id, start) = (span.trace, span.id, span.start);
            group.examples.insert(place, FindingExample { trace_id, span_id, start, why: why() });
            group.examples.truncate(EXAMPLES);
        }
    }

    /// The answer; `of` tells how many spans an operation has.
    pub fn finish(self, of: impl Fn(u32) -> u64) -> FindingsResult {
        let mut totals = [0; FindingKind::ALL.len()];
        for ((kind, _), group) in &self.groups {
            let place = FindingKind::ALL.iter().position(|known| known == kind).unwrap_or_default();
            if let Some(total) = totals.get_mut(place) {
                *total += group.spans;
            }
        }
        let wanted = |kind| self.request.kind.is_none_or(|wanted| wanted == kind);
        let groups = self.groups.into_iter().filter(|((kind, _), _)| wanted(*kind));
        let mut groups: Vec<FindingGroup> =
            groups.map(|((_, operation), group)| FindingGroup { of: of(operation), ..group }).collect();
        groups.sort_by(|left, right| {
            let name = |group: &FindingGroup| (group.kind, group.service.clone(), group.operation.clone());
            right.spans.cmp(&left.spans).then_with(|| name(left).cmp(&name(right)))
        });
        let complete = groups.len() <= self.request.limit;
        groups.truncate(self.request.limit);
        let spans = self.seen.spans.len() as u64;
        FindingsResult { groups, totals, spans, complete, incomplete: None }
    }
}
