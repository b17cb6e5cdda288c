//! How much series grow, taken from the samples within a range and carried on to its borders.

use super::remarks::{Incompatible, Remarks};
use super::{Call, FloatPoint, HistogramPoint, Notes, Window, borders};
use query::promql::{Histogram, Labels, METRIC_NAME, ResetHint, Sample};
use std::borrow::Cow;
use std::sync::Arc;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// Of a counter, per second.
    Rate,
    /// Of a counter.
    Increase,
    /// Of a gauge.
    Delta,
}

impl Growth {
    pub(super) fn is_counter(self) -> bool {
        self != Self::Delta
    }

    /// What the growth within a range is divided by.
    pub(super) fn divisor(self, window: &Window<'_>) -> f64 {
        if self == Self::Rate { seconds(window.start, window.end) } else { 1.0 }
    }
}

/// `rate`: how much a counter grows in a second.
pub(super) fn rate(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    growth(window, &mut Remarks::new(window, call, notes), Growth::Rate)
}

/// `increase`: how much a counter grows.
pub(super) fn increase(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    growth(window, &mut Remarks::new(window, call, notes), Growth::Increase)
}

/// `delta`: how much a gauge grows.
pub(super) fn delta(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    growth(window, &mut Remarks::new(window, call, notes), Growth::Delta)
}

fn growth(window: &Window<'_>, remarks: &mut Remarks<'_>, kind: Growth) -> Option<Sample> {
    match (window.floats, window.histograms) {
        ([_, ..], [_, ..]) => {
            remarks.mixed();
            None
        }
        _ if window.modifier.is_some() => borders::growth(window, remarks, kind),
        ([first, .., last], []) => {
            let resets = if kind.is_counter() { resets(window.floats) } else { 0.0 };
            let grown = last.value - first.value + resets;
            let samples = Sampled { from: first.time, to: last.time, count: window.floats.len() };
            let zero = kind.is_counter().then_some((first.value, grown));
            Some(Sample::Float(grown * samples.factor(window, zero) / kind.divisor(window)))
        }
        ([], [first, .., last]) => {
            let mut grown = histogram_growth(window.histograms, remarks, kind).ok()?;
            let samples = Sampled { from: first.time, to: last.time, count: window.histograms.len() };
            let zero = kind.is_counter().then_some((first.value.count, grown.count));
            grown.multiply(samples.factor(window, zero) / kind.divisor(window));
            Some(Sample::Histogram(Arc::new(grown)))
        }
        _ => None,
    }
}

/// What was lost when the counter began anew.
fn resets(floats: &[FloatPoint]) -> f64 {
    let is_reset = |[before, after]: &&[FloatPoint; 2]| after.value < before.value;
    // Most windows have none; looking for one is cheaper than adding up.
    let count = floats.array_windows().map(|pair| usize::from(is_reset(&pair))).sum::<usize>();
    if count == 0 {
        return 0.0;
    }
    let pairs = floats.array_windows();
    pairs.filter(is_reset).fold(0.0, |sum, [before, _]| sum + before.value)
}

/// Where in a window the samples are.
struct Sampled {
    from: i64,
    to: i64,
    count: usize,
}

impl Sampled {
    /// How much more the whole window may have than what is between its first and its last sample. `zero` are a counter's
    /// first value and its growth, from which follows when it may have been zero: it did not grow before that.
    fn factor(&self, window: &Window<'_>, zero: Option<(f64, f64)>) -> f64 {
        let sampled = seconds(self.from, self.to);
        if sampled == 0.0 {
            return 1.0;
        }
        let average = sampled / (self.count - 1) as f64;
        let to_border = |distance: f64| if distance >= average * 1.1 { average / 2.0 } else { distance };
        let mut before = to_border(seconds(window.start, self.from));
        if let Some((first, grown)) = zero
            && grown > 0.0
            && first >= 0.0
        {
            before = before.min(sampled * (first / grown));
        }
        (sampled + before + to_border(seconds(self.to, window.end))) / sampled
    }
}

fn seconds(from: i64, to: i64) -> f64 {
    to.saturating_sub(from) as f64 / 1000.0
}

/// How much histograms grow from the first sample to the last.
fn histogram_growth(
    points: &[HistogramPoint],
    remarks: &mut Remarks<'_>,
    kind: Growth,
) -> Result<Histogram, Incompatible> {
    let [first, rest @ .., last] = points else { return Err(Incompatible) };
    let base = base(first, rest.first().unwrap_or(last), kind);
    let between = if kind.is_counter() { rest } else { &[] };
    let all = || between.iter().chain([last]).map(|point| point.value.as_ref());
    if kind.is_counter() && points.iter().any(is_gauge) {
        remarks.no_counter();
    }
    if all().any(|histogram| histogram.is_custom() != base.is_custom()) {
        return Err(remarks.mixed_buckets());
    }
    let mut grown = last.value.as_ref().clone();
    grown.reduce(all().map(|histogram| histogram.schema).fold(base.schema, i32::min));
    remarks.subtract(&mut grown, &base)?;
    if kind.is_counter() {
        let mut before: &Histogram = &base;
        for point in points.iter().skip(1) {
            if point.value.is_reset(before) {
                remarks.add(&mut grown, before)?;
            }
            before = &point.value;
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        remarks.no_gauge();
    }
    grown.reset_hint = ResetHint::Gauge;
    grown.compact();
    Ok(grown)
}

/// What the counter began with. If it begins anew with the second sample, the first one's buckets do not matter.
fn base<'p>(first: &'p HistogramPoint, second: &HistogramPoint, kind: Growth) -> Cow<'p, Histogram> {
    if kind.is_counter() && second.value.is_reset(&first.value) {
        Cow::Owned(second.value.emptied())
    } else {
        Cow::Borrowed(&first.value)
    }
}

fn is_gauge(point: &HistogramPoint) -> bool {
    point.value.reset_hint == ResetHint::Gauge
}

/// Says that what is taken for a counter has no counter's name.
pub(super) fn not_a_counter(labels: &Labels, call: &Call<'_>, notes: &mut Notes) {
    let name = labels.get(METRIC_NAME);
    let is_counter = ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
    if !name.is_empty() && !is_counter {
        let message = format!(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}"
        );
        notes.inform(message, call.place_of(0));
    }
}
