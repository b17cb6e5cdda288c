//! Whether a counter began anew.

use super::buckets::distance;
use super::custom::intersection;
use super::{Buckets, Histogram, ResetHint};
use std::borrow::Cow;

impl Histogram {
    /// Whether the counter began anew between `previous` and this histogram: something in it became less, or is finer
    /// than it was. What is known of a reset decides.
    #[must_use]
    pub fn is_reset(&self, previous: &Self) -> bool {
        match self.reset_hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.is_custom() { self.is_custom_reset(previous) } else { self.is_exponential_reset(previous) }
    }

    fn is_custom_reset(&self, previous: &Self) -> bool {
        if !previous.is_custom() {
            return true;
        }
        if self.bounds == previous.bounds {
            return is_less(&self.positive, &previous.positive);
        }
        let bounds = intersection(&self.bounds, &previous.bounds);
        let (mut now, mut before) = (self.clone(), previous.clone());
        now.keep_bounds(&bounds);
        before.keep_bounds(&bounds);
        is_less(&now.positive, &before.positive)
    }

    fn is_exponential_reset(&self, previous: &Self) -> bool {
        if previous.is_custom()
            || self.schema > previous.schema
            || self.zero_threshold < previous.zero_threshold
        {
            return true;
        }
        let mut before = Cow::Borrowed(previous);
        if self.zero_threshold > previous.zero_threshold {
            before.to_mut().widen_zero_bucket(self.zero_threshold);
        }
        if self.zero_threshold < before.zero_threshold || self.zero_count < before.zero_count {
            return true;
        }
        if self.schema < before.schema {
            before.to_mut().reduce(self.schema);
        }
        is_less(&self.positive, &before.positive) || is_less(&self.negative, &before.negative)
    }
}

/// Whether some bucket has less in it than before.
fn is_less(now: &Buckets, before: &Buckets) -> bool {
    let (gone, rest) = before.counts.split_at(distance(before.offset, now.offset).min(before.counts.len()));
    let mut now = now.counts.iter().skip(distance(now.offset, before.offset));
    gone.iter().any(|count| *count > 0.0)
        || rest.iter().any(|count| now.next().copied().unwrap_or_default() < *count)
}
