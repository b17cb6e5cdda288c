//! The part of a histogram below or above a value. Where a bucket is cut, its observations are taken to be spread as
//! for quantiles; the sum is then estimated.

use super::{Bucket, Histogram, Rule};

/// Which part stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Below,
    Above,
}

/// What stays of a bucket: how many observations, and the value that stands for them.
type Part = (f64, f64);

const NOTHING: Part = (0.0, 0.0);

impl Histogram {
    /// Only the observations below `limit`: the operator `</`.
    pub fn keep_below(&mut self, limit: f64) {
        self.trim(limit, Keep::Below);
    }

    /// Only the observations above `limit`: the operator `>/`.
    pub fn keep_above(&mut self, limit: f64) {
        self.trim(limit, Keep::Above);
    }

    fn trim(&mut self, limit: f64, keep: Keep) {
        let linear = self.is_custom();
        let positive: Vec<(i32, Bucket)> = self.populated_positive().collect();
        let negative: Vec<(i32, Bucket)> = self.populated_negative().collect();
        let mut kept = Kept::default();
        if self.zero_count > 0.0 {
            let (lower, upper) = (-self.zero_threshold, self.zero_threshold);
            let bucket = Bucket { lower, upper, rule: Rule::Closed, count: self.zero_count };
            let bucket = self.natural_zero(bucket);
            self.zero_count = kept.take(bucket, keep.of_zero(bucket, limit));
        }
        for (index, bucket) in positive {
            self.positive.set(index, kept.take(bucket, keep.of_bucket(bucket, limit, linear)));
        }
        for (index, bucket) in negative {
            self.negative.set(index, kept.take(bucket, keep.of_bucket(bucket, limit, linear)));
        }
        if kept.changed {
            self.count = kept.count;
            self.sum = kept.sum;
            self.compact();
        }
    }
}

/// What stays of a histogram.
#[derive(Debug, Default)]
struct Kept {
    count: f64,
    sum: f64,
    changed: bool,
}

impl Kept {
    fn take(&mut self, bucket: Bucket, (count, value): Part) -> f64 {
        self.count += count;
        self.sum += value * count;
        self.changed |= count != bucket.count;
        count
    }
}

impl Keep {
    fn of_bucket(self, bucket: Bucket, limit: f64, linear: bool) -> Part {
        let Bucket { lower, upper, count, .. } = bucket;
        let (whole, cut) = match self {
            Self::Below => (upper <= limit, lower < limit),
            Self::Above => (lower >= limit, upper > limit),
        };
        if whole {
            return (count, middle(lower, upper, linear));
        }
        if !cut {
            return NOTHING;
        }
        if lower == f64::NEG_INFINITY {
            return self.of_lowest(bucket, limit);
        }
        if upper == f64::INFINITY {
            return if self == Self::Above { (count, limit) } else { NOTHING };
        }
        let below = count * bucket.fraction_below(limit, linear);
        match self {
            Self::Below => (below, middle(lower, limit, linear)),
            Self::Above => (count - below, middle(limit, upper, linear)),
        }
    }

    /// Of a bucket without a lower bound: it begins at zero if it ends above. What it has below zero is not known.
    fn of_lowest(self, bucket: Bucket, limit: f64) -> Part {
        let Bucket { upper, count, .. } = bucket;
        let from_zero = limit >= 0.0 && upper > 0.0 && upper < f64::INFINITY;
        match self {
            Self::Below if from_zero && limit > 0.0 => (count * limit / upper, limit / 2.0),
            Self::Below if upper <= 0.0 => (count, limit),
            Self::Above if from_zero => (count * (1.0 - limit / upper), f64::midpoint(limit, upper)),
            Self::Below | Self::Above => NOTHING,
        }
    }

    fn of_zero(self, bucket: Bucket, limit: f64) -> Part {
        let Bucket { lower, upper, count, .. } = bucket;
        let all = (count, f64::midpoint(lower, upper));
        let part = |from: f64, to: f64| (count * ((to - from) / (upper - lower)), f64::midpoint(from, to));
        match self {
            Self::Below if limit <= lower => NOTHING,
            Self::Below if limit >= upper => all,
            Self::Below => part(lower, limit),
            Self::Above if limit <= lower => all,
            Self::Above if limit >= upper => NOTHING,
            Self::Above => part(limit, upper),
        }
    }
}

/// The value that stands for all between two bounds.
fn middle(lower: f64, upper: f64, linear: bool) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) if linear => f64::midpoint(lower, upper),
        (false, false) => (lower * upper).abs().sqrt().copysign(if lower < 0.0 { -1.0 } else { 1.0 }),
    }
}
