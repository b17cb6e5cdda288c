//! Times and lengths of time as Prometheus' API has them.

/// Years, weeks and so on in milliseconds, in the order in which they may come.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Milliseconds of `1600096945.479` or `2020-09-14T15:22:25.479Z`.
pub fn time(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) => milliseconds((seconds.trunc() * 1000.0) + (seconds.fract() * 1000.0).round()),
        Err(_) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
    }
}

/// Milliseconds of `15`, `0.5` or `1h30m`.
pub fn length(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) => milliseconds((seconds * 1000.0).trunc()),
        Err(_) => units(text),
    }
}

fn milliseconds(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within the range of safe integers")]
    (number.abs() < 9e15).then_some(number as i64)
}

fn units(text: &str) -> Option<i64> {
    let (mut rest, mut units, mut total) = (text, UNITS.iter(), 0i64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at_checked(letters)?;
        // Each unit once, the larger ones first.
        let (_, scale) = units.by_ref().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(*scale)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::{length, time};

    #[test]
    fn times_are_read() {
        for (text, expect) in [
            ("1600096945.479", Some(1_600_096_945_479)),
            ("1600096945", Some(1_600_096_945_000)),
            ("-1.5", Some(-1_500)),
            ("2020-09-14T15:22:25.479Z", Some(1_600_096_945_479)),
            ("2020-09-14T17:22:25.479+02:00", Some(1_600_096_945_479)),
            ("NaN", None),
            ("1e300", None),
            ("now", None),
            ("", None),
        ] {
            assert_eq!(time(text), expect, "{text}");
        }
    }

    #[test]
    fn lengths_are_read() {
        for (text, expect) in [
            ("15", Some(15_000)),
            ("0.5", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("1y2w3d", Some(33_004_800_000)),
            ("100ms", Some(100)),
            ("0", Some(0)),
            ("30m1h", None),
            ("1m1m", None),
            ("m", None),
            ("5 m", None),
            ("1.5h", None),
            ("Inf", None),
            ("", None),
        ] {
            assert_eq!(length(text), expect, "{text}");
        }
    }
}
