//! The bucket around zero.

use super::{Buckets, Histogram, Number};

impl<N: Number> Histogram<N> {
    /// Widens the bucket around zero to at least this far: whole buckets go into it, so it may become wider still.
    pub(super) fn widen_zero_bucket(&mut self, threshold: f64) {
        if self.is_custom() || threshold <= self.zero_threshold {
            return;
        }
        let mut wide = threshold;
        loop {
            let wider = self.whole_bucket(&self.negative, self.whole_bucket(&self.positive, wide));
            if wider <= wide {
                break;
            }
            wide = wider;
        }
        let (positive, negative) =
            (self.first_beyond(wide, &self.positive), self.first_beyond(wide, &self.negative));
        let inner = self.positive.iter().take_while(|(index, _)| *index < positive);
        let inner = inner.chain(self.negative.iter().take_while(|(index, _)| *index < negative));
        self.zero_count = inner.fold(self.zero_count, |sum, (_, count)| sum.join(count));
        self.zero_threshold = wide;
        self.positive.remove_before(positive);
        self.negative.remove_before(negative);
    }

    /// The end of the bucket that this value is inside of, if there is something in it; else the value.
    fn whole_bucket(&self, buckets: &Buckets<N>, value: f64) -> f64 {
        let mut inner = buckets.iter().take_while(|(index, _)| self.bound(index.saturating_sub(1)) < value);
        let around = inner.find(|(index, count)| !count.is_empty() && self.bound(*index) > value);
        around.map_or(value, |(index, _)| self.bound(index))
    }

    /// The first bucket that has nothing nearer to zero than this value.
    fn first_beyond(&self, value: f64, buckets: &Buckets<N>) -> i32 {
        let inner = buckets.iter().take_while(|(index, _)| self.bound(index.saturating_sub(1)) < value);
        inner.last().map_or(buckets.offset, |(index, _)| index.saturating_add(1))
    }

    /// Gives both the same bucket around zero.
    pub(super) fn reconcile_zero_buckets<M: Number>(&mut self, other: &mut Histogram<M>) {
        while self.zero_threshold > other.zero_threshold || other.zero_threshold > self.zero_threshold {
            other.widen_zero_bucket(self.zero_threshold);
            self.widen_zero_bucket(other.zero_threshold);
        }
    }
}
