//! Reads descriptions of series: `name{label="value"} 1 2+3x4 _ stale {{schema:0 …}}`.

use super::histograms;
use query::promql::{Labels, MatcherOperator, Sample, parse_selector};
use std::sync::Arc;

/// A series in a script.
#[derive(Clone)]
pub struct Described {
    pub labels: Labels,
    pub values: Vec<Option<Written>>,
}

/// A sample in a script.
#[derive(Clone)]
pub struct Written {
    pub sample: Sample,
    /// Whether it says what is known of a reset, so that it must be the same.
    pub with_hint: bool,
}

pub fn read(line: &str) -> Described {
    let end = metric_end(line);
    let (metric, values) = line.split_at(end);
    Described { labels: labels(metric), values: values_of(values.trim()) }
}

/// Where the name and the labels end: at the brace that is closed, or at the first blank.
fn metric_end(line: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    let mut braces = false;
    for (at, character) in line.char_indices() {
        match (quote, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some(open), '\\') if open != '`' => escaped = true,
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(character),
            (None, '{') => braces = true,
            (None, '}') => return at + 1,
            (None, ' ' | '\t') if !braces => return at,
            _ => {}
        }
    }
    line.len()
}

/// Reads labels as a selector, to which a matcher is added that makes any selector a valid one.
fn labels(metric: &str) -> Labels {
    let some = "x=~\".+\",";
    let selector = match metric.split_once('{') {
        Some((name, rest)) => format!("{name}{{{some}{rest}"),
        None => format!("{metric}{{{some}}}"),
    };
    let matchers = parse_selector(&selector).unwrap_or_else(|error| panic!("{metric}: {}", error.message));
    let named = matchers.into_iter().filter(|matcher| matcher.operator == MatcherOperator::Equal);
    Labels::new(named.map(|matcher| (matcher.name, matcher.value)))
}

fn values_of(text: &str) -> Vec<Option<Written>> {
    let mut values = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = item_end(rest);
        let (item, after) = rest.split_at(end);
        if item.starts_with("{{") {
            histograms::read(item, &mut values);
        } else {
            floats(item, &mut values);
        }
        rest = after.trim_start();
    }
    values
}

/// Where an item ends: at a blank that is not within a histogram.
fn item_end(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ' ' | '\t' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

/// `1`, `_x3`, `1x3`, `1+2x3`, `stale`.
fn floats(item: &str, values: &mut Vec<Option<Written>>) {
    let (value, times) = repeated(item);
    if value == "_" {
        values.extend((0..times.unwrap_or(1)).map(|_| None));
        return;
    }
    // After the first character, and not in an exponent.
    let signs = value.char_indices().skip(1).filter(|(_, character)| matches!(character, '+' | '-'));
    let exponent = |at: usize| value.get(..at).is_some_and(|before| before.ends_with(['e', 'E']));
    let sign = signs.map(|(at, _)| at).find(|at| !exponent(*at));
    let (start, step) = sign.map_or((value, "0"), |at| value.split_at(at));
    let (mut start, step) = (float(start), float(step));
    for _ in 0..=times.unwrap_or(0) {
        values.push(Some(Written { sample: Sample::Float(start), with_hint: false }));
        if step != 0.0 {
            start += step;
        }
    }
}

/// `valuexN`.
pub fn repeated(item: &str) -> (&str, Option<usize>) {
    let split = item.rsplit_once('x').and_then(|(value, times)| Some((value, times.parse().ok()?)));
    split.map_or((item, None), |(value, times)| (value, Some(times)))
}

fn float(text: &str) -> f64 {
    if text == "stale" {
        return f64::from_bits(Sample::STALE);
    }
    number(text).unwrap_or_else(|| panic!("no number: {text}"))
}

/// A number alone.
pub fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

#[expect(clippy::cast_possible_truncation, reason = "times in scripts are small")]
pub fn whole(number: f64) -> i64 {
    number.round() as i64
}

/// A histogram as it stands in a script.
pub fn written(histogram: query::promql::Histogram, with_hint: bool) -> Written {
    Written { sample: Sample::Histogram(Arc::new(histogram)), with_hint }
}
