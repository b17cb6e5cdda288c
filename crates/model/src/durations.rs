//! How durations are distributed, in little space: counts in buckets that grow with the duration, sixteen for each
//! power of two, so that a percentile is off by at most one part in thirty-two.

/// Sub-buckets of a power of two, as a power of two.
const PRECISION: u32 = 4;

/// Counts of durations in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    /// Bucket and count, by bucket.
    buckets: Vec<(u16, u64)>,
    count: u64,
    total: u128,
    longest: u64,
}

impl Durations {
    /// Counts one duration.
    pub fn add(&mut self, duration: u64) {
        self.add_to(bucket(duration), 1);
        self.total += u128::from(duration);
        self.longest = self.longest.max(duration);
    }

    fn add_to(&mut self, bucket: u16, count: u64) {
        self.count += count;
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(place) => self.buckets[place].1 += count,
            Err(place) => self.buckets.insert(place, (bucket, count)),
        }
    }

    /// Counts all that another has counted.
    pub fn merge(&mut self, other: &Self) {
        other.buckets.iter().for_each(|(bucket, count)| self.add_to(*bucket, *count));
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// All together, exactly.
    #[must_use]
    pub const fn total(&self) -> u128 {
        self.total
    }

    /// The longest, exactly.
    #[must_use]
    pub const fn longest(&self) -> u64 {
        self.longest
    }

    /// The duration that this part of them (0 to 1) does not exceed; `None` when there are none.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<u64> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank need not be exact beyond 2^53"
        )]
        let rank = ((self.count as f64 * part.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut before = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            before += count;
            before >= rank
        });
        found.map(|(bucket, _)| middle(*bucket).min(self.longest))
    }

    /// As numbers: total, longest, then bucket and count in turn.
    #[must_use]
    pub fn to_numbers(&self) -> Vec<u64> {
        let total = u64::try_from(self.total).unwrap_or(u64::MAX);
        let buckets = self.buckets.iter().flat_map(|(bucket, count)| [u64::from(*bucket), *count]);
        [total, self.longest].into_iter().chain(buckets).collect()
    }

    /// What [`Self::to_numbers`] gave.
    #[must_use]
    pub fn from_numbers(numbers: &[u64]) -> Self {
        let mut durations = Self::default();
        let [total, longest, buckets @ ..] = numbers else { return durations };
        for [bucket, count] in buckets.as_chunks().0 {
            durations.add_to(u16::try_from(*bucket).unwrap_or(u16::MAX), *count);
        }
        (durations.total, durations.longest) = (u128::from(*total), *longest);
        durations
    }
}

fn bucket(duration: u64) -> u16 {
    let power = 63 - (duration | 1).leading_zeros();
    let bucket = match power.checked_sub(PRECISION) {
        None => duration,
        Some(shift) => (u64::from(shift + 1) << PRECISION) + ((duration >> shift) & ((1 << PRECISION) - 1)),
    };
    u16::try_from(bucket).unwrap_or(u16::MAX)
}

/// The middle of a bucket.
fn middle(bucket: u16) -> u64 {
    let (power, part) = (u32::from(bucket >> PRECISION), u64::from(bucket) & ((1 << PRECISION) - 1));
    match power {
        0 => part,
        1..=60 => {
            let start = (part | 1 << PRECISION) << (power - 1);
            start + ((1u64 << (power - 1)) >> 1)
        }
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::{Durations, bucket, middle};
    use proptest::prelude::{any, proptest};

    proptest! {
        #[test]
        fn a_bucket_is_narrow(duration in any::<u64>()) {
            let found = middle(bucket(duration));
            assert!(found.abs_diff(duration) <= duration / 32 + 1, "{duration} {found}");
        }

        #[test]
        fn quantiles_are_near(mut durations in proptest::collection::vec(0u64..1 << 40, 1..200), part in 0.0f64..1.0) {
            let mut counted = Durations::default();
            let mut other = Durations::default();
            for (place, duration) in durations.iter().enumerate() {
                if place % 2 == 0 { counted.add(*duration) } else { other.add(*duration) }
            }
            counted.merge(&other);
            assert_eq!(Durations::from_numbers(&counted.to_numbers()), counted);
            durations.sort_unstable();
            #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank need not be exact beyond 2^53"
        )]
            let rank = ((durations.len() as f64 * part).ceil() as usize).max(1);
            let exact = durations[rank - 1];
            let found = counted.quantile(part).unwrap();
            assert!(found.abs_diff(exact) <= exact / 32 + 1, "{exact} {found}");
            assert!(counted.quantile(1.0).unwrap().abs_diff(counted.longest()) <= counted.longest() / 32 + 1);
        }
    }
}
