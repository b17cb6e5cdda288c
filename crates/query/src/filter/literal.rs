//! Values of a filter: numbers with units, times with units, text.

use super::{Field, Literal};

/// Reads a value as the field understands it: durations in nanoseconds, counts with k, M and G.
pub fn read(field: &Field, text: &str) -> Literal {
    let number = if *field == Field::Duration { duration(text) } else { count(text) };
    let integer = text.parse().ok().filter(|_| *field != Field::Duration).or_else(|| whole(number?));
    Literal { text: text.to_owned(), number, integer }
}

fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    let integer = number as i64;
    (number.fract() == 0.0 && number.abs() < 9.0e15).then_some(integer)
}

fn split(text: &str) -> Option<(f64, &str)> {
    let end = text.rfind(|character: char| character.is_ascii_digit() || character == '.')? + 1;
    let number = text.get(..end)?.parse::<f64>().ok()?;
    number.is_finite().then_some((number, text.get(end..)?))
}

fn count(text: &str) -> Option<f64> {
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    let (number, unit) = split(text)?;
    let factor = match unit {
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        _ => return None,
    };
    Some(number * factor)
}

/// Nanoseconds; a bare number is one of nanoseconds.
fn duration(text: &str) -> Option<f64> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" | "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3_600e9,
        _ => return None,
    };
    Some(number * factor)
}
