//! How much series grow between the borders of a range, with `anchored` or `smoothed`: at a border the value is that of
//! the sample before it, or between those before and after it.

use super::rate::Growth;
use super::remarks::{Incompatible, Remarks};
use super::{FloatPoint, HistogramPoint, Window};
use query::promql::{Histogram, RangeModifier, ResetHint, Sample};
use std::sync::Arc;

/// `rate`, `increase` or `delta` of floats or histograms alone.
pub(super) fn growth(window: &Window<'_>, remarks: &mut Remarks<'_>, kind: Growth) -> Option<Sample> {
    if let [_, ..] = window.floats {
        return of_floats(window, kind).map(Sample::Float);
    }
    let grown = of_histograms(window, remarks, kind)?.ok()?;
    Some(Sample::Histogram(Arc::new(grown)))
}

/// The first and the last sample that count; nothing when there is none within the range.
fn counting<P>(points: &[P], window: &Window<'_>, time: impl Fn(&P) -> i64) -> Option<(usize, usize)> {
    let smoothed = is_smoothed(window);
    let last = points.len().checked_sub(1)?;
    let rest = points.get(..last)?;
    let first = rest.partition_point(|point| time(point) <= window.start).saturating_sub(1);
    let last = if smoothed { rest.partition_point(|point| time(point) < window.end) } else { last };
    let outside =
        time(points.get(last)?) <= window.start || (smoothed && time(points.get(first)?) > window.end);
    (!outside).then_some((first, last))
}

fn is_smoothed(window: &Window<'_>) -> bool {
    window.modifier == Some(RangeModifier::Smoothed)
}

fn of_floats(window: &Window<'_>, kind: Growth) -> Option<f64> {
    let points = window.floats;
    let (first, last) = counting(points, window, |point| point.time)?;
    let (begins, ends) = (points.get(first)?, points.get(last)?);
    let left = match points.get(first + 1) {
        Some(next) if is_smoothed(window) && begins.time < window.start => {
            between(begins, next, window.start, kind)
        }
        _ => begins.value,
    };
    let right = match last.checked_sub(1).and_then(|before| points.get(before)) {
        Some(before) if is_smoothed(window) && ends.time > window.end => {
            between(before, ends, window.end, kind)
        }
        _ => ends.value,
    };
    let mut grown = right - left;
    if kind.is_counter() {
        let from = if begins.time <= window.start { first + 1 } else { first };
        let to = if ends.time >= window.end { last } else { last + 1 };
        grown += resets(left, points.get(from..to).unwrap_or_default(), right);
    }
    Some(grown / kind.divisor(window))
}

/// The value at a time between two samples; a counter that begins anew there begins at zero.
fn between(before: &FloatPoint, after: &FloatPoint, time: i64, kind: Growth) -> f64 {
    let start = if kind.is_counter() && after.value < before.value { 0.0 } else { before.value };
    start + (after.value - start) * part(before.time, time, after.time)
}

/// How much of the time between two others has gone by.
fn part(from: i64, time: i64, to: i64) -> f64 {
    time.saturating_sub(from) as f64 / to.saturating_sub(from) as f64
}

/// What was lost when the counter began anew.
fn resets(left: f64, points: &[FloatPoint], right: f64) -> f64 {
    let (mut lost, mut before) = (0.0, left);
    for value in points.iter().map(|point| point.value).chain([right]) {
        if value < before {
            lost += before;
        }
        before = value;
    }
    lost
}

fn of_histograms(
    window: &Window<'_>,
    remarks: &mut Remarks<'_>,
    kind: Growth,
) -> Option<Result<Histogram, Incompatible>> {
    let (first, last) = counting(window.histograms, window, |point| point.time)?;
    let points = window.histograms.get(first..=last)?;
    Some(histogram_growth(points, window, remarks, kind))
}

/// Of the samples that count.
fn histogram_growth(
    points: &[HistogramPoint],
    window: &Window<'_>,
    remarks: &mut Remarks<'_>,
    kind: Growth,
) -> Result<Histogram, Incompatible> {
    let (Some(begins), Some(ends)) = (points.first(), points.last()) else { return Err(Incompatible) };
    if points.iter().any(|point| point.value.is_custom() != begins.value.is_custom()) {
        return Err(remarks.mixed_buckets());
    }
    if kind.is_counter() && points.iter().any(|point| point.value.reset_hint == ResetHint::Gauge) {
        remarks.no_counter();
    }
    let smoothed = is_smoothed(window);
    let left = match points {
        [before, after, ..] if smoothed && before.time < window.start => {
            histogram_between(before, after, window.start, (remarks, kind))?
        }
        _ => begins.value.as_ref().clone(),
    };
    let right = match points {
        [.., before, after] if smoothed && after.time > window.end => {
            histogram_between(before, after, window.end, (remarks, kind))?
        }
        _ => ends.value.as_ref().clone(),
    };
    let gauges = [&left, &right].iter().all(|histogram| histogram.reset_hint == ResetHint::Gauge);
    if !kind.is_counter() && !gauges {
        remarks.no_gauge();
    }
    let mut grown = right.clone();
    remarks.subtract(&mut grown, &left)?;
    if kind.is_counter()
        && let Some(lost) = lost_histograms(points, (&left, &right), window, remarks)?
    {
        remarks.add(&mut grown, &lost)?;
    }
    if kind == Growth::Rate {
        grown.divide(kind.divisor(window));
    }
    grown.reset_hint = ResetHint::Gauge;
    grown.compact();
    Ok(grown)
}

fn histogram_between(
    before: &HistogramPoint,
    after: &HistogramPoint,
    time: i64,
    (remarks, kind): (&mut Remarks<'_>, Growth),
) -> Result<Histogram, Incompatible> {
    if time == before.time {
        return Ok(before.value.as_ref().clone());
    }
    let mut result = after.value.as_ref().clone();
    if time == after.time {
        return Ok(result);
    }
    let fraction = part(before.time, time, after.time);
    if kind.is_counter() && after.value.is_reset(&before.value) {
        result.multiply(fraction);
        return Ok(result);
    }
    remarks.subtract(&mut result, &before.value)?;
    result.multiply(fraction);
    remarks.add(&mut result, &before.value)?;
    Ok(result)
}

/// What was lost when the counter began anew. The value at the left border knows of a reset before the next sample; the
/// one at the right border has what is known of the last sample, which is not looked at itself.
fn lost_histograms(
    points: &[HistogramPoint],
    (left, right): (&Histogram, &Histogram),
    window: &Window<'_>,
    remarks: &mut Remarks<'_>,
) -> Result<Option<Histogram>, Incompatible> {
    let (mut before, mut next) = (left, 1);
    if let [first, second, ..] = points
        && is_smoothed(window)
        && first.time < window.start
        && second.value.is_reset(&first.value)
    {
        (before, next) = (&second.value, 2);
    }
    let Some(inner) = points.len().checked_sub(1).and_then(|last| points.get(next..last)) else {
        return Ok(None);
    };
    let mut lost: Option<Histogram> = None;
    for histogram in inner.iter().map(|point| point.value.as_ref()).chain([right]) {
        if histogram.is_reset(before) {
            match &mut lost {
                Some(lost) => remarks.add(lost, before)?,
                None => lost = Some(before.clone()),
            }
        }
        before = histogram;
    }
    Ok(lost)
}
