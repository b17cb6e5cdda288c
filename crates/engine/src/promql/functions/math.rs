//! Functions of numbers.

use super::Moment;

/// `abs`.
pub(super) const fn absolute(value: f64, _: &[f64]) -> Option<f64> {
    Some(value.abs())
}

/// `time`: of the step, in seconds.
pub(super) fn time(moment: &Moment, _: &[f64]) -> f64 {
    moment.time as f64 / 1000.0
}
