//! The functions of PromQL: what they take and what they answer.

use super::ValueType::{self, Matrix, Scalar, String, Vector};

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The types of its arguments; the last one may be left out or repeated, see `most`.
    pub arguments: &'static [ValueType],
    /// How many arguments it needs.
    pub least: usize,
    /// How many it may have.
    pub most: usize,
    /// What it answers.
    pub answers: ValueType,
}

const ANY: usize = usize::MAX;

/// Functions with the same arguments.
type Group = (&'static [&'static str], &'static [ValueType], usize, usize, ValueType);

#[rustfmt::skip]
const GROUPS: [Group; 20] = [
    (
        &[
            "abs", "absent", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "deg", "exp",
            "floor", "histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum",
            "ln", "log10", "log2", "rad", "sgn", "sin", "sinh", "sort", "sort_desc", "sqrt", "start_timestamp",
            "tan", "tanh", "timestamp",
        ],
        &[Vector], 1, 1, Vector,
    ),
    (
        &[
            "absent_over_time", "avg_over_time", "changes", "count_over_time", "delta", "deriv", "first_over_time",
            "idelta", "increase", "irate", "last_over_time", "mad_over_time", "max_over_time", "min_over_time",
            "present_over_time", "rate", "resets", "stddev_over_time", "stdvar_over_time", "sum_over_time",
            "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time",
        ],
        &[Matrix], 1, 1, Vector,
    ),
    (
        &["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"],
        &[Vector], 0, 1, Vector,
    ),
    (&["end", "pi", "range", "start", "step", "time"], &[], 0, 0, Scalar),
    (&["clamp"], &[Vector, Scalar, Scalar], 3, 3, Vector),
    (&["clamp_max", "clamp_min"], &[Vector, Scalar], 2, 2, Vector),
    (&["double_exponential_smoothing"], &[Matrix, Scalar, Scalar], 3, 3, Vector),
    (&["histogram_fraction"], &[Scalar, Scalar, Vector], 3, 3, Vector),
    (&["histogram_quantile"], &[Scalar, Vector], 2, 2, Vector),
    (&["histogram_quantiles"], &[Vector, String, Scalar, Scalar], 3, 12, Vector),
    (&["info"], &[Vector, Vector], 1, 2, Vector),
    (&["label_join"], &[Vector, String, String, String], 3, ANY, Vector),
    (&["label_replace"], &[Vector, String, String, String, String], 5, 5, Vector),
    (&["max_of", "min_of"], &[Scalar, Scalar], 2, 2, Scalar),
    (&["predict_linear"], &[Matrix, Scalar], 2, 2, Vector),
    (&["quantile_over_time"], &[Scalar, Matrix], 2, 2, Vector),
    (&["round"], &[Vector, Scalar], 1, 2, Vector),
    (&["scalar"], &[Vector], 1, 1, Scalar),
    (&["sort_by_label", "sort_by_label_desc"], &[Vector, String], 1, ANY, Vector),
    (&["vector"], &[Scalar], 1, 1, Vector),
];

/// All functions.
pub fn all() -> impl Iterator<Item = Function> {
    GROUPS.into_iter().flat_map(|(names, arguments, least, most, answers)| {
        names.iter().map(move |name| Function { name, arguments, least, most, answers })
    })
}

/// The function of this name.
#[must_use]
pub fn find(name: &str) -> Option<Function> {
    all().find(|function| function.name == name)
}

/// The name that differs least from this one, if one is close.
pub fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_ascii_lowercase();
    let near = names.map(|other| (distance(&lower, other), !other.starts_with(&lower), other)).min()?;
    (near.0 <= 1 + name.len() / 4).then_some(near.2)
}

/// How many letters must be changed, added or removed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other = other.as_bytes();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, byte) in one.bytes().take(64).enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        for (cell, letter) in row.iter_mut().skip(1).zip(other) {
            let changed = diagonal + usize::from(byte != *letter);
            diagonal = *cell;
            *cell = changed.min(*cell + 1).min(before + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
