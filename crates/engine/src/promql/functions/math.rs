//! Functions of numbers.

use super::Moment;

/// `abs`.
pub(super) const fn absolute(value: f64, _: &[f64]) -> Option<f64> {
    Some(value.abs())
}

/// `sgn`: -1, 0 or 1.
pub(super) fn sign(value: f64, _: &[f64]) -> Option<f64> {
    Some(if value == 0.0 || value.is_nan() { value } else { value.signum() })
}

/// `round`: to the nearest multiple of a number, of one by default; of two the greater one.
pub(super) fn round(value: f64, to: &[f64]) -> Option<f64> {
    let inverse = 1.0 / to.first().copied().unwrap_or(1.0);
    Some((value * inverse + 0.5).floor() / inverse)
}

/// `clamp`: not below one number and not above another; nothing when they are the wrong way round.
pub(super) fn clamp(value: f64, bounds: &[f64]) -> Option<f64> {
    let [minimum, maximum] = bounds else { return None };
    (maximum >= minimum || minimum.is_nan() || maximum.is_nan())
        .then(|| greater(*minimum, lesser(*maximum, value)))
}

/// `clamp_min`.
pub(super) fn clamp_minimum(value: f64, bounds: &[f64]) -> Option<f64> {
    clamp(value, &[*bounds.first()?, f64::INFINITY])
}

/// `clamp_max`.
pub(super) fn clamp_maximum(value: f64, bounds: &[f64]) -> Option<f64> {
    clamp(value, &[f64::NEG_INFINITY, *bounds.first()?])
}

/// The greater one. An infinite one wins over what is not a number, which wins over all others.
fn greater(one: f64, other: f64) -> f64 {
    if one == f64::INFINITY || other == f64::INFINITY {
        f64::INFINITY
    } else if one.is_nan() || other.is_nan() {
        f64::NAN
    } else {
        one.max(other)
    }
}

fn lesser(one: f64, other: f64) -> f64 {
    -greater(-one, -other)
}

/// `max_of`.
pub(super) fn maximum_of(_: &Moment, values: &[f64]) -> f64 {
    values.iter().copied().reduce(greater).unwrap_or(f64::NAN)
}

/// `min_of`.
pub(super) fn minimum_of(_: &Moment, values: &[f64]) -> f64 {
    values.iter().copied().reduce(lesser).unwrap_or(f64::NAN)
}

/// `time`: of the step, in seconds.
pub(super) fn time(moment: &Moment, _: &[f64]) -> f64 {
    seconds(moment.time)
}

/// `start`: of the query, in seconds.
pub(super) fn start(moment: &Moment, _: &[f64]) -> f64 {
    seconds(moment.start)
}

/// `end`: of the query, in seconds.
pub(super) fn end(moment: &Moment, _: &[f64]) -> f64 {
    seconds(moment.end)
}

/// `range`: from the query's start to its end, in seconds.
pub(super) fn range(moment: &Moment, _: &[f64]) -> f64 {
    seconds(moment.end.saturating_sub(moment.start))
}

/// `step`: of the query, in seconds; zero when there is but one.
pub(super) fn step(moment: &Moment, _: &[f64]) -> f64 {
    if moment.start == moment.end { 0.0 } else { seconds(moment.step) }
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
