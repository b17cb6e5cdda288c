//! Functions of counters.

use super::{Call, FloatPoint, Notes, Window};
use query::promql::{Labels, METRIC_NAME, Sample};

/// `rate`: how much it grows in a second.
pub(super) fn rate(window: &Window<'_>, _: &Call<'_>, _: &mut Notes) -> Option<Sample> {
    let [first, .., last] = window.floats else { return None };
    let grown = last.value - first.value + resets(window.floats);
    let seconds = (window.end - window.start) as f64 / 1000.0;
    Some(Sample::Float(grown * extrapolation(window, first, last, grown) / seconds))
}

/// What was lost when the counter began anew.
fn resets(floats: &[FloatPoint]) -> f64 {
    floats
        .windows(2)
        .filter_map(|pair| match pair {
            [before, after] if after.value < before.value => Some(before.value),
            _ => None,
        })
        .sum()
}

/// How much more the whole window may have than what is between its first and its last sample.
fn extrapolation(window: &Window<'_>, first: &FloatPoint, last: &FloatPoint, grown: f64) -> f64 {
    let seconds = |from: i64, to: i64| (to - from) as f64 / 1000.0;
    let sampled = seconds(first.time, last.time);
    let average = sampled / (window.floats.len() - 1) as f64;
    let (mut before, mut after) = (seconds(window.start, first.time), seconds(last.time, window.end));
    let threshold = average * 1.1;
    if before >= threshold {
        before = average / 2.0;
    }
    if grown > 0.0 && first.value >= 0.0 {
        before = before.min(sampled * (first.value / grown));
    }
    if after >= threshold {
        after = average / 2.0;
    }
    (sampled + before + after) / sampled
}

/// Says that what is taken for a counter has no counter's name.
pub(super) fn not_a_counter(labels: &Labels, call: &Call<'_>, notes: &mut Notes) {
    let name = labels.get(METRIC_NAME);
    let is_counter = ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
    if !name.is_empty() && !is_counter {
        let message = format!(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"{name}\""
        );
        notes.inform(message, call.place_of(0));
    }
}
