//! Where series are heading.

use super::remarks::Remarks;
use super::{Call, FloatPoint, Notes, Window};
use query::promql::{Kahan, Number, Sample};

/// `deriv`: the slope of the line through the samples, per second.
pub(super) fn derivative(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    let points = two_floats(window, call, notes)?;
    let (slope, _) = line(points, points.first()?.time);
    Some(Sample::Float(slope))
}

/// `predict_linear`: where the line through the samples will be in so many seconds.
pub(super) fn predict(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    let seconds = *window.scalars.first()?;
    let (slope, now) = line(two_floats(window, call, notes)?, window.time);
    Some(Sample::Float(slope * seconds + now))
}

/// `double_exponential_smoothing`: a mean in which late samples count for more, and which follows their trend.
pub(super) fn smooth(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    let [smoothing, trend] = window.scalars else { return None };
    for (factor, name, short) in [(*smoothing, "smoothing", "sf"), (*trend, "trend", "tf")] {
        if factor <= 0.0 || factor >= 1.0 {
            let message = format!("invalid {name} factor. Expected: 0 < {short} < 1, got: {factor:.6}");
            notes.fail(message);
            return None;
        }
    }
    let points = two_floats(window, call, notes)?;
    let [first, rest @ ..] = points else { return None };
    let mut slope = rest.first()?.value - first.value;
    let (mut before, mut now) = (0.0, first.value);
    for (place, point) in rest.iter().enumerate() {
        if place > 0 {
            slope = trend * (now - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * point.value + (1.0 - smoothing) * (now + slope);
        (before, now) = (now, next);
    }
    Some(Sample::Float(now))
}

/// The floats, if there are two; of the histograms beside them it is said that they are left out.
fn two_floats<'a>(window: &Window<'a>, call: &Call<'_>, notes: &mut Notes) -> Option<&'a [FloatPoint]> {
    if !window.floats.is_empty() && !window.histograms.is_empty() {
        Remarks::new(window, call, notes).histograms_left_out();
    }
    (window.floats.len() > 1).then_some(window.floats)
}

/// The line with the least squares: its slope per second, and its value at a time.
fn line(points: &[FloatPoint], time: i64) -> (f64, f64) {
    let Some(first) = points.first() else { return (f64::NAN, f64::NAN) };
    if points.iter().skip(1).all(|point| point.value == first.value) {
        let level = first.value;
        return if level.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, level) };
    }
    let mut sums = [Kahan::default(); 4];
    for point in points {
        let at = point.time.saturating_sub(time) as f64 / 1000.0;
        let terms = [at, point.value, at * point.value, at * at];
        for (sum, term) in sums.iter_mut().zip(terms) {
            *sum = sum.plus(term);
        }
    }
    let count = points.len() as f64;
    let [x, y, products, squares] = sums.map(|sum| sum.sum + sum.rest);
    let slope = (products - x * y / count) / (squares - x * x / count);
    (slope, y / count - slope * x / count)
}
