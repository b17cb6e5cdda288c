//! A clock for ages. It goes on while the machine runs and stands still while it is off, but for an hour at most; it
//! never goes back, and it does not jump when the system's clock does.
//!
//! Retention asks this clock how old a block is. The system's clock may be wrong by years for a while: after a battery died,
//! in a restored virtual machine, before the time server answered. A jump is told, and nothing is deleted on it.

use model::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time for which the machine was off counts up to this: how long it really was, only the system's clock could tell.
const MOST_OFF: Duration = Duration::from_secs(3_600);
/// The system's clock may drift by so much between two looks; more is a jump.
const DRIFT: Duration = Duration::from_secs(5);

/// 2026-01-01: a clock that says less is wrong.
const EARLIEST: Timestamp = Timestamp(1_767_225_600_000_000_000);

/// What the system's clocks say at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The system's clock.
    pub(crate) wall: Timestamp,
    /// Which start of the machine this is; empty where the system does not tell.
    pub(crate) boot: String,
    /// Since that start, time asleep included.
    pub(crate) uptime: Duration,
}

impl Reading {
    pub(crate) fn now() -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { wall: Timestamp::now(), boot: boot.trim().to_owned(), uptime: uptime() }
    }
}

#[cfg(target_os = "linux")]
fn uptime() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
fn uptime() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What is kept of the clock from one run to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) time: Timestamp,
    pub(crate) reading: Reading,
}

/// How far the system's clock jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jump {
    Forward(Duration),
    Back(Duration),
}

impl Jump {
    /// From how long something took by the system's clock, in nanoseconds, and how long it really did.
    fn between(by_wall: i128, real: Duration) -> Option<Self> {
        let off = by_wall - i128::try_from(real.as_nanos()).unwrap_or(i128::MAX);
        let by = Duration::from_nanos(u64::try_from(off.unsigned_abs()).unwrap_or(u64::MAX));
        (by > DRIFT).then_some(if off > 0 { Self::Forward(by) } else { Self::Back(by) })
    }

    /// In words.
    pub(crate) fn message(self) -> String {
        let (by, direction) = match self {
            Self::Forward(by) => (by, "forward"),
            Self::Back(by) => (by, "back"),
        };
        format!(
            "the system's clock jumped {direction} by {}; nothing is deleted on it, for the age of what is stored is counted on a clock that does not jump",
            in_words(by)
        )
    }
}

