//! Ranges of samples that move from step to step.

use super::column::{Column, Frame, Row, SampleRef};
use super::functions::{FloatPoint, HistogramPoint};
use super::plan::Shift;
use super::selecting::{self, is_stale};
use query::promql::{Histogram, Point, RangeModifier, ResetHint, Sample, Series};
use std::sync::Arc;

/// The samples of one series, floats and histograms apart, oldest first.
#[derive(Debug, Default)]
pub(super) struct Points {
    pub(super) floats: Vec<FloatPoint>,
    pub(super) histograms: Vec<HistogramPoint>,
}

impl Points {
    /// Takes those of a stored series instead.
    pub(super) fn take_stored(&mut self, points: &[Point]) {
        self.clear();
        for point in points.iter().filter(|point| !is_stale(&point.sample)) {
            let time = point.time;
            match &point.sample {
                Sample::Float(value) => self.floats.push(FloatPoint { time, value: *value }),
                Sample::Histogram(value) => {
                    self.histograms.push(HistogramPoint { time, value: Arc::clone(value) });
                }
            }
        }
    }

    /// Takes those of a computed series instead. What is known of resets between its histograms is not true of those
    /// that the subquery looked at.
    pub(super) fn take_computed(&mut self, column: &Column, frame: Frame) {
        self.clear();
        for (step, sample) in column.iter() {
            let time = frame.time(step);
            match sample {
                SampleRef::Float(value) => self.floats.push(FloatPoint { time, value }),
                SampleRef::Histogram(value) => {
                    self.histograms.push(HistogramPoint { time, value: without_hint(value) });
                }
            }
        }
    }

    fn clear(&mut self) {
        self.floats.clear();
        self.histograms.clear();
    }
}

fn without_hint(histogram: &Arc<Histogram>) -> Arc<Histogram> {
    match histogram.reset_hint {
        ResetHint::Unknown | ResetHint::Gauge => Arc::clone(histogram),
        ResetHint::Reset | ResetHint::NotReset => {
            Arc::new(Histogram { reset_hint: ResetHint::Unknown, ..histogram.as_ref().clone() })
        }
    }
}

/// The series of a range, wherever they come from.
pub(super) enum RangeSeries<'a> {
    /// Stored; and whether resets of histograms are found.
    Stored(&'a [Series], bool),
    /// Of a subquery, with its steps.
    Computed(Vec<Row>, Frame),
}

impl RangeSeries<'_> {
    /// How many.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Stored(series, _) => series.len(),
            Self::Computed(rows, _) => rows.len(),
        }
    }

    /// The samples of one of them; its labels without samples, and whether the metric's name goes in the end.
    pub(super) fn take(&self, index: usize, points: &mut Points) -> Option<Row> {
        let column = Column::default();
        match self {
            Self::Stored(series, finds_resets) => {
                let series = series.get(index)?;
                points.take_stored(&selecting::points(series, *finds_resets));
                Some(Row { labels: series.labels.clone(), drop_name: false, column })
            }
            Self::Computed(rows, frame) => {
                let row = rows.get(index)?;
                points.take_computed(&row.column, *frame);
                Some(Row { labels: row.labels.clone(), drop_name: row.drop_name, column })
            }
        }
    }
}

/// Which time a range has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// How long, in milliseconds.
    pub(super) length: i64,
    /// Away from the steps.
    pub(super) shift: Shift,
    /// What else is looked at.
    pub(super) modifier: Option<RangeModifier>,
    /// How far, in milliseconds.
    pub(super) lookback: i64,
}

impl Extent {
    /// Start (not within) and end (within) of the range at a step's time.
    pub(super) fn bounds(&self, time: i64) -> (i64, i64) {
        let end = self.shift.time(time);
        (end.saturating_sub(self.length), end)
    }

    /// Start and end of what is looked at.
    fn reach(&self, (start, end): (i64, i64)) -> (i64, i64) {
        match self.modifier {
            None => (start, end),
            Some(RangeModifier::Anchored) => (start.saturating_sub(self.lookback), end),
            Some(RangeModifier::Smoothed) => {
                (start.saturating_sub(self.lookback), end.saturating_add(self.lookback))
            }
        }
    }
}

/// A window over points that only moves on.
#[derive(Debug, Default)]
pub(super) struct Moving {
    floats: (usize, usize),
    histograms: (usize, usize),
}

impl Moving {
    /// Moves on to the bounds, and answers what is seen there.
    pub(super) fn to<'p>(
        &mut self,
        points: &'p Points,
        extent: &Extent,
        bounds: (i64, i64),
    ) -> (&'p [FloatPoint], &'p [HistogramPoint]) {
        let reach = extent.reach(bounds);
        let floats = advance(&mut self.floats, &points.floats, reach, |point| point.time);
        let histograms = advance(&mut self.histograms, &points.histograms, reach, |point| point.time);
        (floats, histograms)
    }
}

fn advance<'p, P>(
    window: &mut (usize, usize),
    points: &'p [P],
    (start, end): (i64, i64),
    time: impl Fn(&P) -> i64,
) -> &'p [P] {
    while points.get(window.1).is_some_and(|point| time(point) <= end) {
        window.1 += 1;
    }
    while window.0 < window.1 && points.get(window.0).is_some_and(|point| time(point) <= start) {
        window.0 += 1;
    }
    points.get(window.0..window.1).unwrap_or_default()
}
