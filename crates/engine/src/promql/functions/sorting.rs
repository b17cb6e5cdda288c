//! The order of a vector.

use super::{Argument, Call, Notes, Row};
use crate::promql::column::SampleRef;
use query::Error;
use std::cmp::Ordering;

/// `sort`: the least first; what is not a number comes last.
pub(super) fn ascending(
    arguments: Vec<Argument<'_>>,
    call: &Call<'_>,
    notes: &mut Notes,
) -> Result<Vec<Row>, Error> {
    let order = |one: f64, other: f64| one.partial_cmp(&other).unwrap_or(Ordering::Equal);
    Ok(by_value(arguments, call, notes, order))
}

/// `sort_desc`: the greatest first; what is not a number comes last.
pub(super) fn descending(
    arguments: Vec<Argument<'_>>,
    call: &Call<'_>,
    notes: &mut Notes,
) -> Result<Vec<Row>, Error> {
    let order = |one: f64, other: f64| other.partial_cmp(&one).unwrap_or(Ordering::Equal);
    Ok(by_value(arguments, call, notes, order))
}

/// Histograms are left out.
fn by_value(
    arguments: Vec<Argument<'_>>,
    call: &Call<'_>,
    notes: &mut Notes,
    order: fn(f64, f64) -> Ordering,
) -> Vec<Row> {
    let (mut rows, _) = split(arguments);
    for row in &mut rows {
        row.column.map_floats(|_, value| Some(value));
    }
    rows.retain(|row| !row.column.is_empty());
    if !is_sortable(call, notes) {
        return rows;
    }
    let value = |row: &Row| match row.column.get(0) {
        Some(SampleRef::Float(value)) => value,
        _ => f64::NAN,
    };
    rows.sort_by(|one, other| {
        let (one, other) = (value(one), value(other));
        one.is_nan().cmp(&other.is_nan()).then_with(|| order(one, other))
    });
    rows
}

/// `sort_by_label`: by the values of labels, where numbers in them count as numbers.
pub(super) fn by_label(
    arguments: Vec<Argument<'_>>,
    call: &Call<'_>,
    notes: &mut Notes,
) -> Result<Vec<Row>, Error> {
    let (mut rows, names) = split(arguments);
    if is_sortable(call, notes) {
        rows.sort_by(|one, other| by_labels(one, other, &names));
    }
    Ok(rows)
}

/// `sort_by_label_desc`: the other way round.
pub(super) fn by_label_descending(
    arguments: Vec<Argument<'_>>,
    call: &Call<'_>,
    notes: &mut Notes,
) -> Result<Vec<Row>, Error> {
    let (mut rows, names) = split(arguments);
    if is_sortable(call, notes) {
        rows.sort_by(|one, other| by_labels(other, one, &names));
    }
    Ok(rows)
}

fn split(arguments: Vec<Argument<'_>>) -> (Vec<Row>, Vec<&str>) {
    let (mut vector, mut texts) = (Vec::new(), Vec::new());
    for argument in arguments {
        match argument {
            Argument::Vector(rows) => vector = rows,
            Argument::Text(text) => texts.push(text),
            Argument::Scalar(_) => {}
        }
    }
    (vector, texts)
}

/// There is no order when there are several steps.
fn is_sortable(call: &Call<'_>, notes: &mut Notes) -> bool {
    let once = call.frame.steps <= 1;
    if !once {
        notes.warn(
            "sort is ineffective for range queries since results are always ordered by labels",
            call.place,
        );
    }
    once
}

fn by_labels(one: &Row, other: &Row, names: &[&str]) -> Ordering {
    let values = names.iter().map(|name| natural(one.labels.get(name), other.labels.get(name)));
    values.fold(Ordering::Equal, Ordering::then).then_with(|| one.labels.cmp(&other.labels))
}

/// The natural order of texts: runs of digits in them count as numbers.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut one_rest, mut other_rest) = (one, other);
    loop {
        let (Some((left, after_left)), Some((right, after_right))) = (run(one_rest), run(other_rest)) else {
            return one_rest.len().cmp(&other_rest.len()).then_with(|| one.cmp(other));
        };
        let order = match (is_number(left), is_number(right)) {
            (true, true) => {
                let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
                left.len().cmp(&right.len()).then_with(|| left.cmp(right))
            }
            _ => left.cmp(right),
        };
        if order != Ordering::Equal {
            return order;
        }
        (one_rest, other_rest) = (after_left, after_right);
    }
}

/// The first characters that are all digits or all not, and the rest.
fn run(text: &str) -> Option<(&str, &str)> {
    let digits = is_number(text);
    let end = text.find(|letter: char| letter.is_ascii_digit() != digits).unwrap_or(text.len());
    if text.is_empty() { None } else { text.split_at_checked(end) }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_count_as_numbers() {
        let mut texts = ["a10", "a9", "b", "10", "9", "a", "", "a9b", "a09", "1.10", "1.9", "a9a"];
        texts.sort_by(|one, other| natural(one, other));
        assert_eq!(texts, ["", "1.9", "1.10", "9", "10", "a", "a09", "a9", "a9a", "a9b", "a10", "b"]);
    }
}
