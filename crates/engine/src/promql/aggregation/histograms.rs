//! Sums and means of native histograms.

use query::promql::{Combined, Histogram, IncompatibleBuckets, Kahan, Number, ResetHint};

/// What is kept of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Their sum, for itself.
    Sum,
    /// Their sum, from which the mean is computed in the end.
    Average,
    /// Their mean so far: the sum is too large.
    Mean,
}

/// What is kept of histograms while they are aggregated.
pub(super) struct HistogramFold {
    sum: Histogram<Kahan>,
    count: f64,
    kind: Kind,
    has_reset: bool,
    has_no_reset: bool,
}

impl HistogramFold {
    /// With the first one; a sum, or a mean.
    pub(super) fn first(histogram: &Histogram, averages: bool) -> Self {
        let sum = histogram.map(Kahan::new);
        let kind = if averages { Kind::Average } else { Kind::Sum };
        let mut fold = Self { sum, count: 1.0, kind, has_reset: false, has_no_reset: false };
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
        if self.kind != Kind::Mean {
            let mut sum = self.sum.clone();
            let combined = sum.add(histogram)?;
            if self.kind == Kind::Sum || !sum.overflows() {
                self.sum = sum;
                return Ok(combined);
            }
            self.kind = Kind::Mean;
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
        if self.kind == Kind::Average {
            self.sum.divide(self.count);
        }
        let mut result = self.sum.map(Number::value);
        result.compact();
        result
    }
}
