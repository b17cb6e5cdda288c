//! Writes to standard output and standard error: plain text, with colour only where a person looks. Nothing else writes
//! there what comes from outside, so that no text can steer a terminal or be read as what it is not.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{IsTerminal, Stdout, Write};

/// Standard output.
pub struct Output {
    stream: Stdout,
    colour: bool,
}

/// The codes of colours in use: plain, bold, faint, red, green, cyan.
const COLOURS: [&str; 6] = ["0", "1", "2", "31", "32", "36"];

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

    /// Writes a line, or several; a reader that has gone away is an error of kind `BrokenPipe`. Of what could steer a
    /// terminal only our own colours are let through. All else is written as JSON writes it, so that JSON says the same.
    pub fn line(&self, text: impl fmt::Display) -> std::io::Result<()> {
        let text = text.to_string();
        let mut out = self.stream.lock();
        writeln!(out, "{}", if self.colour { with_colours(&text) } else { escaped(&text) })?;
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

/// Writes a line to standard error.
pub fn tell(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stderr(), "{}", escaped(text))
}

/// Writes a question to standard error; the answer is typed behind it.
pub fn ask(text: &str) -> std::io::Result<()> {
    write!(std::io::stderr(), "{} ", escaped(text))
}

/// Text from outside in one line, made harmless for a terminal: what ends a line or a column becomes a space, and what
/// steers a terminal or turns the direction of text is shown as it is written in JSON.
pub fn harmless(text: &str) -> String {
    let flat = text.chars().map(|character| if "\n\r\t".contains(character) { ' ' } else { character });
    escaped(&flat.collect::<String>()).into_owned()
}

/// Bytes of JSON that say the same without a character that steers a terminal.
pub fn harmless_json(json: &[u8]) -> Cow<'_, [u8]> {
    // The first bytes of such characters, and of a few others.
    if !json.iter().any(|byte| matches!(byte, 0x7f | 0xc2 | 0xd8 | 0xe2)) {
        return Cow::Borrowed(json);
    }
    match std::str::from_utf8(json).map(escaped) {
        Ok(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
        _ => Cow::Borrowed(json),
    }
}

/// Control characters, and those that turn the direction of the text around them. Lines and columns are no harm.
fn is_steering(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    ) || character.is_control() && !matches!(character, '\n' | '\t')
}

/// The text with such characters as JSON writes them. In JSON they stand within strings only, which say the same then.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_steering) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_steering(character) {
            write!(out, "\\u{:04x}", u32::from(character)).expect("a String takes all text");
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// The same, but our colours are let through.
fn with_colours(text: &str) -> Cow<'_, str> {
    let mut parts = text.split("\x1b[");
    let first = escaped(parts.next().unwrap_or_default());
    parts.fold(first, |before, part| {
        let ours =
            COLOURS.iter().any(|code| part.strip_prefix(code).is_some_and(|rest| rest.starts_with('m')));
        Cow::Owned(format!("{before}{}{}", if ours { "\x1b[" } else { "\\u001b[" }, escaped(part)))
    })
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
    use super::{
        Output, Style, count, duration, escaped, fitted, harmless, harmless_json, is_steering, with_colours,
    };
    use std::path::{Path, PathBuf};

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
        assert_eq!(fitted("a\x1b[31m", 13), "a\\u001b[31m  ");
        assert_eq!(Output::plain().paint(Style::Bad, "x"), "x");
    }

    /// Everything that steers a terminal or turns text around.
    fn steering() -> Vec<char> {
        let ranges =
            [0..=0x1f, 0x7f..=0x9f, 0x61c..=0x61c, 0x200e..=0x200f, 0x202a..=0x202e, 0x2066..=0x2069];
        let all = ranges.into_iter().flatten().filter_map(char::from_u32);
        all.filter(|character| !matches!(character, '\n' | '\t')).collect()
    }

    #[test]
    fn what_steers_a_terminal_is_shown() {
        for character in steering() {
            let (text, shown) = (format!("a{character}b"), format!("a\\u{:04x}b", u32::from(character)));
            assert_eq!(escaped(&text), shown);
            assert_eq!(with_colours(&text), shown);
            let in_line = if character == '\r' { "a b" } else { &shown };
            assert_eq!(harmless(&text), in_line);
        }
        for text in ["plain", "Grüße, 世界 😀", "שלום", "a\u{200d}b", "two\nlines\tand a column"] {
            assert_eq!(escaped(text), text);
        }
        assert_eq!(harmless("two\nlines"), "two lines");
        assert_eq!(escaped("\x1b[31mred"), "\\u001b[31mred");
        assert_eq!(
            with_colours("\x1b[31mred\x1b[0m \x1b[2J\x1b[5m\x1b"),
            "\x1b[31mred\x1b[0m \\u001b[2J\\u001b[5m\\u001b"
        );
    }

    #[test]
    fn json_says_the_same() {
        let text: String = ["é世界😀 \"quoted\" \\ \n".to_owned(), steering().into_iter().collect()].concat();
        let value = serde_json::json!({ &text: [&text] });
        for json in [value.to_string(), format!("{value:#}")] {
            let shown = escaped(&json);
            assert!(!shown.contains(is_steering), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
            assert_eq!(harmless_json(json.as_bytes()), shown.as_bytes());
        }
        for harmless in [&b"{\"a\":1}\n"[..], "\"é\"".as_bytes(), b"\xe2\xff"] {
            assert_eq!(harmless_json(harmless), harmless);
        }
    }

    fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { sources(&path, found) } else { found.push(path) }
        }
    }

    /// Whoever writes to the terminal does it here, but for those who write nothing from outside, or check it themselves.
    #[test]
    fn all_commands_write_through_this() {
        let mut found = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let writes = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap();
            ["stdout()", "stderr()"].iter().any(|stream| {
                let mut before: Vec<_> = text.split(stream).collect();
                before.pop();
                before.iter().any(|before| !before.ends_with("is_terminal(&std::io::"))
            })
        };
        let mut names: Vec<_> =
            found.iter().filter(|path| writes(path)).filter_map(|path| path.file_name()?.to_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["completions.rs", "export.rs", "manual.rs", "terminal.rs"]);
    }
}
