//! What is said about the samples of a series, in Prometheus' words.

use super::{Call, Notes, Window};
use query::promql::{Combined, Histogram, Labels, METRIC_NAME, Number};
use std::ops::Range;

/// Says things about one series.
pub(super) struct Remarks<'a> {
    notes: &'a mut Notes,
    place: &'a Range<usize>,
    labels: &'a Labels,
}

/// Exponential and custom buckets were to be put together; it has been said.
pub(super) struct Incompatible;

impl<'a> Remarks<'a> {
    /// About the series of a window, at the place of the call's first argument.
    pub(super) fn new(window: &'a Window<'_>, call: &'a Call<'_>, notes: &'a mut Notes) -> Self {
        Self { notes, place: call.place_of(0), labels: window.labels }
    }

    /// The metric's name; empty if it has none.
    fn metric(&self) -> &'a str {
        self.labels.get(METRIC_NAME)
    }

    /// There are floats and histograms.
    pub(super) fn mixed(&mut self) {
        let message =
            format!("encountered a mix of histograms and floats for metric name {:?}", self.metric());
        self.notes.warn(message, self.place);
    }

    /// There are floats and histograms, of which the latter were left out.
    pub(super) fn histograms_left_out(&mut self) {
        let message = format!(
            "ignored histograms in a range containing both floats and histograms for metric name {:?}",
            self.metric()
        );
        self.notes.inform(message, self.place);
    }

    /// A gauge is taken for a counter.
    pub(super) fn no_counter(&mut self) {
        self.notes
            .warn(format!("this native histogram metric is not a counter: {:?}", self.metric()), self.place);
    }

    /// A counter is taken for a gauge.
    pub(super) fn no_gauge(&mut self) {
        self.notes
            .warn(format!("this native histogram metric is not a gauge: {:?}", self.metric()), self.place);
    }

    /// There are exponential and custom buckets.
    pub(super) fn mixed_buckets(&mut self) -> Incompatible {
        let message = format!(
            "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {:?}",
            self.metric()
        );
        self.notes.warn(message, self.place);
        Incompatible
    }

    /// Custom bounds were not the same.
    pub(super) fn reconciled(&mut self, operation: &str) {
        self.notes
            .inform(format!("mismatched custom buckets were reconciled during {operation}"), self.place);
    }

    /// What is known of resets contradicts itself.
    pub(super) fn resets_collide(&mut self) {
        self.notes.warn("conflicting counter resets during histogram aggregation", self.place);
    }

    /// The number that was given for a quantile is none.
    pub(super) fn no_quantile(&mut self, quantile: f64) {
        self.notes.no_quantile(quantile, self.place);
    }

    /// Adds, and says what there is to say.
    pub(super) fn add(&mut self, sum: &mut Histogram, other: &Histogram) -> Result<(), Incompatible> {
        let combined = sum.add(other).map_err(|_| self.mixed_buckets())?;
        self.combined(combined, "addition");
        Ok(())
    }

    /// Subtracts, likewise.
    pub(super) fn subtract(&mut self, from: &mut Histogram, other: &Histogram) -> Result<(), Incompatible> {
        let combined = from.subtract(other).map_err(|_| self.mixed_buckets())?;
        self.combined(combined, "subtraction");
        Ok(())
    }

    /// Of hints that collide nothing is said here: counters are looked at for resets.
    fn combined(&mut self, combined: Combined, operation: &str) {
        if combined.bounds_reconciled {
            self.reconciled(operation);
        }
    }
}

/// The histogram with plain numbers.
pub(super) fn rounded<N: Number>(histogram: &Histogram<N>) -> Histogram {
    histogram.map(Number::value)
}
