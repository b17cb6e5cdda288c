//! Series of several streams that would have the same labels. One that begins when the other has ended continues it: a
//! program was started anew. Those that are there at the same time get the labels that tell them apart.

use super::expand::Expanded;
use super::stream::{Origin, keep_later, milliseconds};
use query::promql::{Labels, Point, Series};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A series of one stream, and when the stream was there, in nanoseconds.
pub struct Member {
    pub series: Expanded,
    pub origin: Arc<Origin>,
    pub first: u64,
    pub last: u64,
}

/// The series, sorted, all with labels of their own.
pub fn told_apart(members: Vec<Member>) -> Vec<Series> {
    let mut told: Vec<Series> = Vec::with_capacity(members.len());
    for group in groups(members) {
        if is_succession(&group) {
            told.extend(joined(group));
        } else {
            told.extend(groups(labelled(group)).into_iter().filter_map(joined));
        }
    }
    told.sort_by(|one, other| one.labels.cmp(&other.labels));
    told.dedup_by(|later, kept| later.labels == kept.labels);
    told
}

/// Members by labels, each group by their beginnings.
fn groups(mut members: Vec<Member>) -> Vec<Vec<Member>> {
    members.sort_by(|one, other| {
        one.series.labels.cmp(&other.series.labels).then_with(|| one.first.cmp(&other.first))
    });
    let mut groups: Vec<Vec<Member>> = Vec::new();
    for member in members {
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|first| first.series.labels == member.series.labels) => {
                group.push(member);
            }
            _ => groups.push(vec![member]),
        }
    }
    groups
}

fn is_succession(group: &[Member]) -> bool {
    group.iter().zip(group.iter().skip(1)).all(|(one, next)| one.last < next.first)
}

/// One series of all. What a member says of the time before it was there, when the one before it still was, is left out;
/// at a time that several have, the sample of the one that began last stays.
fn joined(group: Vec<Member>) -> Option<Series> {
    let succession = is_succession(&group);
    let (mut labels, mut points, mut end) = (None, Vec::new(), i64::MIN);
    for Member { series, last, .. } in group {
        labels.get_or_insert(series.labels);
        points.extend(series.points.into_iter().filter(|point| !succession || point.time > end));
        end = milliseconds(last);
    }
    if !points.is_sorted_by(|one: &Point, next| one.time < next.time) {
        points.sort_by_key(|point| point.time);
        keep_later(&mut points, |point| point.time);
    }
    Some(Series { labels: labels?, points })
}

/// The members with further labels, as few as tell all apart that can be told.
fn labelled(mut group: Vec<Member>) -> Vec<Member> {
    let others: Vec<BTreeMap<Arc<str>, Arc<str>>> =
        group.iter().map(|member| member.origin.others().collect()).collect();
    let mut candidates: Vec<Arc<str>> =
        group.iter().flat_map(|member| member.origin.others()).map(|(name, _)| name).collect();
    let mut seen = BTreeSet::new();
    candidates.retain(|name| seen.insert(Arc::clone(name)));
    // Scopes and hosts say more than numbers of processes.
    candidates.sort_by_key(|name| !name.starts_with("otel_scope_"));
    let mut added: Vec<Vec<(Arc<str>, Arc<str>)>> = vec![Vec::new(); group.len()];
    let mut told = 1;
    for name in candidates {
        let mut longer = added.clone();
        for (labels, others) in longer.iter_mut().zip(&others) {
            labels.extend(others.get(&name).map(|value| (Arc::clone(&name), Arc::clone(value))));
        }
        let distinct = longer.iter().collect::<BTreeSet<_>>().len();
        if distinct > told {
            (added, told) = (longer, distinct);
        }
    }
    for (member, added) in group.iter_mut().zip(added) {
        let own = member.series.labels.iter().map(|(name, value)| (Arc::clone(name), Arc::clone(value)));
        member.series.labels = Labels::new(added.into_iter().chain(own));
    }
    group
}
