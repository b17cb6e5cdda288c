//! Texts, numbers and durations.

use super::lexer::Token;
use crate::ParseError;

/// Reads the text that begins with a quote: what it says, and how many bytes it takes.
pub fn text(rest: &str, at: usize) -> Result<(String, usize), ParseError> {
    let quote = rest.chars().next().unwrap_or('"');
    let mut bytes = Vec::new();
    let mut place = quote.len_utf8();
    while let Some(character) = rest.get(place..).and_then(|rest| rest.chars().next()) {
        place += character.len_utf8();
        if character == quote {
            return finished(bytes, at, place);
        }
        if quote == '`' || !matches!(character, '\\' | '\n') {
            bytes.extend(character.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        if character == '\n' {
            break;
        }
        let escape = rest.get(place..).unwrap_or_default();
        place += unescape(escape, quote, &mut bytes).map_err(|message| ParseError {
            at: at + place - 1,
            length: 2.min(escape.len() + 1),
            message,
        })?;
    }
    let message = format!("this quote is not closed; add a {quote} at the end");
    Err(ParseError { at, length: rest.len(), message })
}

fn finished(bytes: Vec<u8>, at: usize, length: usize) -> Result<(String, usize), ParseError> {
    String::from_utf8(bytes).map(|text| (text, length)).map_err(|_| ParseError {
        at,
        length,
        message: "this text is not UTF-8: \\x and \\377 stand for single bytes; write \\u00e9 for é"
            .to_owned(),
    })
}

/// Reads what follows a backslash, as Go does; answers how many bytes that takes.
fn unescape(escape: &str, quote: char, bytes: &mut Vec<u8>) -> Result<usize, String> {
    let Some(first) = escape.chars().next() else {
        return Err("the escape is not complete; write \\\\ for a backslash".to_owned());
    };
    let (start, digits, radix) = match first {
        '0'..='7' => (0, 3, 8),
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        _ => return simple(first, quote, bytes),
    };
    let read =
        escape.get(start..start + digits).filter(|text| text.chars().all(|digit| digit.is_digit(radix)));
    let code = read.and_then(|text| u32::from_str_radix(text, radix).ok());
    let code = code.ok_or_else(|| format!("\\{first} needs {digits} digits of base {radix} after it"))?;
    if matches!(first, 'u' | 'U') {
        let character = char::from_u32(code).ok_or("there is no such character in Unicode")?;
        bytes.extend(character.encode_utf8(&mut [0; 4]).bytes());
    } else {
        bytes.push(u8::try_from(code).map_err(|_| "the largest byte is \\377")?);
    }
    Ok(start + digits)
}

fn simple(first: char, quote: char, bytes: &mut Vec<u8>) -> Result<usize, String> {
    let byte = match first {
        'a' => 7,
        'b' => 8,
        't' => b'\t',
        'n' => b'\n',
        'v' => 11,
        'f' => 12,
        'r' => b'\r',
        '\\' => b'\\',
        '"' | '\'' if first == quote => {
            if quote == '"' {
                b'"'
            } else {
                b'\''
            }
        }
        _ => {
            return Err(format!(
                "there is no escape \\{first}; write \\\\{first} for a backslash, or put the text between backticks"
            ));
        }
    };
    bytes.push(byte);
    Ok(1)
}

/// Reads a number or a duration that begins with a digit, or a dot and a digit.
pub fn number(rest: &str, at: usize) -> Result<(Token<'_>, usize), ParseError> {
    let length = extent(rest);
    let word = rest.get(..length).unwrap_or_default();
    let token = numeric(word).map(Token::Number).or_else(|| duration(word).map(Token::Duration));
    token.map(|token| (token, length)).ok_or_else(|| {
        let message = format!(
            "bad number or duration syntax: {word:?}; write a number such as 1.5 or 1e3, \
             or a duration such as 1h30m, units from large to small: y w d h m s ms"
        );
        ParseError { at, length, message }
    })
}

/// How far a number or duration goes: letters, digits, dots, underscores, and the sign of an exponent.
fn extent(rest: &str) -> usize {
    let mut length = 0;
    for (place, byte) in rest.bytes().enumerate() {
        let sign = matches!(byte, b'+' | b'-') && exponent(rest.get(..place).unwrap_or_default());
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || sign) {
            break;
        }
        length = place + 1;
    }
    length
}

/// Whether it is a decimal number up to and with the `e` of its exponent.
fn exponent(text: &str) -> bool {
    let Some((mantissa, 'e' | 'E')) = text.chars().next_back().map(|last| (text, last)) else { return false };
    mantissa.bytes().filter(|byte| !(byte.is_ascii_digit() || matches!(byte, b'.' | b'_'))).count() == 1
}

fn numeric(word: &str) -> Option<f64> {
    let between = |pair: &[u8]| !matches!(pair, b"__" | b"_." | b"._" | b"_e" | b"_E" | b"e_" | b"E_");
    if word.ends_with('_') || !word.as_bytes().windows(2).all(between) {
        return None;
    }
    let plain = word.replace('_', "");
    let hexadecimal = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X"));
    if let Some(digits) = hexadecimal {
        return integer(digits, 16);
    }
    if plain.len() > 1 && plain.starts_with('0') && plain.bytes().all(|byte| matches!(byte, b'0'..=b'7')) {
        return integer(&plain, 8);
    }
    let allowed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    let number: f64 = plain.bytes().all(allowed).then(|| plain.parse().ok())??;
    number.is_finite().then_some(number)
}

#[expect(clippy::cast_precision_loss, reason = "PromQL knows floats only")]
fn integer(digits: &str, radix: u32) -> Option<f64> {
    let digits = Some(digits).filter(|digits| digits.chars().all(|digit| digit.is_digit(radix)))?;
    i64::from_str_radix(digits, radix).ok().map(|number| number as f64)
}

/// The units, largest first, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Longer than this Prometheus cannot count, in nanoseconds.
const LONGEST: i64 = i64::MAX / 1_000_000;

/// The seconds of a duration such as `1h30m`; each unit once at most, larger ones first.
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
pub fn duration(word: &str) -> Option<f64> {
    let mut rest = word;
    let mut total: i64 = 0;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let (count, unit) = rest.split_at_checked(digits)?;
        let length = unit.find(|character: char| character.is_ascii_digit()).unwrap_or(unit.len());
        let (unit, after) = unit.split_at_checked(length)?;
        let (_, milliseconds) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(count.parse::<i64>().ok()?.checked_mul(*milliseconds)?)?;
        rest = after;
    }
    (!word.is_empty() && total <= LONGEST).then_some(total as f64 / 1000.0)
}

/// A length in milliseconds as people write it: `1h30m`. Years and weeks only when nothing is left over.
pub fn print_duration(milliseconds: i64) -> String {
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    let mut text = String::from(if milliseconds < 0 { "-" } else { "" });
    let mut left = milliseconds.unsigned_abs();
    for (name, unit) in UNITS {
        let unit = unit.unsigned_abs();
        let exact = matches!(name, "y" | "w");
        if left >= unit && (!exact || left.is_multiple_of(unit)) {
            text.push_str(&format!("{}{name}", left / unit));
            left %= unit;
        }
    }
    text
}
