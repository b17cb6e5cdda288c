//! Quantiles, and the fraction of observations between two values.

use super::{Bucket, Histogram, Rule};

/// What observations that are not a number did to a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotANumber {
    /// The quantile is among them.
    IsResult,
    /// They count as the greatest ones, so the quantile is too high.
    SkewsResult,
    /// They are in no fraction.
    LeftOut,
}

impl Histogram {
    /// The value that this part of the observations is not above, `0 <= part <= 1`. Within a bucket it is
    /// interpolated: exponentially, but linearly around zero and between bounds of its own.
    #[must_use]
    pub fn quantile(&self, part: f64) -> (f64, Option<NotANumber>) {
        if part < 0.0 {
            return (f64::NEG_INFINITY, None);
        }
        if part > 1.0 {
            return (f64::INFINITY, None);
        }
        if self.count == 0.0 || part.is_nan() {
            return (f64::NAN, None);
        }
        let upwards = self.sum.is_nan() || part < 0.5;
        let rank = if upwards { part * self.count } else { (1.0 - part) * self.count };
        let found = if upwards { reach(self.buckets(), rank) } else { reach(self.buckets().rev(), rank) };
        let (bucket, total) = found;
        if let Some(bound) = self.endless(bucket) {
            return (bound, None);
        }
        let bucket = self.natural_bounds(bucket);
        let total = if total > self.count { self.count } else { total };
        if total < rank && self.sum.is_nan() {
            return (f64::NAN, Some(NotANumber::IsResult));
        }
        if total < rank {
            return (bucket.upper, None);
        }
        let within = if upwards { rank - (total - bucket.count) } else { total - rank };
        (self.interpolate(bucket, within / bucket.count), self.skew())
    }

    /// The bound that a bucket without another one answers.
    fn endless(&self, bucket: Bucket) -> Option<f64> {
        match (bucket.lower == f64::NEG_INFINITY, bucket.upper == f64::INFINITY) {
            _ if !self.is_custom() => None,
            (true, _) => (bucket.upper <= 0.0).then_some(bucket.upper),
            (false, true) => Some(bucket.lower),
            (false, false) => None,
        }
    }

    /// A sum that is no number may also come from infinite observations of both signs; those are in buckets.
    fn skew(&self) -> Option<NotANumber> {
        (self.sum.is_nan() && self.in_buckets() < self.count).then_some(NotANumber::SkewsResult)
    }

    fn in_buckets(&self) -> f64 {
        self.buckets().fold(0.0, |sum, bucket| sum + bucket.count)
    }

    fn natural_bounds(&self, mut bucket: Bucket) -> Bucket {
        if self.is_custom() {
            if bucket.lower == f64::NEG_INFINITY {
                bucket.lower = 0.0;
            }
            return bucket;
        }
        if bucket.lower <= 0.0 && bucket.upper >= 0.0 { self.natural_zero(bucket) } else { bucket }
    }

    /// Zero is where observations begin when all are above it, and where they end when all are below.
    pub(super) fn natural_zero(&self, mut bucket: Bucket) -> Bucket {
        match (self.negative.is_empty(), self.positive.is_empty()) {
            (true, false) => bucket.lower = 0.0,
            (false, true) => bucket.upper = 0.0,
            _ => {}
        }
        bucket
    }

    fn interpolate(&self, bucket: Bucket, fraction: f64) -> f64 {
        if self.is_custom() || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
            return bucket.lower + (bucket.upper - bucket.lower) * fraction;
        }
        let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
        if bucket.lower > 0.0 {
            (lower + (upper - lower) * fraction).exp2()
        } else {
            -(upper + (lower - upper) * (1.0 - fraction)).exp2()
        }
    }

    /// Which part of the observations is between the two values.
    #[must_use]
    pub fn fraction(&self, lower: f64, upper: f64) -> (f64, Option<NotANumber>) {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return (f64::NAN, None);
        }
        if lower >= upper {
            return (0.0, None);
        }
        let total = if self.sum.is_nan() { self.in_buckets() } else { self.count };
        let left_out = self.sum.is_nan() && total < self.count;
        let rank = |value| match self.rank(value) {
            Some(rank) if rank > total => total,
            rank => rank.unwrap_or(total),
        };
        ((rank(upper) - rank(lower)) / self.count, left_out.then_some(NotANumber::LeftOut))
    }

    /// How many observations are below a value; nothing when it is above all buckets.
    fn rank(&self, value: f64) -> Option<f64> {
        let mut rank = 0.0;
        for bucket in self.buckets() {
            let zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
            let bounds = if zero { self.natural_zero(bucket) } else { bucket };
            if bounds.lower >= value {
                return Some(rank);
            }
            if bounds.upper > value {
                let linear = zero || self.is_custom();
                if linear && bounds.lower == f64::NEG_INFINITY {
                    return Some(bounds.count);
                }
                return Some(rank + bounds.count * bounds.fraction_below(value, linear));
            }
            rank += bucket.count;
        }
        None
    }
}

/// The bucket in which the sum of counts reaches the rank, else the last one, and the sum up to there.
fn reach(buckets: impl Iterator<Item = Bucket>, rank: f64) -> (Bucket, f64) {
    let mut reached = (Bucket { lower: 0.0, upper: 0.0, rule: Rule::Closed, count: 0.0 }, 0.0);
    for bucket in buckets {
        reached = (bucket, reached.1 + bucket.count);
        if reached.1 >= rank {
            break;
        }
    }
    reached
}
