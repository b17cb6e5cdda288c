//! Writes to standard output: plain text, with colour only where a person looks.

use std::fmt;
use std::io::{IsTerminal, Stdout, Write};

/// Standard output.
pub struct Output {
    stream: Stdout,
    colour: bool,
}

/// What a piece of text says, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Bold,
    Faint,
    Bad,
    Good,
    Accent,
}

impl Output {
    pub fn new(no_colour: bool) -> Self {
        let stream = std::io::stdout();
        let colour = !no_colour && stream.is_terminal();
        Self { stream, colour }
    }

    #[cfg(test)]
    pub fn plain() -> Self {
        Self::new(true)
    }

    /// Writes a line; a reader that has gone away is an error of kind `BrokenPipe`.
    pub fn line(&self, text: impl fmt::Display) -> std::io::Result<()> {
        let mut out = self.stream.lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// The text in its colour, when standard output is a terminal.
    pub fn paint(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Plain => return text.to_owned(),
            Style::Bold => "1",
            Style::Faint => "2",
            Style::Bad => "31",
            Style::Good => "32",
            Style::Accent => "36",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Text from outside, made harmless for a terminal: control characters become spaces.
pub fn harmless(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// The text in exactly `width` columns, cut with `…` or filled with spaces. Counts characters.
pub fn fitted(text: &str, width: usize) -> String {
    let text = harmless(text);
    let length = text.chars().count();
    if length <= width {
        return format!("{text}{}", " ".repeat(width - length));
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Nanoseconds as a person reads them: `412 ms`, `3.21 s`, `2 m 5 s`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn duration(nanoseconds: u64) -> String {
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{} µs", three_digits(nanoseconds as f64 / 1e3)),
        1_000_000..1_000_000_000 => format!("{} ms", three_digits(nanoseconds as f64 / 1e6)),
        1_000_000_000..60_000_000_000 => format!("{} s", three_digits(nanoseconds as f64 / 1e9)),
        60_000_000_000..3_600_000_000_000 => {
            format!("{} m {} s", nanoseconds / 60_000_000_000, nanoseconds / 1_000_000_000 % 60)
        }
        _ => format!("{} h {} m", nanoseconds / 3_600_000_000_000, nanoseconds / 60_000_000_000 % 60),
    }
}

fn three_digits(value: f64) -> String {
    let decimals = match value {
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The time on this machine's clock: `2026-01-31 12:00:00`.
pub fn local_time(nanoseconds: u64) -> String {
    let time =
        jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `1.50 MiB`.
pub fn bytes(number: u64) -> String {
    indicatif::BinaryBytes(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Output, Style, count, duration, fitted};

    #[test]
    fn numbers_are_readable() {
        let check = |nanoseconds, expect| assert_eq!(duration(nanoseconds), expect);
        check(999, "999 ns");
        check(1_500, "1.50 µs");
        check(412_000_000, "412 ms");
        check(3_214_000_000, "3.21 s");
        check(125_000_000_000, "2 m 5 s");
        check(7_260_000_000_000, "2 h 1 m");
        assert_eq!([count(0), count(999), count(1_234_567)], ["0", "999", "1,234,567"]);
    }

    #[test]
    fn text_from_outside_fits_and_is_harmless() {
        assert_eq!(fitted("ab", 4), "ab  ");
        assert_eq!(fitted("abcdef", 4), "abc…");
        assert_eq!(fitted("a\x1b[31m", 8), "a [31m  ");
        assert_eq!(Output::plain().paint(Style::Bad, "x"), "x");
    }
}
