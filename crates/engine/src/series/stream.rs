//! The points of one stream of OTLP: what has the same resource, scope, metric and attributes.

use super::cells::Cells;
use super::exemplars::{self, Bounded};
use super::labels::{LabelMap, ResourceLabels};
use super::totals::Growth;
use model::MetricPoint;
use model::metric::MetricKind;
use model::otlp::{self, ExplicitBuckets, ExponentialBuckets};
use query::promql::Sample;
use std::sync::Arc;

/// A stream with what was read of it.
pub struct Stream {
    /// What its series are called, by the suffixes of its kind; nothing for those that are not wanted.
    pub names: Vec<Option<Arc<str>>>,
    /// The labels that all its series have.
    pub labels: LabelMap,
    pub growth: Growth,
    pub origin: Origin,
    /// Nanoseconds.
    pub first: u64,
    pub last: u64,
    pub points: Points,
    pub exemplars: Vec<Bounded>,
}

/// Where a stream comes from, as far as its labels do not tell.
pub struct Origin {
    pub resource: Arc<ResourceLabels>,
    pub scope: Arc<LabelMap>,
    /// As OTLP has it.
    pub metric: Arc<str>,
    pub unit: Arc<str>,
}

impl Origin {
    /// A label that it could have.
    pub fn other(&self, name: &str) -> Option<Arc<str>> {
        self.scope.get(name).or_else(|| self.resource.others.get(name)).cloned()
    }

    /// All labels that it could have, those first that tell most.
    pub fn others(&self) -> impl Iterator<Item = (Arc<str>, Arc<str>)> {
        let shared = |(name, value): (&Arc<str>, &Arc<str>)| (Arc::clone(name), Arc::clone(value));
        let metric = [("otel_metric_name", &self.metric), ("otel_metric_unit", &self.unit)];
        let metric = metric.map(|(name, value)| (name.into(), Arc::clone(value)));
        self.scope.iter().map(shared).chain(self.resource.others.iter().map(shared)).chain(metric)
    }
}

/// The points of a stream, in the order in which they were stored.
pub enum Points {
    Numbers(Vec<Timed<f64>>),
    Histograms(Vec<Timed<Distribution>>),
    Exponential(Vec<Timed<Exponential>>),
    Summaries(Vec<Timed<Summary>>),
}

/// A value with its times, in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed<T> {
    pub start: u64,
    pub time: u64,
    /// Nothing where the stream says that it has no value any more.
    pub value: Option<T>,
}

/// A histogram with bounds of its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distribution {
    pub count: f64,
    pub sum: Option<f64>,
    /// Observations in each bucket alone.
    pub counts: Vec<f64>,
    pub bounds: Arc<[f64]>,
}

/// An exponential histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Exponential {
    pub count: u64,
    pub sum: f64,
    pub buckets: ExponentialBuckets,
}

/// Quantiles.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub count: f64,
    pub sum: f64,
    pub quantiles: Vec<(f64, f64)>,
}

impl Points {
    pub const fn new(kind: MetricKind) -> Self {
        match kind {
            MetricKind::Gauge | MetricKind::Sum => Self::Numbers(Vec::new()),
            MetricKind::Histogram => Self::Histograms(Vec::new()),
            MetricKind::ExponentialHistogram => Self::Exponential(Vec::new()),
            MetricKind::Summary => Self::Summaries(Vec::new()),
        }
    }
}

impl Stream {
    /// Takes a point in; answers how many samples it becomes.
    pub fn add(&mut self, cells: &Cells<'_>, row: usize) -> u64 {
        let (start, time) = (cells.start(row), cells.time(row));
        let stale = cells.is_stale(row);
        match &mut self.points {
            Points::Numbers(points) => {
                let value = cells.value(row);
                if value.is_some() || stale {
                    points.push(Timed { start, time, value: value.filter(|_| !stale) });
                }
                1
            }
            Points::Histograms(points) => {
                let bounds = points.iter().rev().find_map(|point| Some(&point.value.as_ref()?.bounds));
                let wants_buckets = self.names.first().is_some_and(Option::is_some);
                let value = (!stale).then(|| distribution(cells, row, bounds, wants_buckets));
                let samples = value.as_ref().map_or(1, |value| value.counts.len() as u64 + 2);
                points.push(Timed { start, time, value });
                samples
            }
            Points::Exponential(points) => {
                let value = (!stale).then(|| exponential(cells, row));
                let buckets = value.as_ref().map_or(0, |value| {
                    value.buckets.positive.counts.len() + value.buckets.negative.counts.len()
                });
                points.push(Timed { start, time, value });
                1 + buckets as u64 / 2
            }
            Points::Summaries(points) => {
                let value = (!stale).then(|| summary(cells, row));
                let samples = value.as_ref().map_or(1, |value| value.quantiles.len() as u64 + 2);
                points.push(Timed { start, time, value });
                samples
            }
        }
    }

