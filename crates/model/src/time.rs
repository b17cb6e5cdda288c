//! Points in time and ranges of them, in nanoseconds since the Unix epoch.

/// Nanoseconds since the Unix epoch, exactly as OTLP sends them (`fixed64`). Zero means "not given".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The present, from the system clock.
    #[must_use]
    pub fn now() -> Self {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self(since_epoch.map_or(0, |elapsed| u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// A half-open range of time: `from` is in it, `to` is not. The last moment that can be said has none after it: as an end
/// it means "without end".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { from: Timestamp(0), to: Timestamp(u64::MAX) };

    #[must_use]
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from <= time && self.is_before_end(time)
    }

    /// The end; `None` when there is none.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        (self.to != Self::ALL.to).then_some(self.to)
    }

    fn is_before_end(&self, time: Timestamp) -> bool {
        self.end().is_none_or(|end| time < end)
    }

    /// Whether any point of `first..=last` lies in this range.
    #[must_use]
    pub fn overlaps(&self, first: Timestamp, last: Timestamp) -> bool {
        self.is_before_end(first) && self.from <= last
    }
}

#[cfg(test)]
mod tests {
    use super::{TimeRange, Timestamp};

    #[test]
    fn the_last_moment_is_in_a_range_without_end() {
        const LAST: u64 = u64::MAX;
        for ((from, to), time, expect) in [
            ((0, LAST), LAST, true),
            ((LAST, LAST), LAST, true),
            ((LAST, LAST), LAST - 1, false),
            ((0, LAST - 1), LAST, false),
            ((0, LAST - 1), LAST - 1, false),
            ((0, LAST - 1), LAST - 2, true),
            ((5, 9), 4, false),
            ((5, 9), 5, true),
            ((5, 9), 9, false),
            ((5, 5), 5, false),
        ] {
            let (range, at) = (TimeRange { from: Timestamp(from), to: Timestamp(to) }, Timestamp(time));
            assert_eq!(range.contains(at), expect, "{from}..{to} {time}");
            assert_eq!(range.overlaps(at, at), expect, "{from}..{to} {time}");
        }
        assert_eq!(TimeRange::ALL.end(), None);
    }
}
