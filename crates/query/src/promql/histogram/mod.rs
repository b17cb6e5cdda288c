//! Native histograms, as Prometheus has them: OTLP's exponential histograms, or buckets with bounds of their own.
//!
//! Counts are plain numbers, or [`Kahan`] sums while many histograms are added up.

mod arithmetic;
mod bounds;
mod bucket;
mod buckets;
mod construction;
mod custom;
mod number;
mod quantile;
mod reset;
mod statistics;
mod trim;
mod zero;

#[cfg(test)]
mod tests;

pub use arithmetic::{Combined, IncompatibleBuckets};
pub use bucket::{Bucket, Rule};
pub use construction::Unsupported;
pub use number::{Kahan, Number};
pub use quantile::NotANumber;

use std::sync::Arc;

/// A native histogram of floats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram<N = f64> {
    /// -4 to 8: a bucket's upper bound is `2^(2^-schema)` times the one before; -53: `bounds` has them.
    pub schema: i32,
    /// Observations up to this far from zero are in `zero_count`.
    pub zero_threshold: f64,
    /// Observations near zero.
    pub zero_count: N,
    /// Observations, in all.
    pub count: N,
    /// The sum of all observations.
    pub sum: N,
    /// Buckets above zero. The one with index `i` ends at `2^(i * 2^-schema)`, or at `bounds[i]`.
    pub positive: Buckets<N>,
    /// Buckets below zero, by distance from zero.
    pub negative: Buckets<N>,
    /// With schema -53 the upper bounds of the buckets but the last, which has none; else empty.
    pub bounds: Arc<[f64]>,
    /// What is known of a reset between the sample before and this one.
    pub reset_hint: ResetHint,
}

/// Neighbouring buckets, without gaps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Buckets<N = f64> {
    /// The index of the first one.
    pub offset: i32,
    /// Observations in each bucket alone, not those of the buckets before it.
    pub counts: Vec<N>,
}

/// What is known of a counter's reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResetHint {
    /// It must be found out.
    #[default]
    Unknown,
    /// The counter began anew.
    Reset,
    /// It did not.
    NotReset,
    /// No counter at all.
    Gauge,
}

impl Histogram {
    /// The schema of buckets with bounds of their own.
    pub const CUSTOM: i32 = -53;
    /// The coarsest of the other schemas.
    pub const COARSEST: i32 = -4;
    /// The finest of them.
    pub const FINEST: i32 = 8;
}

impl<N: Number> Histogram<N> {
    /// Whether the buckets have bounds of their own.
    #[must_use]
    pub const fn is_custom(&self) -> bool {
        self.schema == Histogram::CUSTOM
    }

    /// Leaves out empty buckets before the first and after the last one that is not.
    pub fn compact(&mut self) {
        self.positive.compact();
        self.negative.compact();
    }

    /// Merges neighbouring buckets until the schema is `schema`. One that is finer than the histogram's changes
    /// nothing, nor does any when the buckets have bounds of their own.
    pub fn reduce(&mut self, schema: i32) {
        let schema = schema.max(Histogram::COARSEST);
        if self.is_custom() || schema >= self.schema {
            return;
        }
        let levels = self.schema.abs_diff(schema);
        self.positive = self.positive.reduced(levels);
        self.negative = self.negative.reduced(levels);
        self.schema = schema;
    }

    /// Whether some number in it is infinite.
    #[must_use]
    pub fn overflows(&self) -> bool {
        let counts = self.positive.counts.iter().chain(&self.negative.counts);
        let mut all = counts.chain([&self.zero_count, &self.count, &self.sum]);
        all.any(|number| number.value().is_infinite())
    }

    /// With each number changed.
    #[must_use]
    pub fn map<M: Number>(&self, change: impl Fn(N) -> M) -> Histogram<M> {
        Histogram {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: change(self.zero_count),
            count: change(self.count),
            sum: change(self.sum),
            positive: self.positive.map(&change),
            negative: self.negative.map(&change),
            bounds: Arc::clone(&self.bounds),
            reset_hint: self.reset_hint,
        }
    }
}
