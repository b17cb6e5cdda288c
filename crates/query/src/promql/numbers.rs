//! Numbers as text, as Prometheus writes them.

use std::ops::Range;

/// All digits that tell it from other numbers, and never an exponent: in queries, and as values of labels.
#[must_use]
pub fn plain_number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => value.to_string(),
    }
}

/// The same, with an exponent of two digits at least when its size is not within a range.
#[must_use]
pub fn short_number(value: f64, plain: Range<f64>) -> String {
    if !value.is_finite() || value == 0.0 || plain.contains(&value.abs()) {
        return plain_number(value);
    }
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::{plain_number, short_number};

    #[test]
    fn numbers_are_written_as_prometheus_writes_them() {
        let cases = [
            (1e22, "10000000000000000000000", "1e+22"),
            (2e6, "2000000", "2e+06"),
            (1.0, "1", "1"),
            (-0.0, "-0", "-0"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN"),
            (1e-5, "0.00001", "1e-05"),
            (-0.5, "-0.5", "-0.5"),
        ];
        for (value, plain, short) in cases {
            assert_eq!(
                (plain_number(value).as_str(), short_number(value, 1e-4..1e6).as_str()),
                (plain, short)
            );
        }
    }
}
