//! `smoothed` and `anchored` without a function: values between the samples.

use super::budget::Budget;
use super::column::{Column, Frame, Row};
use super::functions::{FloatPoint, HistogramPoint, Notes};
use super::windows::{Extent, Moving, Points, RangeSeries};
use query::Error;
use query::promql::{Histogram, Labels, METRIC_NAME, ResetHint, Sample};
use std::ops::Range;
use std::sync::Arc;

/// Each series at each step: between the samples around it, or that before if none is after.
pub(super) fn smoothed(
    series: &RangeSeries<'_>,
    extent: Extent,
    frame: Frame,
    (budget, notes, place): (&mut Budget<'_>, &mut Notes, &Range<usize>),
) -> Result<Vec<Row>, Error> {
    let (mut rows, mut points) = (Vec::new(), Points::default());
    for index in 0..series.len() {
        let Some(mut row) = series.take(index, &mut points) else { continue };
        let mut moving = Moving::default();
        let mut column = Column::empty(frame.steps);
        for step in 0..frame.steps {
            budget.go_on()?;
            let (_, time) = extent.bounds(frame.time(step));
            let (floats, histograms) = moving.to(&points, &extent, (time, time));
            let sample = match (floats, histograms) {
                ([], []) => None,
                (_, []) => float_at(floats, time).map(Sample::Float),
                ([], _) => Between { labels: &row.labels, notes, place }.histogram_at(histograms, time),
                _ => {
                    let name = row.labels.get(METRIC_NAME);
                    let mix = "encountered a mix of histograms and floats for metric name";
                    notes.warn(format!("{mix} {name:?}"), place);
                    None
                }
            };
            if let Some(sample) = sample {
                column.set(step, sample);
            }
        }
        if !column.is_empty() {
            budget.hold(column.steps())?;
            row.column = column;
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The value at a time, of samples before and after it.
fn float_at(floats: &[FloatPoint], time: i64) -> Option<f64> {
    let at = floats.partition_point(|point| point.time < time);
    let before = at.checked_sub(1).and_then(|index| floats.get(index));
    match (before, floats.get(at)) {
        (_, Some(point)) if point.time == time => Some(point.value),
        (Some(before), Some(after)) => Some(between(before, after, time)),
        (Some(before), None) => Some(before.value),
        (None, _) => None,
    }
}

fn between(before: &FloatPoint, after: &FloatPoint, time: i64) -> f64 {
    before.value
        + (after.value - before.value) * (time - before.time) as f64 / (after.time - before.time) as f64
}

/// Between two histograms.
struct Between<'n> {
    labels: &'n Labels,
    notes: &'n mut Notes,
    place: &'n Range<usize>,
}

impl Between<'_> {
    fn histogram_at(&mut self, histograms: &[HistogramPoint], time: i64) -> Option<Sample> {
        let at = histograms.partition_point(|point| point.time < time);
        let before = at.checked_sub(1).and_then(|index| histograms.get(index));
        let histogram = match (before, histograms.get(at)) {
            (_, Some(point)) if point.time == time => Arc::clone(&point.value),
            (Some(before), Some(after)) => {
                let part = (time - before.time) as f64 / (after.time - before.time) as f64;
                Arc::new(self.interpolated(&before.value, &after.value, part)?)
            }
            (Some(before), None) => {
                Arc::new(Histogram { reset_hint: ResetHint::Unknown, ..before.value.as_ref().clone() })
            }
            (None, _) => return None,
        };
        Some(Sample::Histogram(histogram))
    }

    fn interpolated(&mut self, before: &Histogram, after: &Histogram, part: f64) -> Option<Histogram> {
        let is_gauge = before.reset_hint == ResetHint::Gauge && after.reset_hint == ResetHint::Gauge;
        let mut result = after.clone();
        if before.is_custom() == after.is_custom() && !is_gauge && after.is_reset(before) {
            result.multiply(part);
            return Some(result);
        }
        let Ok(difference) = result.subtract(before) else { return self.incompatible() };
        result.multiply(part);
        let Ok(sum) = result.add(before) else { return self.incompatible() };
        for (combined, operation) in [(difference, "subtraction"), (sum, "addition")] {
            if combined.bounds_reconciled {
                self.notes.inform(
                    format!("mismatched custom buckets were reconciled during {operation}"),
                    self.place,
                );
            }
        }
        Some(result)
    }

    fn incompatible(&mut self) -> Option<Histogram> {
        let name = self.labels.get(METRIC_NAME);
        let mix =
            "vector contains a mix of histograms with exponential and custom buckets schemas for metric name";
        self.notes.warn(format!("{mix} {name:?}"), self.place);
        None
    }
}

/// The samples of a range with those of its borders: at the beginning the value there, and at the end.
pub(super) fn extended(
    floats: &[FloatPoint],
    (start, end): (i64, i64),
    is_smoothed: bool,
) -> Vec<FloatPoint> {
    let Some(last) = floats.last() else { return Vec::new() };
    if last.time <= start {
        return Vec::new();
    }
    let border = |time: i64| {
        if is_smoothed { float_at(floats, time) } else { None }
            .or_else(|| floats.iter().rev().find(|point| point.time <= time).map(|point| point.value))
    };
    let first = floats.first().map_or(last.value, |point| point.value);
    let within = floats.iter().filter(|point| start < point.time && point.time < end).copied();
    let mut extended = vec![FloatPoint { time: start, value: border(start).unwrap_or(first) }];
    extended.extend(within);
    extended.push(FloatPoint { time: end, value: border(end).unwrap_or(last.value) });
    extended
}
