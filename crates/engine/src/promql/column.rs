//! What an expression is worth at each step of a query: columns of samples, one for each series.

use query::promql::{Histogram, Labels, Sample};
use std::sync::Arc;

/// Stands in a column's floats where there is none: Prometheus' staleness marker, which no computation yields.
pub(crate) const ABSENT: f64 = f64::from_bits(Sample::STALE);

/// Whether this is the staleness marker.
pub(crate) const fn is_absent(value: f64) -> bool {
    value.to_bits() == Sample::STALE
}

/// The samples of a series, one or none for each step.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Column {
    /// One for each step; [`ABSENT`] where there is none.
    floats: Vec<f64>,
    /// As long as `floats`, or empty when there is no histogram at all.
    histograms: Vec<Option<Arc<Histogram>>>,
}

/// A sample in its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum SampleRef<'a> {
    /// A float.
    Float(f64),
    /// A native histogram.
    Histogram(&'a Arc<Histogram>),
}

impl SampleRef<'_> {
    /// A sample of its own.
    pub(crate) fn to_sample(self) -> Sample {
        match self {
            Self::Float(value) => Sample::Float(value),
            Self::Histogram(histogram) => Sample::Histogram(Arc::clone(histogram)),
        }
    }
}

impl Column {
    /// Without a sample, for so many steps.
    pub(crate) fn empty(steps: usize) -> Self {
        Self { floats: vec![ABSENT; steps], histograms: Vec::new() }
    }

    /// Of floats alone, one for each step.
    pub(crate) const fn of(floats: Vec<f64>) -> Self {
        Self { floats, histograms: Vec::new() }
    }

    /// For how many steps.
    pub(crate) const fn steps(&self) -> usize {
        self.floats.len()
    }

    /// The sample of a step.
    pub(crate) fn get(&self, step: usize) -> Option<SampleRef<'_>> {
        let float = *self.floats.get(step)?;
        if !is_absent(float) {
            return Some(SampleRef::Float(float));
        }
        self.histograms.get(step)?.as_ref().map(SampleRef::Histogram)
    }

    /// Whether a step has a sample.
    pub(crate) fn has(&self, step: usize) -> bool {
        self.get(step).is_some()
    }

    /// Whether no step has one.
    pub(crate) fn is_empty(&self) -> bool {
        self.floats.iter().all(|float| is_absent(*float)) && self.histograms.iter().all(Option::is_none)
    }

    /// How many steps have one.
    pub(crate) fn len(&self) -> usize {
        let floats = self.floats.iter().filter(|float| !is_absent(**float)).count();
        floats + self.histograms.iter().flatten().count()
    }

    /// Puts a sample in the place of what the step has.
    pub(crate) fn set(&mut self, step: usize, sample: Sample) {
        match sample {
            Sample::Float(value) => self.set_float(step, value),
            Sample::Histogram(histogram) => {
                self.histograms.resize(self.floats.len(), None);
                if let Some(place) = self.histograms.get_mut(step) {
                    *place = Some(histogram);
                }
                self.put(step, ABSENT);
            }
        }
    }

    /// Puts a float in the place of what the step has.
    pub(crate) fn set_float(&mut self, step: usize, value: f64) {
        self.put(step, value);
        if let Some(place) = self.histograms.get_mut(step) {
            *place = None;
        }
    }

    /// Leaves the step without a sample.
    pub(crate) fn clear(&mut self, step: usize) {
        self.set_float(step, ABSENT);
    }

    fn put(&mut self, step: usize, value: f64) {
        if let Some(place) = self.floats.get_mut(step) {
            *place = value;
        }
    }

    /// Whether a step may have a histogram.
    pub(crate) const fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    /// The floats, one for each step; [`ABSENT`] where there is none.
    pub(crate) fn floats(&self) -> &[f64] {
        &self.floats
    }

    /// The steps that have a sample.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, SampleRef<'_>)> {
        (0..self.steps()).filter_map(|step| Some((step, self.get(step)?)))
    }

    /// Computes each float anew and leaves the histograms out.
    pub(crate) fn map_floats(&mut self, mut compute: impl FnMut(usize, f64) -> Option<f64>) {
        self.histograms = Vec::new();
        for (step, float) in self.floats.iter_mut().enumerate() {
            if !is_absent(*float) {
                *float = compute(step, *float).unwrap_or(ABSENT);
            }
        }
    }

    /// The same sample, its first one, at so many steps.
    pub(crate) fn repeated(&self, steps: usize) -> Self {
        let first = self.get(0);
        match first {
            None => Self::empty(steps),
            Some(SampleRef::Float(value)) => Self::of(vec![value; steps]),
            Some(SampleRef::Histogram(histogram)) => {
                Self { floats: vec![ABSENT; steps], histograms: vec![Some(Arc::clone(histogram)); steps] }
            }
        }
    }
}

/// A series of an instant vector, over all steps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// What it is called; still with the metric's name when `drop_name` says that it goes in the end.
    pub(crate) labels: Labels,
    /// Whether the metric's name is taken off when the query is done. Until then functions may look at it, and put
    /// it on again.
    pub(crate) drop_name: bool,
    /// Its samples.
    pub(crate) column: Column,
}

/// A scalar over all steps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalars {
    /// At each step the same.
    Same(f64),
    /// One for each step.
    Each(Vec<f64>),
}

impl Scalars {
    /// The one of a step.
    pub(crate) fn at(&self, step: usize) -> f64 {
        match self {
            Self::Same(value) => *value,
            Self::Each(values) => values.get(step).copied().unwrap_or(f64::NAN),
        }
    }

    /// All of them, in the order of the steps.
    pub(crate) fn iter(&self, steps: usize) -> impl Iterator<Item = f64> {
        (0..steps).map(|step| self.at(step))
    }
}

/// The steps at which an expression is computed; those of the query, or of a subquery in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The time of the first one, in milliseconds since the Unix epoch.
    pub(crate) start: i64,
    /// From each to the next, in milliseconds.
    pub(crate) step: i64,
    /// How many.
    pub(crate) steps: usize,
}

impl Frame {
    /// The time of a step.
    pub(crate) fn time(&self, step: usize) -> i64 {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        self.start.saturating_add(self.step.saturating_mul(step))
    }

    /// The time of the last step.
    pub(crate) fn end(&self) -> i64 {
        self.time(self.steps.saturating_sub(1))
    }
}
