//! Counts of one signal, and its pace.

use model::Timestamp;

/// The pace is told over so many seconds.
const SECONDS: u64 = 10;
/// One slot more, for the second under way.
const SLOTS: usize = 11;

/// What was met since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests taken, in whole or in part.
    pub requests: u64,
    /// Requests of which nothing was kept.
    pub refused_requests: u64,
    /// Items (spans, log records, data points) stored.
    pub accepted: u64,
    /// Items refused out of requests that were taken.
    pub rejected: u64,
}

/// Counts and pace of one signal.
#[derive(Default)]
pub struct Tally {
    pub counts: Counts,
    /// Items by second: which second, and how many. A slot is used again eleven seconds later.
    slots: [(u64, u64); SLOTS],
}

impl Tally {
    pub fn add(&mut self, time: Timestamp, taken: bool, accepted: u64, rejected: u64) {
        if taken {
            self.counts.requests += 1;
        } else {
            self.counts.refused_requests += 1;
        }
        self.counts.accepted += accepted;
        self.counts.rejected += rejected;
        let second = second(time);
        let slot = usize::try_from(second % SLOTS as u64).unwrap_or(0);
        let (of, items) = &mut self.slots[slot];
        if *of != second {
            (*of, *items) = (second, 0);
        }
        *items += accepted;
    }

    /// Items per second over the last whole seconds; the one under way would make the pace look low.
    pub fn per_second(&self, now: Timestamp) -> f64 {
        let now = second(now);
        let recent = |of: u64| of < now && now - of <= SECONDS;
        let items: u64 = self.slots.iter().filter(|(of, _)| recent(*of)).map(|(_, items)| items).sum();
        items as f64 / SECONDS as f64
    }
}

const fn second(time: Timestamp) -> u64 {
    time.0 / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::Tally;
    use model::Timestamp;

    #[test]
    fn the_pace_is_that_of_the_last_ten_seconds() {
        let mut tally = Tally::default();
        let at = |second: u64| Timestamp(second * 1_000_000_000);
        for second in 100..120 {
            tally.add(at(second), true, 30, 0);
        }
        let pace = |second: u64| (tally.per_second(at(second)) * 10.0).round();
        assert_eq!(pace(120), 300.0);
        assert_eq!(pace(125), 150.0);
        assert_eq!(pace(129), 30.0);
        assert_eq!(pace(130), 0.0);
        assert_eq!(tally.counts.accepted, 600);
    }
}
