//! The mean of the observations, and how far they are from it.

use super::{Bucket, Histogram, Kahan, Number};

impl Histogram {
    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / self.count
    }

    /// The variance, with one value standing for each bucket.
    #[must_use]
    pub fn variance(&self) -> f64 {
        let mean = self.mean();
        let squares = self.buckets().map(|bucket| {
            let distance = self.representative(bucket) - mean;
            bucket.count * distance * distance
        });
        squares.collect::<Kahan>().value() / self.count
    }

    /// The standard deviation, likewise.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        self.variance().sqrt()
    }

    fn representative(&self, bucket: Bucket) -> f64 {
        if self.is_custom() {
            f64::midpoint(bucket.lower, bucket.upper)
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            let middle = (bucket.lower * bucket.upper).sqrt();
            if bucket.upper < 0.0 { -middle } else { middle }
        }
    }
}
