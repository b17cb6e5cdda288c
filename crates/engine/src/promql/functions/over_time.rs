//! One value for all samples of a range.

use super::remarks::Remarks;
use super::timeline::Timeline;
use super::{Call, FloatPoint, Notes, Window};
use crate::promql::column::SampleRef;
use query::promql::{Kahan, Number, Sample};

/// `count_over_time`.
pub(super) fn count(window: &Window<'_>, _: &Call<'_>, _: &mut Notes) -> Option<Sample> {
    Some(Sample::Float((window.floats.len() + window.histograms.len()) as f64))
}

/// `present_over_time`.
pub(super) const fn present(_: &Window<'_>, _: &Call<'_>, _: &mut Notes) -> Option<Sample> {
    Some(Sample::Float(1.0))
}

/// `first_over_time`.
pub(super) fn first(window: &Window<'_>, _: &Call<'_>, _: &mut Notes) -> Option<Sample> {
    edge(Timeline::of(window)?.next()).map(|(_, sample)| sample)
}

/// `last_over_time`.
pub(super) fn last(window: &Window<'_>, _: &Call<'_>, _: &mut Notes) -> Option<Sample> {
    last_sample(window).map(|(_, sample)| sample)
}

/// `ts_of_first_over_time`.
pub(super) fn time_of_first(window: &Window<'_>, _: &Call<'_>, _: &mut Notes) -> Option<Sample> {
    edge(Timeline::of(window)?.next()).map(|(time, _)| seconds(time))
}

/// `ts_of_last_over_time`.
pub(super) fn time_of_last(window: &Window<'_>, _: &Call<'_>, _: &mut Notes) -> Option<Sample> {
    last_sample(window).map(|(time, _)| seconds(time))
}

fn edge(sample: Option<(i64, SampleRef<'_>)>) -> Option<(i64, Sample)> {
    sample.map(|(time, sample)| (time, sample.to_sample()))
}

fn last_sample(window: &Window<'_>) -> Option<(i64, Sample)> {
    let float = window.floats.last();
    match window.histograms.last() {
        Some(histogram) if float.is_none_or(|float| histogram.time >= float.time) => {
            Some((histogram.time, Sample::Histogram(histogram.value.clone())))
        }
        _ => float.map(|float| (float.time, Sample::Float(float.value))),
    }
}

fn seconds(time: i64) -> Sample {
    Sample::Float(time as f64 / 1000.0)
}

/// The floats; of the histograms beside them it is said that they are left out.
fn floats<'a>(window: &Window<'a>, call: &Call<'_>, notes: &mut Notes) -> Option<&'a [FloatPoint]> {
    if window.floats.is_empty() {
        return None;
    }
    if !window.histograms.is_empty() {
        Remarks::new(window, call, notes).histograms_left_out();
    }
    Some(window.floats)
}

/// `max_over_time`.
pub(super) fn maximum(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    extreme(floats(window, call, notes)?, |value, best| value > best).map(value_of)
}

/// `min_over_time`.
pub(super) fn minimum(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    extreme(floats(window, call, notes)?, |value, best| value < best).map(value_of)
}

/// `ts_of_max_over_time`: of several the last one.
pub(super) fn time_of_maximum(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    extreme(floats(window, call, notes)?, |value, best| value >= best).map(|point| seconds(point.time))
}

/// `ts_of_min_over_time`: of several the last one.
pub(super) fn time_of_minimum(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    extreme(floats(window, call, notes)?, |value, best| value <= best).map(|point| seconds(point.time))
}

const fn value_of(point: FloatPoint) -> Sample {
    Sample::Float(point.value)
}

fn extreme(points: &[FloatPoint], better: fn(f64, f64) -> bool) -> Option<FloatPoint> {
    let choose = |best: FloatPoint, point: FloatPoint| {
        if better(point.value, best.value) || best.value.is_nan() { point } else { best }
    };
    points.iter().copied().reduce(choose)
}

/// `quantile_over_time`.
pub(super) fn quantile(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    let quantile = *window.scalars.first()?;
    if window.floats.is_empty() {
        return None;
    }
    Remarks::new(window, call, notes).no_quantile(quantile);
    let points = floats(window, call, notes)?;
    let mut values: Vec<f64> = points.iter().map(|point| point.value).collect();
    Some(Sample::Float(quantile_of(quantile, &mut values)))
}

/// `mad_over_time`: the median of the distances from the median.
pub(super) fn median_deviation(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    let points = floats(window, call, notes)?;
    if points.iter().any(|point| point.value.is_nan()) {
        return Some(Sample::Float(f64::NAN));
    }
    let mut values: Vec<f64> = points.iter().map(|point| point.value).collect();
    let median = quantile_of(0.5, &mut values);
    for value in &mut values {
        *value = (*value - median).abs();
    }
    Some(Sample::Float(quantile_of(0.5, &mut values)))
}

/// The quantile of numbers, which are sorted for it: what is not a number comes first.
pub(crate) fn quantile_of(quantile: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || quantile.is_nan() {
        return f64::NAN;
    }
    if quantile < 0.0 {
        return f64::NEG_INFINITY;
    }
    if quantile > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|one, other| {
        other.is_nan().cmp(&one.is_nan()).then(one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal))
    });
    let last = values.len() - 1;
    let rank = quantile * last as f64;
    let place = place(rank, last);
    let weight = rank - rank.floor();
    let at = |place: usize| values.get(place.min(last)).copied().unwrap_or(f64::NAN);
    at(place) * (1.0 - weight) + at(place + 1) * weight
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between zero and the last place"
)]
fn place(rank: f64, last: usize) -> usize {
    (rank.floor().max(0.0) as usize).min(last)
}

/// `stdvar_over_time`.
pub(super) fn variance(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    floats(window, call, notes).map(|points| Sample::Float(variance_of(points)))
}

/// `stddev_over_time`.
pub(super) fn deviation(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    floats(window, call, notes).map(|points| Sample::Float(variance_of(points).sqrt()))
}

/// After Welford.
fn variance_of(points: &[FloatPoint]) -> f64 {
    let (mut mean, mut squares, mut count) = (Kahan::default(), Kahan::default(), 0.0);
    for point in points {
        count += 1.0;
        let distance = point.value - (mean.sum + mean.rest);
        mean = mean.plus(distance / count);
        squares = squares.plus(distance * (point.value - (mean.sum + mean.rest)));
    }
    (squares.sum + squares.rest) / count
}
