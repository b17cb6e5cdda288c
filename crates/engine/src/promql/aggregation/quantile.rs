//! `quantile`.

use super::super::column::{Column, Row, SampleRef, Scalars};
use super::super::evaluator::Evaluator;
use super::super::numbers::general;
use super::{Groups, Input};
use query::Error;

impl Evaluator<'_> {
    pub(super) fn quantile(
        &mut self,
        input: &Input<'_>,
        groups: &Groups,
        parts: &Scalars,
    ) -> Result<Vec<Row>, Error> {
        self.check_parts(input, parts);
        let mut results = Vec::with_capacity(groups.labels.len());
        let mut values = Vec::new();
        for (labels, rows) in groups.iter(input.rows) {
            self.budget.hold(input.steps)?;
            let mut column = Column::empty(input.steps);
            for step in 0..input.steps {
                self.budget.go_on()?;
                self.floats_at(input, &rows, step, &mut values);
                if !values.is_empty() {
                    column.set_float(step, quantile(parts.at(step), &mut values));
                }
            }
            if !column.is_empty() {
                let drop_name = rows.iter().any(|row| row.drop_name);
                results.push(Row { labels: labels.clone(), drop_name, column });
            }
        }
        Ok(results)
    }

    /// The floats of a step.
    fn floats_at(&mut self, input: &Input<'_>, rows: &[&Row], step: usize, floats: &mut Vec<f64>) {
        floats.clear();
        for sample in rows.iter().filter_map(|row| row.column.get(step)) {
            match sample {
                SampleRef::Float(value) => floats.push(value),
                SampleRef::Histogram(_) => {
                    self.notes.inform("ignored histogram in quantile aggregation", input.vector_place);
                }
            }
        }
    }

    fn check_parts(&mut self, input: &Input<'_>, parts: &Scalars) {
        let outside = |wrong: fn(f64) -> bool| parts.iter(input.steps).filter(move |part| wrong(*part));
        let not_a_number = outside(f64::is_nan).next();
        let above = outside(|part| part > 1.0).max_by(f64::total_cmp);
        let below = outside(|part| part < 0.0).min_by(f64::total_cmp);
        for part in [not_a_number, above, below].into_iter().flatten() {
            let message = format!("quantile value should be between 0 and 1, got {}", general(part));
            self.notes.warn(message, input.parameter_place);
        }
    }
}

/// The value that this part of the values is not above; between two values by weight. NaN is below all numbers.
fn quantile(part: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || part.is_nan() {
        return f64::NAN;
    }
    if part < 0.0 {
        return f64::NEG_INFINITY;
    }
    if part > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|one, other| {
        other.is_nan().cmp(&one.is_nan()).then(one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal))
    });
    let rank = part * (values.len() - 1) as f64;
    let lower = whole(rank);
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    let value = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    value(lower) * (1.0 - weight) + value(upper) * weight
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is the place of a value in a list"
)]
const fn whole(rank: f64) -> usize {
    rank as usize
}
