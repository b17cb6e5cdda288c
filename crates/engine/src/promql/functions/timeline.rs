//! Floats and histograms of a window in the order of their times.

use super::{FloatPoint, HistogramPoint, Window};
use crate::promql::column::SampleRef;
use query::promql::RangeModifier;

/// Goes over floats and histograms, oldest first.
#[derive(Debug, Clone)]
pub(super) struct Timeline<'a> {
    floats: &'a [FloatPoint],
    histograms: &'a [HistogramPoint],
}

impl<'a> Timeline<'a> {
    /// All samples of the window; with `anchored` from the one on that stands for the range's beginning, if there is one
    /// after it.
    pub(super) fn of(window: &Window<'a>) -> Option<Self> {
        let (floats, histograms) = (window.floats, window.histograms);
        if window.modifier != Some(RangeModifier::Anchored) {
            return Some(Self { floats, histograms });
        }
        let (old_floats, floats_within) =
            floats.split_at(floats.partition_point(|point| point.time <= window.start));
        let (old_histograms, histograms_within) =
            histograms.split_at(histograms.partition_point(|point| point.time <= window.start));
        if floats_within.is_empty() && histograms_within.is_empty() {
            return None;
        }
        let float = old_floats.last().map(|point| point.time);
        let histogram = old_histograms.last().map(|point| point.time);
        let from_float = old_floats.len() - usize::from(float.is_some() && float >= histogram);
        let from_histogram = old_histograms.len() - usize::from(histogram > float);
        Some(Self {
            floats: floats.get(from_float..).unwrap_or_default(),
            histograms: histograms.get(from_histogram..).unwrap_or_default(),
        })
    }

    /// The last two of the window.
    pub(super) fn last_two(window: &Window<'a>) -> Option<[(i64, SampleRef<'a>); 2]> {
        let floats = window.floats.get(window.floats.len().saturating_sub(2)..)?;
        let histograms = window.histograms.get(window.histograms.len().saturating_sub(2)..)?;
        let mut last = Self { floats, histograms };
        for _ in 2..floats.len() + histograms.len() {
            last.next();
        }
        Some([last.next()?, last.next()?])
    }
}

impl<'a> Iterator for Timeline<'a> {
    type Item = (i64, SampleRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let float = self.floats.first().map_or(i64::MAX, |point| point.time);
        match self.histograms.split_first() {
            Some((point, rest)) if point.time <= float => {
                self.histograms = rest;
                Some((point.time, SampleRef::Histogram(&point.value)))
            }
            _ => {
                let (point, rest) = self.floats.split_first()?;
                self.floats = rest;
                Some((point.time, SampleRef::Float(point.value)))
            }
        }
    }
}
