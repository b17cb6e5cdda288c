//! Functions of times, which are seconds since the Unix epoch, in UTC. What is no time at all, or not in the years -9999 to
//! 9999, has no date: the result is not a number.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// `year`.
pub(super) fn year(time: f64, _: &[f64]) -> Option<f64> {
    of(time, |date| date.year().into())
}

/// `month`: from 1 to 12.
pub(super) fn month(time: f64, _: &[f64]) -> Option<f64> {
    of(time, |date| date.month().into())
}

/// `day_of_month`: from 1 to 31.
pub(super) fn day_of_month(time: f64, _: &[f64]) -> Option<f64> {
    of(time, |date| date.day().into())
}

/// `day_of_week`: from 0, which is Sunday, to 6.
pub(super) fn day_of_week(time: f64, _: &[f64]) -> Option<f64> {
    of(time, |date| date.weekday().to_sunday_zero_offset().into())
}

/// `day_of_year`: from 1 to 366.
pub(super) fn day_of_year(time: f64, _: &[f64]) -> Option<f64> {
    of(time, |date| date.day_of_year().into())
}

/// `days_in_month`: from 28 to 31.
pub(super) fn days_in_month(time: f64, _: &[f64]) -> Option<f64> {
    of(time, |date| date.days_in_month().into())
}

/// `hour`: from 0 to 23.
pub(super) fn hour(time: f64, _: &[f64]) -> Option<f64> {
    of(time, |date| date.hour().into())
}

/// `minute`: from 0 to 59.
pub(super) fn minute(time: f64, _: &[f64]) -> Option<f64> {
    of(time, |date| date.minute().into())
}

fn of(time: f64, part: fn(DateTime) -> f64) -> Option<f64> {
    let date = second(time).and_then(|second| Timestamp::from_second(second).ok());
    Some(date.map_or(f64::NAN, |date| part(TimeZone::UTC.to_datetime(date))))
}

/// Towards zero.
#[expect(clippy::cast_possible_truncation, reason = "within the range of 64 bits")]
fn second(time: f64) -> Option<i64> {
    (time.abs() < 1e15).then_some(time as i64)
}
