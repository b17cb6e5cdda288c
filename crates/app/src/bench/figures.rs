//! Latencies, and what is told of them.

use serde::Serialize;
use std::time::Duration;

/// How long each of many requests took.
#[derive(Debug, Default)]
pub struct Latencies(Vec<Duration>);

/// In milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

impl Latencies {
    pub fn add(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Zero when there are none.
    pub fn percentiles(mut self) -> Percentiles {
        self.0.sort_unstable();
        let at = |hundredths: usize| {
            let rank = (self.0.len() * hundredths).div_ceil(100).max(1) - 1;
            self.0.get(rank).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
        };
        Percentiles { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
    }
}

impl Percentiles {
    /// `p50 1.20 ms, p90 …`
    pub fn text(&self) -> String {
        let Self { p50, p90, p99, max } = self;
        format!("p50 {p50:.2} ms, p90 {p90:.2} ms, p99 {p99:.2} ms, max {max:.2} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::{Latencies, Percentiles};
    use std::time::Duration;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let check = |milliseconds: &[u64], expect: (f64, f64, f64, f64)| {
            let mut latencies = Latencies::default();
            milliseconds.iter().for_each(|ms| latencies.add(Duration::from_millis(*ms)));
            let (p50, p90, p99, max) = expect;
            assert_eq!(latencies.percentiles(), Percentiles { p50, p90, p99, max });
        };
        check(&[], (0.0, 0.0, 0.0, 0.0));
        check(&[7], (7.0, 7.0, 7.0, 7.0));
        check(&[2, 1], (1.0, 2.0, 2.0, 2.0));
        check(&(1..=100).rev().collect::<Vec<_>>(), (50.0, 90.0, 99.0, 100.0));
    }
}
