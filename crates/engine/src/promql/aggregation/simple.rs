//! Aggregations that look at each sample once.

use super::super::column::{ABSENT, Column, Row, SampleRef, is_absent};
use super::super::evaluator::Evaluator;
use super::super::functions::Notes;
use super::floats::{Fold, Histograms};
use super::histograms::HistogramFold;
use super::{Groups, Input, name};
use query::Error;
use query::promql::{Combined, Histogram, IncompatibleBuckets, Labels, METRIC_NAME, Sample};
use std::sync::Arc;

/// The histograms of a group at a step.
enum Added {
    /// There was none.
    None,
    /// They add up.
    Sum(Box<HistogramFold>),
    /// They do not.
    Incompatible,
}

impl Evaluator<'_> {
    pub(super) fn fold<F: Fold>(&mut self, input: &Input<'_>, groups: &Groups) -> Result<Vec<Row>, Error> {
        let mut results = Vec::with_capacity(groups.labels.len());
        for (labels, rows) in groups.iter(input.rows) {
            self.budget.hold(input.steps)?;
            let mut floats: Vec<Option<F>> = vec![None; input.steps];
            let mut histograms = Vec::new();
            for row in &rows {
                self.budget.go_on()?;
                add_floats(&mut floats, row.column.floats());
                if row.column.has_histograms() {
                    add_histograms(row, &mut floats, &mut histograms, (input, &mut self.notes));
                }
            }
            let floats: Vec<f64> =
                floats.into_iter().map(|float| float.map_or(ABSENT, |float| float.finish())).collect();
            let column = with_histograms(Column::of(floats), histograms, (input, &mut self.notes));
            if !column.is_empty() {
                let drop_name = rows.iter().any(|row| row.drop_name);
                results.push(Row { labels: labels.clone(), drop_name, column });
            }
        }
        Ok(results)
    }
}

fn add_floats<F: Fold>(floats: &mut [Option<F>], values: &[f64]) {
    for (float, value) in floats.iter_mut().zip(values).filter(|(_, value)| !is_absent(**value)) {
        add_float(float, *value);
    }
}

fn add_float<F: Fold>(float: &mut Option<F>, value: f64) {
    match float {
        Some(float) => float.add(value),
        None => *float = Some(F::first(value)),
    }
}

fn add_histograms<F: Fold>(
    row: &Row,
    floats: &mut [Option<F>],
    histograms: &mut Vec<Added>,
    (input, notes): (&Input<'_>, &mut Notes),
) {
    for (step, sample) in row.column.iter() {
        let SampleRef::Histogram(histogram) = sample else { continue };
        match F::HISTOGRAMS {
            Histograms::Ignored => {
                let aggregation = name(input.aggregator);
                notes.inform(format!("ignored histogram in {aggregation} aggregation"), input.vector_place);
            }
            Histograms::Counted => {
                if let Some(float) = floats.get_mut(step) {
                    add_float(float, 1.0);
                }
            }
            Histograms::Added | Histograms::Averaged => {
                histograms.resize_with(input.steps, || Added::None);
                if let Some(added) = histograms.get_mut(step) {
                    let averages = F::HISTOGRAMS == Histograms::Averaged;
                    add_histogram(added, histogram, averages, (&row.labels, input, notes));
                }
            }
        }
    }
}

fn add_histogram(
    added: &mut Added,
    histogram: &Histogram,
    averages: bool,
    (labels, input, notes): (&Labels, &Input<'_>, &mut Notes),
) {
    match added {
        Added::Incompatible => {}
        Added::None => *added = Added::Sum(Box::new(HistogramFold::first(histogram, averages))),
        Added::Sum(sum) => match sum.add(histogram) {
            Err(IncompatibleBuckets) => {
                let name = labels.get(METRIC_NAME);
                let message = format!(
                    "vector contains a mix of histograms with exponential and custom buckets schemas \
                     for metric name {name:?}"
                );
                notes.warn(message, input.vector_place);
                *added = Added::Incompatible;
            }
            Ok(Combined { bounds_reconciled: true, .. }) => {
                notes.inform(
                    "mismatched custom buckets were reconciled during aggregation",
                    input.vector_place,
                );
            }
            Ok(_) => {}
        },
    }
}

/// Floats and histograms at the same step come to nothing.
fn with_histograms(
    mut column: Column,
    histograms: Vec<Added>,
    (input, notes): (&Input<'_>, &mut Notes),
) -> Column {
    for (step, added) in histograms.into_iter().enumerate() {
        match added {
            Added::None => {}
            _ if column.has(step) => {
                notes.warn("encountered a mix of histograms and floats for aggregation", input.vector_place);
                column.clear(step);
            }
            Added::Incompatible => {}
            Added::Sum(sum) => {
                if sum.resets_collide() {
                    notes.warn("conflicting counter resets during histogram aggregation", input.vector_place);
                }
                column.set(step, Sample::Histogram(Arc::new(sum.finish())));
            }
        }
    }
    column
}
