//! Buckets with bounds of their own.

use super::{Buckets, Histogram, Number};
use std::sync::Arc;

/// The bounds that both have.
pub(super) fn intersection(one: &[f64], other: &[f64]) -> Arc<[f64]> {
    let mut rest = other.iter().peekable();
    let mut both = Vec::new();
    for bound in one {
        while rest.next_if(|next| *next < bound).is_some() {}
        if rest.next_if(|next| *next == bound).is_some() {
            both.push(*bound);
        }
    }
    both.into()
}

impl<N: Number> Histogram<N> {
    /// Merges buckets until only these bounds, which must be among its own, are left.
    pub(super) fn keep_bounds(&mut self, bounds: &Arc<[f64]>) {
        let mut kept = Buckets::default();
        for (index, count) in self.positive.iter() {
            let upper = self.bound(index);
            let place = bounds.partition_point(|bound| *bound < upper);
            kept.join(i32::try_from(place).unwrap_or(i32::MAX), count);
        }
        self.positive = kept;
        self.bounds = Arc::clone(bounds);
    }
}
