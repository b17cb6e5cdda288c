//! How many spans began, ended, were sent and were dropped.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of spans since the program started. At rest, `ended` is `exported` plus `dropped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Spans that were begun and are recorded.
    pub created: u64,
    /// Of these, those that ended.
    pub ended: u64,
    /// Of these, those that a receiver took.
    pub exported: u64,
    /// Of these, those that were given up: the queue was full, or no receiver took them.
    pub dropped: u64,
    /// Traces that were begun here, whether recorded or not.
    pub roots_started: u64,
    /// Of these, those that are recorded.
    pub roots_sampled: u64,
}

/// What became of spans since the program started.
#[must_use]
pub fn counts() -> Counts {
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Counts {
        created: load(&CREATED),
        ended: load(&ENDED),
        exported: load(&EXPORTED),
        dropped: load(&DROPPED),
        roots_started: load(&ROOTS_STARTED),
        roots_sampled: load(&ROOTS_SAMPLED),
    }
}

pub(crate) static CREATED: AtomicU64 = AtomicU64::new(0);
pub(crate) static ENDED: AtomicU64 = AtomicU64::new(0);
pub(crate) static EXPORTED: AtomicU64 = AtomicU64::new(0);
pub(crate) static DROPPED: AtomicU64 = AtomicU64::new(0);
pub(crate) static ROOTS_STARTED: AtomicU64 = AtomicU64::new(0);
pub(crate) static ROOTS_SAMPLED: AtomicU64 = AtomicU64::new(0);

/// Counts so many more.
pub(crate) fn add(counter: &AtomicU64, many: usize) {
    counter.fetch_add(many as u64, Ordering::Relaxed);
}
