//! Sums and means of native histograms.

use query::promql::{Combined, Histogram, IncompatibleBuckets, Kahan, Number, ResetHint};

/// What is kept of histograms while they are aggregated.
pub(super) struct HistogramFold {
    sum: Histogram<Kahan>,
    count: f64,
    averages: bool,
    is_mean: bool,
    has_reset: bool,
    has_no_reset: bool,
}

impl HistogramFold {
    /// With the first one; a sum, or a mean.
    pub(super) fn first(histogram: &Histogram, averages: bool) -> Self {
        let sum = histogram.map(Kahan::new);
        let mut fold =
            Self { sum, count: 1.0, averages, is_mean: false, has_reset: false, has_no_reset: false };
        fold.see(histogram.reset_hint);
        fold
    }

    fn see(&mut self, hint: ResetHint) {
        self.has_reset = self.has_reset || hint == ResetHint::Reset;
        self.has_no_reset = self.has_no_reset || hint == ResetHint::NotReset;
    }

    /// With another one.
    pub(super) fn add(&mut self, histogram: &Histogram) -> Result<Combined, IncompatibleBuckets> {
        self.see(histogram.reset_hint);
        self.count += 1.0;
        if !self.is_mean {
            let mut sum = self.sum.clone();
            let combined = sum.add(histogram)?;
            if !self.averages || !sum.overflows() {
                self.sum = sum;
                return Ok(combined);
            }
            self.is_mean = true;
            self.sum.divide(self.count - 1.0);
        }
        self.sum.multiply((self.count - 1.0) / self.count);
        let mut part = histogram.clone();
        part.divide(self.count);
        self.sum.add(&part)
    }

    /// Whether some of them began anew and others are known not to.
    pub(super) const fn resets_collide(&self) -> bool {
        self.has_reset && self.has_no_reset
    }

    /// The result.
    pub(super) fn finish(mut self) -> Histogram {
        if self.averages && !self.is_mean {
            self.sum.divide(self.count);
        }
        let mut result = self.sum.map(Number::value);
        result.compact();
        result
    }
}
