//! Histograms in scripts: `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`.

use super::series::{Written, repeated, whole, written};
use query::promql::{Buckets, Histogram, ResetHint};

/// `{{…}}`, `{{…}}x3`, `{{…}}+{{…}}x3`.
pub fn read(item: &str, values: &mut Vec<Option<Written>>) {
    let (described, times) = repeated(item);
    let end = described.find("}}").unwrap() + 2;
    let (first, second) = described.split_at(end);
    let (mut histogram, mut with_hint) = literal(first);
    let step = second.get(1..).filter(|second| !second.is_empty()).map(literal);
    with_hint = step.as_ref().map_or(with_hint, |(_, with_hint)| *with_hint);
    for index in 0..=times.unwrap_or(0) {
        if let Some((step, _)) = step.as_ref().filter(|_| index > 0) {
            assert!(histogram.schema <= step.schema, "the first histogram is finer: {item}");
            let combined =
                if second.starts_with('-') { histogram.subtract(step) } else { histogram.add(step) };
            combined.unwrap_or_else(|_| panic!("these cannot be combined: {item}"));
        }
        values.push(Some(written(histogram.clone(), with_hint)));
    }
}

fn literal(text: &str) -> (Histogram, bool) {
    let inner = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}")).unwrap();
    let mut histogram = Histogram::default();
    let mut with_hint = false;
    for (key, value) in pairs(inner) {
        match key {
            "schema" => histogram.schema = integer(value),
            "sum" => histogram.sum = number(value),
            "count" => histogram.count = number(value),
            "z_bucket" => histogram.zero_count = number(value),
            "z_bucket_w" => histogram.zero_threshold = number(value),
            "custom_values" => histogram.bounds = numbers(value).into(),
            "buckets" => histogram.positive.counts = numbers(value),
            "n_buckets" => histogram.negative.counts = numbers(value),
            "offset" => histogram.positive.offset = integer(value),
            "n_offset" => histogram.negative.offset = integer(value),
            "counter_reset_hint" => {
                with_hint = true;
                histogram.reset_hint = hint(value);
            }
            other => panic!("what is {other} of a histogram?"),
        }
    }
    for buckets in [&mut histogram.positive, &mut histogram.negative] {
        if buckets.counts.is_empty() {
            *buckets = Buckets::default();
        }
    }
    (histogram, with_hint)
}

/// `key:value key:[value value]`.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    while let Some((key, after)) = rest.split_once(':') {
        let end = if after.starts_with('[') { after.find(']').map(|at| at + 1) } else { after.find(' ') };
        let (value, after) = after.split_at(end.unwrap_or(after.len()));
        pairs.push((key.trim(), value));
        rest = after.trim_start();
    }
    pairs
}

fn hint(value: &str) -> ResetHint {
    match value {
        "unknown" => ResetHint::Unknown,
        "reset" => ResetHint::Reset,
        "not_reset" => ResetHint::NotReset,
        "gauge" => ResetHint::Gauge,
        other => panic!("what hint is {other}?"),
    }
}

fn numbers(value: &str) -> Vec<f64> {
    value.trim_matches(['[', ']']).split_whitespace().map(number).collect()
}

fn number(value: &str) -> f64 {
    value.parse().unwrap_or_else(|_| panic!("no number: {value}"))
}

fn integer(value: &str) -> i32 {
    i32::try_from(whole(number(value))).unwrap()
}
