//! The series that a script has loaded.

use super::script::Load;
use super::series::Described;
use query::promql::{
    CompiledMatcher, Histogram, Labels, METRIC_NAME, Point, ResetHint, Sample, Selection, Series,
};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub struct World {
    series: BTreeMap<Labels, Vec<Point>>,
    pub has_start_timestamps: bool,
}

impl World {
    pub fn load(&mut self, load: Load) {
        self.has_start_timestamps |= load.has_start_timestamps;
        let mut loaded: BTreeMap<Labels, Vec<Point>> = BTreeMap::new();
        for Described { labels, values } in load.series {
            let times = (0..).map(|index| index * load.step);
            let points = times
                .zip(values)
                .filter_map(|(time, value)| value.map(|written| Point { time, sample: written.sample }));
            loaded.insert(labels, points.collect());
        }
        if load.make_histograms {
            let made = made_histograms(&loaded);
            loaded.extend(made);
        }
        for (labels, points) in loaded {
            let stored = self.series.entry(labels).or_default();
            stored.extend(points);
            stored.sort_by_key(|point| point.time);
            hints(stored);
        }
    }

    /// What a query is given.
    pub fn select(&self, selection: &Selection) -> Vec<Series> {
        let matchers: Vec<(&str, CompiledMatcher)> = selection
            .matchers
            .iter()
            .map(|matcher| (matcher.name.as_str(), matcher.compile().unwrap()))
            .collect();
        let selected = self
            .series
            .iter()
            .filter(|(labels, _)| matchers.iter().all(|(name, matcher)| matcher.matches(labels.get(name))));
        let within = |point: &&Point| (selection.from..=selection.to).contains(&point.time);
        selected
            .map(|(labels, points)| Series {
                labels: labels.clone(),
                points: points.iter().filter(within).cloned().collect(),
            })
            .filter(|series| !series.points.is_empty())
            .collect()
    }
}

/// What a store knows of resets: within a row of histograms that could be the same counter, there was none.
fn hints(points: &mut [Point]) {
    let mut before: Option<Arc<Histogram>> = None;
    for point in points {
        let Sample::Histogram(histogram) = &mut point.sample else {
            before = None;
            continue;
        };
        if histogram.reset_hint == ResetHint::Gauge {
            before = None;
            continue;
        }
        let continues = before.as_ref().is_some_and(|before| continues(before, histogram));
        let mut known = Histogram::clone(histogram);
        before = Some(Arc::clone(histogram));
        known.reset_hint = if continues { ResetHint::NotReset } else { ResetHint::Unknown };
        *histogram = Arc::new(known);
    }
}

fn continues(before: &Histogram, histogram: &Histogram) -> bool {
    histogram.reset_hint != ResetHint::Reset
        && before.schema == histogram.schema
        && before.zero_threshold == histogram.zero_threshold
        && before.bounds == histogram.bounds
        && !Histogram { reset_hint: ResetHint::Unknown, ..histogram.clone() }
            .is_reset(&Histogram { reset_hint: ResetHint::Unknown, ..before.clone() })
}

/// The parts of a histogram at one time.
#[derive(Default)]
struct Parts {
    /// The bound and the observations up to it.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// Histograms with bounds of their own, made of the series of their buckets, counts and sums.
fn made_histograms(loaded: &BTreeMap<Labels, Vec<Point>>) -> BTreeMap<Labels, Vec<Point>> {
    let mut parts: BTreeMap<Labels, BTreeMap<i64, Parts>> = BTreeMap::new();
    for (labels, points) in loaded {
        let name = labels.get(METRIC_NAME);
        let suffix = ["_bucket", "_count", "_sum"].into_iter().find(|suffix| name.ends_with(suffix));
        let Some((suffix, base)) = suffix.and_then(|suffix| Some((suffix, name.strip_suffix(suffix)?)))
        else {
            continue;
        };
        let bound = labels.get("le").parse::<f64>().ok().filter(|bound| !bound.is_nan());
        if suffix == "_bucket" && bound.is_none() {
            continue;
        }
        let others = labels.iter().filter(|(name, _)| !matches!(name.as_ref(), "le" | METRIC_NAME));
        let others = others.map(|(name, value)| (name.to_string(), value.to_string()));
        let of = Labels::new(others.chain([(METRIC_NAME.to_owned(), base.to_owned())]));
        let of = parts.entry(of).or_default();
        for point in points {
            let Sample::Float(value) = point.sample else { continue };
            let parts = of.entry(point.time).or_default();
            match bound {
                Some(bound) if suffix == "_bucket" => parts.buckets.push((bound, value)),
                _ if suffix == "_count" => parts.count = Some(value),
                _ => parts.sum = value,
            }
        }
    }
    let made = |times: BTreeMap<i64, Parts>| {
        times.into_iter().map(|(time, parts)| Point { time, sample: histogram(parts) }).collect()
    };
    parts.into_iter().map(|(labels, times)| (labels, made(times))).collect()
}

fn histogram(mut parts: Parts) -> Sample {
    parts.buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    parts.buckets.dedup_by(|one, other| one.0 == other.0);
    let last = parts.buckets.last().copied();
    let count = parts.count.or(last.map(|(_, count)| count)).unwrap_or_default();
    if last.is_none_or(|(bound, _)| bound != f64::INFINITY) {
        parts.buckets.push((f64::INFINITY, count));
    }
    let mut below = 0.0;
    let counts = parts.buckets.iter().map(|(_, upto)| upto - std::mem::replace(&mut below, *upto));
    let counts: Vec<f64> = counts.collect();
    let bounds = parts.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite());
    let made = Histogram::with_custom_buckets(bounds.collect(), counts).unwrap();
    Sample::Histogram(Arc::new(Histogram { count, sum: parts.sum, ..made }))
}
