//! Instant vectors of stored series: the newest sample within the lookback.

use super::budget::Budget;
use super::column::{Column, Frame, Row};
use super::plan::Shift;
use query::Error;
use query::promql::{Histogram, Point, ResetHint, Sample, Series};
use std::borrow::Cow;
use std::sync::Arc;

/// Whether this sample says that the series ends.
pub(super) fn is_stale(sample: &Sample) -> bool {
    match sample {
        Sample::Float(value) => value.to_bits() == Sample::STALE,
        Sample::Histogram(histogram) => histogram.sum.to_bits() == Sample::STALE,
    }
}

/// The samples of a series. If resets of histograms are to be found, their hints say what was found, and their buckets are
/// left out: only counts and sums matter then.
pub(super) fn points(series: &Series, finds_resets: bool) -> Cow<'_, [Point]> {
    let is_histogram = |point: &Point| matches!(point.sample, Sample::Histogram(_));
    if !finds_resets || !series.points.iter().any(is_histogram) {
        return Cow::Borrowed(&series.points);
    }
    let mut before: Option<&Histogram> = None;
    let points = series.points.iter().map(|point| match &point.sample {
        Sample::Histogram(histogram) if !is_stale(&point.sample) => {
            let reset_hint = found_reset(before.replace(histogram), histogram);
            let Histogram { schema, count, sum, .. } = **histogram;
            let histogram = Histogram { schema, count, sum, reset_hint, ..Histogram::default() };
            Point { time: point.time, sample: Sample::Histogram(Arc::new(histogram)) }
        }
        _ => point.clone(),
    });
    Cow::Owned(points.collect())
}

fn found_reset(before: Option<&Histogram>, now: &Histogram) -> ResetHint {
    match (now.reset_hint, before) {
        (ResetHint::Unknown, Some(before)) if now.is_reset(before) => ResetHint::Reset,
        (ResetHint::Unknown, Some(_)) => ResetHint::NotReset,
        (hint, _) => hint,
    }
}

/// When a series is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// The steps.
    pub(super) frame: Frame,
    /// Away from them.
    pub(super) shift: Shift,
    /// How old a sample may be, in milliseconds.
    pub(super) lookback: i64,
    /// Whether resets of histograms are found.
    pub(super) finds_resets: bool,
}

/// The rows of the series that have a sample at any step; `value` is what to take of a sample.
pub(super) fn select(
    series: &[Series],
    look: Look,
    budget: &mut Budget<'_>,
    value: impl Fn(&Point) -> Sample,
) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for one in series {
        budget.go_on()?;
        if let Some(column) = column(&points(one, look.finds_resets), look, &value) {
            budget.hold(column.steps())?;
            rows.push(Row { labels: one.labels.clone(), drop_name: false, column });
        }
    }
    Ok(rows)
}

fn column(points: &[Point], look: Look, value: impl Fn(&Point) -> Sample) -> Option<Column> {
    let mut column: Option<Column> = None;
    let mut later = 0;
    for step in 0..look.frame.steps {
        let time = look.shift.time(look.frame.time(step));
        while points.get(later).is_some_and(|point| point.time <= time) {
            later += 1;
        }
        let Some(newest) = later.checked_sub(1).and_then(|index| points.get(index)) else { continue };
        if newest.time > time.saturating_sub(look.lookback) && !is_stale(&newest.sample) {
            column.get_or_insert_with(|| Column::empty(look.frame.steps)).set(step, value(newest));
        }
    }
    column
}
