//! Numbers as text, as Prometheus writes them in labels and messages.

/// In the value of a label: as many digits as are needed, never with an exponent.
pub(super) fn plain(value: f64) -> String {
    if value == f64::INFINITY {
        return "+Inf".to_owned();
    }
    if value == f64::NEG_INFINITY {
        return "-Inf".to_owned();
    }
    value.to_string()
}

/// In a message: with an exponent when it is below -4 or above 5.
pub(super) fn general(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || value == 0.0 || (1e-4..1e6).contains(&size) {
        return plain(value);
    }
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_prometheus_writes_them() {
        let cases = [
            (2e6, "2000000", "2e+06"),
            (1.0, "1", "1"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (1e-5, "0.00001", "1e-05"),
            (-0.5, "-0.5", "-0.5"),
        ];
        for (value, as_label, as_message) in cases {
            assert_eq!((plain(value).as_str(), general(value).as_str()), (as_label, as_message));
        }
    }
}
