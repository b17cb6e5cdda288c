//! Values with units: `7d`, `20GB`.

use std::fmt;
use std::time::Duration;

/// A length of time that is read and shown with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(pub Duration);

/// A number of bytes that is read and shown with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub u64);

/// A part of a whole, in billionths of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(u64);

const BILLION: u64 = 1_000_000_000;

const PERIODS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

const SIZES: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

impl Period {
    pub const EXPECTED: &str = "a time with its unit, such as 30s, 10m, 12h or 7d";

    /// Reads `7d`, `1.5h`, `500ms`.
    pub fn parse(text: &str) -> Option<Self> {
        scaled(text, &PERIODS)
            .filter(|milliseconds| *milliseconds > 0)
            .map(|ms| Self(Duration::from_millis(ms)))
    }
}

impl ByteSize {
    pub const EXPECTED: &str = "a size with its unit, such as 64MiB, 500MB or 20GB";

    /// Reads `20GB` (10⁹ bytes), `64MiB` (2²⁰ bytes), or plain bytes.
    pub fn parse(text: &str) -> Option<Self> {
        scaled(text, &SIZES).filter(|bytes| *bytes > 0).map(Self)
    }

    /// The size as a `usize`, for what is held in memory.
    pub fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Share {
    pub const EXPECTED: &str = "a share from 0 to 1 with at most nine digits, such as 0.1";

    /// Reads `0.1`, `0`, `1`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let whole = text.parse::<u64>().ok().and_then(|whole| whole.checked_mul(BILLION));
        whole.or_else(|| fraction(text, BILLION)).filter(|share| *share <= BILLION).map(Self)
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / BILLION as f64
    }
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let scale = units.iter().find(|(name, _)| *name == unit)?.1;
    match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(scale),
        Err(_) => fraction(number, scale),
    }
}

/// `1.5` of a unit, in whole numbers so that nothing is rounded on the way.
fn fraction(number: &str, scale: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.')?;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = u32::try_from(part.len()).ok().filter(|digits| (1..=9).contains(digits))?;
    let part: u64 = part.parse().ok()?;
    let part = u64::try_from(u128::from(part) * u128::from(scale) / 10u128.pow(digits)).ok()?;
    whole.checked_mul(scale)?.checked_add(part)
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        write_largest(
            formatter,
            milliseconds,
            &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)],
        )
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{}.{:09}", self.0 / BILLION, self.0 % BILLION);
        formatter.write_str(digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            ("TB", 1_000_000_000_000),
            ("GB", 1_000_000_000),
            ("GiB", 1 << 30),
            ("MB", 1_000_000),
            ("MiB", 1 << 20),
            ("KiB", 1 << 10),
            ("KB", 1_000),
            ("", 1),
        ];
        write_largest(formatter, self.0, &units)
    }
}

/// Writes the value in the largest unit that divides it, so that reading it again gives the same value.
fn write_largest(formatter: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let (unit, scale) =
        units.iter().find(|(_, scale)| value.is_multiple_of(*scale)).copied().unwrap_or(("", 1));
    write!(formatter, "{}{unit}", value / scale)
}

#[cfg(test)]
mod tests {
    use super::{ByteSize, Period, Share};

    #[test]
    fn sizes_are_read_and_shown() {
        let check = |text: &str, expect: Option<(u64, &str)>| {
            let read = ByteSize::parse(text);
            assert_eq!(read.map(|size| size.0), expect.map(|(bytes, _)| bytes), "{text}");
            assert_eq!(
                read.map(|size| size.to_string()).as_deref(),
                expect.map(|(_, shown)| shown),
                "{text}"
            );
        };
        check("20GB", Some((20_000_000_000, "20GB")));
        check("64MiB", Some((67_108_864, "64MiB")));
        check("64 mib", Some((67_108_864, "64MiB")));
        check("1.5KB", Some((1_500, "1500")));
        check("123", Some((123, "123")));
        check("0", None);
        check("-1", None);
        check("7d", None);
        check("99999999999TB", None);
        check("", None);
    }

    #[test]
    fn shares_are_read_and_shown() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(Share::parse(text).map(|share| share.to_string()).as_deref(), expect, "{text}");
        };
        check("0.1", Some("0.1"));
        check("0.050", Some("0.05"));
        check("0.000000001", Some("0.000000001"));
        check("0", Some("0"));
        check("1", Some("1"));
        check("1.0", Some("1"));
        check("1.1", None);
        check("10", None);
        check("-0.1", None);
        check("10%", None);
        check("0.0000000001", None);
        check("", None);
    }

    #[test]
    fn periods_are_read_and_shown() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(Period::parse(text).map(|period| period.to_string()).as_deref(), expect, "{text}");
        };
        check("7d", Some("7d"));
        check("1w", Some("7d"));
        check("1.5h", Some("90m"));
        check("500ms", Some("500ms"));
        check("90s", Some("90s"));
        check("7", None);
        check("0s", None);
        check("d", None);
    }
}
