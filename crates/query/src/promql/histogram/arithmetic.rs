//! Adding, subtracting, scaling, comparing.

use super::custom::intersection;
use super::{Buckets, Histogram, Number, ResetHint};
use std::borrow::Cow;
use std::sync::Arc;

/// Buckets with bounds of their own and exponential ones have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("histograms with exponential and custom buckets cannot be combined")]
pub struct IncompatibleBuckets;

/// What may be worth knowing of a sum or difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Combined {
    /// One of the histograms was known to begin anew, the other one not to.
    pub resets_collide: bool,
    /// Only the bounds that both have are left.
    pub bounds_reconciled: bool,
}

impl<N: Number> Histogram<N> {
    /// Adds another histogram. The result has the coarser schema, the wider bucket around zero, and of custom bounds
    /// those that both have.
    ///
    /// # Errors
    /// Only one of them has bounds of its own.
    pub fn add(&mut self, other: &Histogram) -> Result<Combined, IncompatibleBuckets> {
        self.combine(other, |value| value)
    }

    /// Subtracts another histogram, likewise.
    ///
    /// # Errors
    /// Only one of them has bounds of its own.
    pub fn subtract(&mut self, other: &Histogram) -> Result<Combined, IncompatibleBuckets> {
        self.combine(other, |value| -value)
    }

    fn combine(
        &mut self,
        other: &Histogram,
        change: impl Fn(f64) -> f64,
    ) -> Result<Combined, IncompatibleBuckets> {
        if self.is_custom() != other.is_custom() {
            return Err(IncompatibleBuckets);
        }
        let resets_collide = self.combine_hints(other.reset_hint);
        let (other, bounds_reconciled) = self.align(other);
        self.zero_count = self.zero_count.plus(change(other.zero_count));
        self.count = self.count.plus(change(other.count));
        self.sum = self.sum.plus(change(other.sum));
        self.positive.add(&other.positive, &change);
        self.negative.add(&other.negative, &change);
        Ok(Combined { resets_collide, bounds_reconciled })
    }

    /// Gives both the same buckets.
    fn align<'a>(&mut self, other: &'a Histogram) -> (Cow<'a, Histogram>, bool) {
        let mut other = Cow::Borrowed(other);
        if self.is_custom() {
            let differ = self.bounds != other.bounds;
            if differ {
                let bounds = intersection(&self.bounds, &other.bounds);
                self.keep_bounds(&bounds);
                other.to_mut().keep_bounds(&bounds);
            }
            return (other, differ);
        }
        if self.zero_threshold != other.zero_threshold {
            self.reconcile_zero_buckets(other.to_mut());
        }
        self.reduce(other.schema);
        if self.schema < other.schema {
            other.to_mut().reduce(self.schema);
        }
        (other, false)
    }

    /// Of two hints; answers whether they contradict each other.
    fn combine_hints(&mut self, other: ResetHint) -> bool {
        let collide = matches!(
            (self.reset_hint, other),
            (ResetHint::Reset, ResetHint::NotReset) | (ResetHint::NotReset, ResetHint::Reset)
        );
        self.reset_hint = match (self.reset_hint, other) {
            (one, two) if one == two => one,
            (ResetHint::Gauge, _) | (_, ResetHint::Gauge) => ResetHint::Gauge,
            _ => ResetHint::Unknown,
        };
        collide
    }

    /// Multiplies all counts and the sum. Below zero it is no counter any more.
    pub fn multiply(&mut self, factor: f64) {
        *self = self.map(|number| number.map(|value| value * factor));
        if factor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    /// Divides all counts and the sum. By zero there are no buckets any more.
    pub fn divide(&mut self, divisor: f64) {
        *self = self.map(|number| number.map(|value| value / divisor));
        if divisor == 0.0 {
            self.positive = Buckets::default();
            self.negative = Buckets::default();
        }
        if divisor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }
}

impl Histogram {
    /// Whether both are the same, bit for bit, but for empty buckets and what is known of resets.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        let numbers =
            |histogram: &Self| [histogram.count, histogram.sum, histogram.zero_count].map(f64::to_bits);
        self.schema == other.schema
            && numbers(self) == numbers(other)
            && self.zero_threshold == other.zero_threshold
            && (!self.is_custom() || self.bounds == other.bounds)
            && self.positive.same_as(&other.positive)
            && self.negative.same_as(&other.negative)
    }

    /// The same buckets, all empty.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self { schema: self.schema, bounds: Arc::clone(&self.bounds), ..Self::default() }
    }
}
