//! From the points of a stream to the samples of Prometheus' series.

use super::matching::Matching;
use super::native;
use super::stream::{Distribution, Points, Stream, Summary, Timed, milliseconds, settle, stale};
use super::totals::totals;
use query::promql::{Labels, METRIC_NAME, Point, Sample, plain_number};
use std::sync::Arc;

/// A series of a stream.
pub struct Expanded {
    pub labels: Labels,
    pub points: Vec<Point>,
}

/// The series of a stream that are wanted; what is before `from`, in milliseconds, is not.
pub fn expand(stream: &mut Stream, matching: &Matching, from: i64) -> Vec<Expanded> {
    let points = std::mem::replace(&mut stream.points, Points::Numbers(Vec::new()));
    let growth = stream.growth;
    let naming = Naming { stream, matching };
    match points {
        Points::Numbers(points) => {
            let samples = of_points(totals(points, growth, from), Sample::Float);
            naming.labels(0, None).map(|labels| Expanded { labels, points: samples }).into_iter().collect()
        }
        Points::Exponential(points) => {
            let histograms = points.into_iter().filter_map(native::histogram).collect();
            let samples = of_points(totals(histograms, growth, from), |histogram| {
                Sample::Histogram(Arc::new(histogram))
            });
            naming.labels(0, None).map(|labels| Expanded { labels, points: samples }).into_iter().collect()
        }
        Points::Histograms(points) => distributions(&naming, &totals(points, growth, from)),
        Points::Summaries(mut points) => {
            settle(&mut points);
            summaries(&naming, &points)
        }
    }
}

/// What the series of a stream are called.
struct Naming<'n> {
    stream: &'n Stream,
    matching: &'n Matching,
}

impl Naming<'_> {
    /// The labels of the series with the name of this suffix, when it is wanted.
    fn labels(&self, suffix: usize, late: Option<(&str, f64)>) -> Option<Labels> {
        let name = self.stream.names.get(suffix)?.as_ref()?;
        let mut labels = self.stream.labels.clone();
        labels.insert(METRIC_NAME.into(), Arc::clone(name));
        if let Some((label, value)) = late {
            labels.insert(label.into(), plain_number(value).into());
        }
        let labels = Labels::new(labels);
        self.matching.wants(&labels).then_some(labels)
    }
}

fn of_points<T>(points: Vec<Timed<T>>, sample: impl Fn(T) -> Sample) -> Vec<Point> {
    let mut samples = Vec::with_capacity(points.len());
    for point in points {
        put(&mut samples, point.time, point.value.map_or_else(stale, &sample));
    }
    samples
}

/// Appends a sample; of several in one millisecond the last one stays.
fn put(points: &mut Vec<Point>, time: u64, sample: Sample) {
    let time = milliseconds(time);
    match points.last_mut().filter(|last| last.time == time) {
        Some(last) => last.sample = sample,
        None => points.push(Point { time, sample }),
    }
}

/// One of the series that a point becomes, if it is wanted.
struct Part {
    labels: Option<Labels>,
    points: Vec<Point>,
}

impl Part {
    const fn new(labels: Option<Labels>) -> Self {
        Self { labels, points: Vec::new() }
    }

    fn put(&mut self, time: u64, value: Option<f64>) {
        if self.labels.is_some() {
            put(&mut self.points, time, value.map_or_else(stale, Sample::Float));
        }
    }

    fn finish(self) -> Option<Expanded> {
        self.labels.map(|labels| Expanded { labels, points: self.points })
    }
}

/// The series of buckets or quantiles, by bound or quantile.
struct Parts<'n> {
    naming: &'n Naming<'n>,
    label: &'static str,
    parts: Vec<(f64, Part)>,
}

impl Parts<'_> {
    /// Puts a value into the part of this number. Points of a stream have mostly the same numbers in the same order.
    fn put(&mut self, place: usize, number: f64, (time, value): (u64, f64)) {
        let same = |part: &(f64, Part)| part.0.to_bits() == number.to_bits();
        let expected = self.parts.get(place).is_some_and(same);
        let found = if expected { Some(place) } else { self.parts.iter().position(same) };
        let place = found.unwrap_or_else(|| {
            let labels = self.naming.labels(0, Some((self.label, number)));
            self.parts.push((number, Part::new(labels)));
            self.parts.len() - 1
        });
        if let Some((_, part)) = self.parts.get_mut(place) {
            part.put(time, Some(value));
        }
    }

    fn end(&mut self, time: u64) {
        self.parts.iter_mut().for_each(|(_, part)| part.put(time, None));
    }

    fn finish(self) -> impl Iterator<Item = Expanded> {
        self.parts.into_iter().filter_map(|(_, part)| part.finish())
    }
}

/// A classic histogram: counts up to each bound, sum and count.
fn distributions(naming: &Naming<'_>, points: &[Timed<Distribution>]) -> Vec<Expanded> {
    let (mut sum, mut count) = (Part::new(naming.labels(1, None)), Part::new(naming.labels(2, None)));
    let mut buckets = Parts { naming, label: "le", parts: Vec::new() };
    let wants_buckets = naming.stream.names.first().is_some_and(Option::is_some);
    for Timed { time, value, .. } in points {
        let Some(value) = value else {
            [&mut sum, &mut count].into_iter().for_each(|part| part.put(*time, None));
            buckets.end(*time);
            continue;
        };
        count.put(*time, Some(value.count));
        if value.sum.is_some() {
            sum.put(*time, value.sum);
        }
        if wants_buckets {
            // The last bucket comes first here, so that others have their places when bounds change.
            buckets.put(0, f64::INFINITY, (*time, value.count));
            let mut below = 0.0;
            for (place, (bound, count)) in value.bounds.iter().zip(&value.counts).enumerate() {
                below += count;
                if bound.is_finite() {
                    buckets.put(place + 1, *bound, (*time, below));
                }
            }
        }
    }
    buckets.finish().chain([sum, count].into_iter().filter_map(Part::finish)).collect()
}

fn summaries(naming: &Naming<'_>, points: &[Timed<Summary>]) -> Vec<Expanded> {
    let (mut sum, mut count) = (Part::new(naming.labels(1, None)), Part::new(naming.labels(2, None)));
    let mut quantiles = Parts { naming, label: "quantile", parts: Vec::new() };
    let wants_quantiles = naming.stream.names.first().is_some_and(Option::is_some);
    for Timed { time, value, .. } in points {
        sum.put(*time, value.as_ref().map(|value| value.sum));
        count.put(*time, value.as_ref().map(|value| value.count));
        match value {
            Some(value) if wants_quantiles => {
                for (place, (quantile, value)) in value.quantiles.iter().enumerate() {
                    quantiles.put(place, *quantile, (*time, *value));
                }
            }
            Some(_) => {}
            None => quantiles.end(*time),
        }
    }
    quantiles.finish().chain([sum, count].into_iter().filter_map(Part::finish)).collect()
}