    /// Takes in which series a point has, but not the point; answers that it is no sample.
    pub fn outline(&mut self, cells: &Cells<'_>, row: usize) -> u64 {
        self.add(cells, row);
        match &mut self.points {
            Points::Numbers(points) => points.clear(),
            Points::Exponential(points) => points.clear(),
            Points::Histograms(points) => forget_last(points, |one, other| one.bounds == other.bounds),
            Points::Summaries(points) => forget_last(points, |one, other| {
                let numbers = |summary: &Summary| {
                    summary.quantiles.iter().map(|(number, _)| *number).collect::<Vec<_>>()
                };
                numbers(one) == numbers(other)
            }),
        }
        0
    }

    /// Takes in the exemplars of a point; answers how many.
    pub fn add_exemplars(&mut self, cells: &Cells<'_>, row: usize) -> u64 {
        let wire = cells.point(row);
        if wire.is_empty() {
            return 0;
        }
        let point = MetricPoint { kind: cells.kind(row), wire: wire.to_vec(), ..MetricPoint::default() };
        let found = otlp::exemplars(&point);
        let bounds = match point.kind {
            MetricKind::Histogram if !found.is_empty() => Some(otlp::explicit_buckets(wire).bounds),
            _ => None,
        };
        let count = found.len() as u64;
        self.exemplars.extend(found.into_iter().map(|exemplar| {
            let value = exemplars::value(&exemplar).unwrap_or_default();
            (bounds.as_ref().map(|bounds| exemplars::bound(bounds, value)), exemplar)
        }));
        count
    }

    /// Notes when it was there.
    pub fn note(&mut self, time: u64) {
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }
}

/// Forgets the last point when it is as the one before, or has nothing.
fn forget_last<T>(points: &mut Vec<Timed<T>>, same: impl Fn(&T, &T) -> bool) {
    let repeats = match points.as_slice() {
        [.., before, last] => match (&before.value, &last.value) {
            (Some(before), Some(last)) => same(before, last),
            _ => last.value.is_none(),
        },
        [only] => only.value.is_none(),
        [] => false,
    };
    if repeats {
        points.pop();
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
fn distribution(cells: &Cells<'_>, row: usize, known: Option<&Arc<[f64]>>, buckets: bool) -> Distribution {
    let ExplicitBuckets { counts, bounds } =
        if buckets { otlp::explicit_buckets(cells.point(row)) } else { ExplicitBuckets::default() };
    let bounds = known.filter(|known| ***known == *bounds).map_or_else(|| bounds.into(), Arc::clone);
    Distribution {
        count: cells.count(row) as f64,
        sum: cells.sum(row),
        counts: counts.into_iter().map(|count| count as f64).collect(),
        bounds,
    }
}

fn exponential(cells: &Cells<'_>, row: usize) -> Exponential {
    Exponential {
        count: cells.count(row),
        sum: cells.sum(row).unwrap_or_default(),
        buckets: otlp::exponential_buckets(cells.point(row)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
fn summary(cells: &Cells<'_>, row: usize) -> Summary {
    Summary {
        count: cells.count(row) as f64,
        sum: cells.sum(row).unwrap_or_default(),
        quantiles: otlp::quantiles(cells.point(row)),
    }
}

/// In the order of time, each time once: what was stored later counts.
pub fn settle<T>(points: &mut Vec<Timed<T>>) {
    if !points.is_sorted_by_key(|point| point.time) {
        points.sort_by_key(|point| point.time);
    }
    keep_later(points, |point| point.time);
}

/// Of items in order, of those with one time the last.
pub fn keep_later<T, K: PartialEq>(items: &mut Vec<T>, time: impl Fn(&T) -> K) {
    items.dedup_by(|later, kept| {
        let same = time(later) == time(kept);
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}

/// Milliseconds of nanoseconds.
pub fn milliseconds(nanoseconds: u64) -> i64 {
    i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX)
}

/// The sample that says that a series ends.
pub const fn stale() -> Sample {
    Sample::Float(f64::from_bits(Sample::STALE))
}
