//! Buckets with their bounds.

use super::{Histogram, Number};

/// A bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Where it begins.
    pub lower: f64,
    /// Where it ends.
    pub upper: f64,
    /// Which of the two bounds belong to it.
    pub rule: Rule,
    /// How many observations are in it.
    pub count: f64,
}

/// Which bounds belong to a bucket; the numbers are those of Prometheus' HTTP API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The upper one.
    LeftOpen = 0,
    /// The lower one.
    RightOpen = 1,
    /// Neither.
    Open = 2,
    /// Both.
    Closed = 3,
}

impl Histogram {
    /// The buckets with something in them, from the lowest to the highest.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        let zero = (self.zero_count > 0.0).then_some(Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            rule: Rule::Closed,
            count: self.zero_count,
        });
        let negative = self.populated_negative().rev().map(|(_, bucket)| self.outside_zero(bucket));
        let positive = self.populated_positive().map(|(_, bucket)| self.outside_zero(bucket));
        negative.chain(zero).chain(positive)
    }

    /// The buckets above zero with their indices.
    pub(super) fn populated_positive(&self) -> impl DoubleEndedIterator<Item = (i32, Bucket)> {
        let populated = self.positive.iter().filter(|(_, count)| !count.is_empty());
        populated.map(|(index, count)| {
            let (lower, upper) = (self.bound(index.saturating_sub(1)), self.bound(index));
            let rule = if self.is_custom() && index == 0 { Rule::Closed } else { Rule::LeftOpen };
            (index, Bucket { lower, upper, rule, count })
        })
    }

    /// The buckets below zero with their indices, the nearest first.
    pub(super) fn populated_negative(&self) -> impl DoubleEndedIterator<Item = (i32, Bucket)> {
        let populated = self.negative.iter().filter(|(_, count)| !count.is_empty());
        populated.map(|(index, count)| {
            let (lower, upper) = (-self.bound(index), -self.bound(index.saturating_sub(1)));
            (index, Bucket { lower, upper, rule: Rule::RightOpen, count })
        })
    }

    /// A bucket does not reach into the one around zero.
    fn outside_zero(&self, mut bucket: Bucket) -> Bucket {
        if bucket.upper < 0.0 {
            bucket.upper = bucket.upper.min(-self.zero_threshold);
        }
        if bucket.lower > 0.0 {
            bucket.lower = bucket.lower.max(self.zero_threshold);
        }
        bucket
    }
}

impl Bucket {
    /// Which part of the observations is below this value, which is inside the bucket.
    pub(super) fn fraction_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let [lower, upper, value_log] = [self.lower, self.upper, value].map(|bound| bound.abs().log2());
        if value > 0.0 {
            (value_log - lower) / (upper - lower)
        } else {
            1.0 - (value_log - upper) / (lower - upper)
        }
    }
}
