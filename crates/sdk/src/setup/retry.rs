//! Requests that are tried again, as OTLP has it: where that may help, later each time, and within the time for all.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

/// So often a request is tried again.
const AGAIN: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(1_600);
/// So long a receiver may ask one to wait.
const LONGEST_ASKED: Duration = Duration::from_secs(30);

/// Why a request failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It would fail again.
    Final(String),
    /// It may succeed later, after the time that the receiver asks for.
    ForNow(String, Option<Duration>),
}

/// Tries until it succeeds, cannot, or would have to pause beyond the time for all; then the last error is told.
pub(super) fn patiently<T>(
    within: Duration,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, String> {
    let until = Instant::now() + within;
    let (mut pause, mut longest) = (FIRST_PAUSE, LONGEST_PAUSE);
    let mut tried = 0;
    loop {
        let (error, asked) = match attempt() {
            Ok(done) => return Ok(done),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::ForNow(error, asked)) => (error, asked.unwrap_or_default().min(LONGEST_ASKED)),
        };
        if asked > longest {
            longest = LONGEST_ASKED;
        }
        pause = pause.max(asked);
        let next = Instant::now() + (pause + chance()).min(longest);
        if tried == AGAIN || next >= until {
            return Err(error);
        }
        rest(next);
        pause = (pause * 2).min(longest);
        tried += 1;
    }
}

/// A little more, so that programs that failed together do not come back together.
fn chance() -> Duration {
    Duration::from_millis(RandomState::new().hash_one(0) % 100)
}

fn rest(until: Instant) {
    // A thread may be woken for no reason.
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(within: Duration, failure: impl Fn() -> Failure) -> (u32, Result<(), String>) {
        let mut tried = 0;
        let done = patiently(within, || {
            tried += 1;
            Err(failure())
        });
        (tried, done)
    }

    #[test]
    fn what_cannot_succeed_is_tried_once() {
        let (tried, done) = attempts(Duration::from_secs(10), || Failure::Final("no".to_owned()));
        assert_eq!((tried, done), (1, Err("no".to_owned())));
    }

    #[test]
    fn what_may_succeed_later_is_tried_again_with_pauses() {
        let started = Instant::now();
        let (tried, done) = attempts(Duration::from_secs(600), || Failure::ForNow("busy".to_owned(), None));
        assert_eq!((tried, done), (4, Err("busy".to_owned())));
        // 100, 200 and 400 ms.
        assert!(started.elapsed() >= Duration::from_millis(700));
    }

    #[test]
    fn no_pause_goes_beyond_the_time_for_all() {
        let asked = || Failure::ForNow("busy".to_owned(), Some(Duration::from_secs(3_600)));
        let (tried, done) = attempts(Duration::from_secs(10), asked);
        assert_eq!((tried, done), (1, Err("busy".to_owned())));
    }
}