fn in_words(by: Duration) -> String {
    match by.as_secs() {
        seconds @ 0..=179 => format!("{seconds} s"),
        seconds @ 180..=10_799 => format!("{} min", seconds / 60),
        seconds @ 10_800..=259_199 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// The clock of one store.
pub(crate) struct Clock {
    /// The time at `since`.
    base: Timestamp,
    since: Duration,
    looked: Mutex<Looked>,
}

/// The last look at the system's clock.
struct Looked {
    reading: Reading,
    jump: Option<Jump>,
}

impl Clock {
    /// Goes on from what was kept. Without that, it begins with the newest that is stored or, when there is nothing, with the
    /// system's clock.
    pub(crate) fn resume(saved: Option<&Saved>, newest: Option<Timestamp>, now: Reading) -> Self {
        let (base, jump) = match saved {
            None => (beginning(newest, now.wall), None),
            Some(saved) => {
                let by_wall = difference(now.wall, saved.reading.wall);
                let same_boot = !now.boot.is_empty() && now.boot == saved.reading.boot;
                let gone = match same_boot {
                    true => now.uptime.saturating_sub(saved.reading.uptime),
                    // Since the machine was started again, it has been on for its uptime at least.
                    false => now.uptime.max(MOST_OFF).min(nanoseconds(by_wall)),
                };
                (later(saved.time, gone), same_boot.then(|| Jump::between(by_wall, gone)).flatten())
            }
        };
        let since = now.uptime;
        Self { base, since, looked: Mutex::new(Looked { reading: now, jump }) }
    }

    /// The time on this clock: about that of the system, while the latter is right.
    pub(crate) fn now(&self) -> Timestamp {
        self.at(uptime())
    }

    fn at(&self, uptime: Duration) -> Timestamp {
        later(self.base, uptime.saturating_sub(self.since))
    }

    /// What is to be kept for the next run.
    pub(crate) fn save(&self) -> Saved {
        let reading = Reading::now();
        Saved { time: self.at(reading.uptime), reading }
    }

    /// Looks whether the system's clock jumped since the last look.
    pub(crate) fn look(&self, now: Reading) -> Option<Jump> {
        let mut looked = self.lock();
        let real = now.uptime.saturating_sub(looked.reading.uptime);
        let jump = Jump::between(difference(now.wall, looked.reading.wall), real);
        looked.reading = now;
        looked.jump = jump.or(looked.jump);
        jump
    }

    /// The last jump of this run, or of the time since the last one.
    pub(crate) fn last_jump(&self) -> Option<Jump> {
        self.lock().jump
    }

    fn lock(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a clock without a past begins. The system's clock may be wrong, and so may the one that a block was sealed by.
fn beginning(newest: Option<Timestamp>, wall: Timestamp) -> Timestamp {
    match newest {
        None => wall,
        Some(newest) if wall < EARLIEST => newest,
        Some(newest) => newest.min(wall),
    }
}

fn difference(later: Timestamp, earlier: Timestamp) -> i128 {
    i128::from(later.0) - i128::from(earlier.0)
}

fn nanoseconds(difference: i128) -> Duration {
    Duration::from_nanos(u64::try_from(difference.max(0)).unwrap_or(u64::MAX))
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp(time.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::{Clock, Jump, Reading, Saved};
    use model::Timestamp;
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;
    const DAY: u64 = 86_400;

    fn reading(wall: u64, boot: &str, uptime: u64) -> Reading {
        Reading { wall: Timestamp(wall * SECOND), boot: boot.to_owned(), uptime: Duration::from_secs(uptime) }
    }

    fn seconds(time: Timestamp) -> u64 {
        time.0 / SECOND
    }

    #[test]
    fn a_run_goes_on_where_the_one_before_ended() {
        let saved = Saved { time: Timestamp(1_000 * SECOND), reading: reading(1_000, "a", 500) };
        for (now, expect, jump, why) in [
            (reading(1_060, "a", 560), 1_060, None, "a minute later"),
            (
                reading(1_060 + 400 * DAY, "a", 560),
                1_060,
                Some(Jump::Forward(Duration::from_secs(400 * DAY))),
                "jumped",
            ),
            (reading(60, "a", 560), 1_060, Some(Jump::Back(Duration::from_secs(1_000))), "set back"),
            (reading(1_060, "b", 10), 1_060, None, "started again"),
            (reading(1_000 + 400 * DAY, "b", 10), 1_000 + 3_600, None, "off for long, or so it seems"),
            (reading(1_000 + 400 * DAY, "b", 7_200), 1_000 + 7_200, None, "on for two hours"),
            (reading(10, "b", 10), 1_000, None, "started again with a clock of 1970"),
            (reading(1_060, "", 10), 1_060, None, "a system that does not tell"),
        ] {
            let clock = Clock::resume(Some(&saved), None, now.clone());
            assert_eq!(seconds(clock.at(now.uptime)), expect, "{why}");
            assert_eq!(clock.last_jump(), jump, "{why}");
        }
    }

    #[test]
    fn without_a_past_it_begins_with_the_newest_block() {
        const YEAR: u64 = 365 * DAY;
        let check = |newest: Option<u64>, wall: u64, expect: u64| {
            let newest = newest.map(|newest| Timestamp(newest * SECOND));
            let clock = Clock::resume(None, newest, reading(wall, "a", 5));
            assert_eq!(seconds(clock.at(Duration::from_secs(7))), expect + 2);
        };
        check(None, 1_000, 1_000);
        check(Some(60 * YEAR), 60 * YEAR + 100, 60 * YEAR);
        check(Some(60 * YEAR), 62 * YEAR, 60 * YEAR);
        check(Some(60 * YEAR), 10, 60 * YEAR);
        check(Some(70 * YEAR), 60 * YEAR, 60 * YEAR);
    }

    #[test]
    fn jumps_are_seen_and_drift_is_not() {
        let clock = Clock::resume(None, None, reading(1_000, "a", 0));
        for (now, expect) in [
            (reading(1_030, "a", 30), None),
            (reading(1_063, "a", 60), None),
            (reading(9_093, "a", 90), Some(Jump::Forward(Duration::from_secs(8_000)))),
            (reading(9_123, "a", 120), None),
            (reading(1_120, "a", 120), Some(Jump::Back(Duration::from_secs(8_003)))),
        ] {
            assert_eq!(clock.look(now.clone()), expect, "{now:?}");
            assert_eq!(seconds(clock.at(now.uptime)), 1_000 + now.uptime.as_secs());
        }
    }
}
