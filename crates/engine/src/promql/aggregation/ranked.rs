//! `topk`, `bottomk`, `limitk`, `limit_ratio`: some of the series of each group.

use super::super::column::{Column, Row, SampleRef, Scalars};
use super::super::evaluator::Evaluator;
use super::super::numbers::general;
use super::super::rows::{Vector, execution};
use super::hash::offset;
use super::{Groups, Input, name};
use query::Error;
use query::promql::Aggregator;
use std::cmp::Ordering;
use std::ops::Range;

/// The least and the greatest whole number, as floats.
const LEAST: f64 = i64::MIN as f64;
const GREATEST: f64 = i64::MAX as f64;

impl Evaluator<'_> {
    /// The first of each group: by value, or as they come.
    pub(super) fn ranked(
        &mut self,
        input: &Input<'_>,
        groups: &Groups,
        counts: &Scalars,
    ) -> Result<Vector, Error> {
        if !check_counts(counts, input.steps)? {
            return Ok(Vector::default());
        }
        let mut taken = Taken { columns: vec![None; input.rows.len()], order: Vec::new() };
        let mut ranking = Vec::new();
        for members in &groups.members {
            for step in 0..input.steps {
                self.budget.go_on()?;
                self.candidates(input, members, step, &mut ranking);
                let count = whole(counts.at(step)).min(ranking.len());
                if input.aggregator != Aggregator::LimitK {
                    rank(&mut ranking, count, input.aggregator == Aggregator::TopK);
                }
                for (_, index) in ranking.iter().take(count) {
                    taken.take(input, *index, step);
                }
            }
        }
        let Taken { mut columns, order } = taken;
        self.budget.hold(order.len().saturating_mul(input.steps))?;
        let rows = order.into_iter().filter_map(|index| {
            let row = input.rows.get(index)?;
            let column = columns.get_mut(index)?.take()?;
            Some(Row { labels: row.labels.clone(), drop_name: row.drop_name, column })
        });
        Ok(Vector { rows: rows.collect(), ordered: input.aggregator != Aggregator::LimitK })
    }

    /// The values of the rows that may be taken at a step, and the rows' numbers.
    fn candidates(
        &mut self,
        input: &Input<'_>,
        members: &[usize],
        step: usize,
        found: &mut Vec<(f64, usize)>,
    ) {
        found.clear();
        for index in members {
            match input.rows.get(*index).and_then(|row| row.column.get(step)) {
                Some(SampleRef::Float(value)) => found.push((value, *index)),
                Some(SampleRef::Histogram(_)) if input.aggregator == Aggregator::LimitK => {
                    found.push((0.0, *index));
                }
                Some(SampleRef::Histogram(_)) => {
                    let aggregation = name(input.aggregator);
                    self.notes.inform(format!("ignored histogram in {aggregation} aggregation"), input.place);
                }
                None => {}
            }
        }
    }

    /// Of each series it is known by its labels whether it is among this part of all of them; below zero the others.
    pub(super) fn limit_ratio(
        &mut self,
        (place, steps): (&Range<usize>, usize),
        mut rows: Vec<Row>,
        ratios: &Scalars,
    ) -> Result<Vector, Error> {
        let (least, most) = extent(ratios, steps);
        if ratios.iter(steps).any(f64::is_nan) {
            return Err(execution("Ratio value is NaN"));
        }
        for (ratio, cap) in [(most, 1.0), (least, -1.0)] {
            if ratio / cap > 1.0 {
                let (ratio, cap) = (general(ratio), general(cap));
                let message =
                    format!("ratio value should be between -1 and 1, got {ratio}, capping to {cap}");
                self.notes.warn(message, place);
            }
        }
        for row in &mut rows {
            let offset = offset(&row.labels);
            for step in 0..steps {
                let ratio = ratios.at(step).clamp(-1.0, 1.0);
                let is_in = if ratio >= 0.0 { offset < ratio } else { offset >= 1.0 + ratio };
                if !is_in {
                    row.column.clear(step);
                }
            }
        }
        rows.retain(|row| !row.column.is_empty());
        Ok(Vector::of(rows))
    }
}

/// What was taken of the rows.
struct Taken {
    columns: Vec<Option<Column>>,
    /// The rows' numbers, as they were taken first.
    order: Vec<usize>,
}

impl Taken {
    fn take(&mut self, input: &Input<'_>, index: usize, step: usize) {
        let row = input.rows.get(index);
        if let (Some(column), Some(row)) = (self.columns.get_mut(index), row) {
            let column = column.get_or_insert_with(|| {
                self.order.push(index);
                Column::empty(input.steps)
            });
            if let Some(sample) = row.column.get(step) {
                column.set(step, sample.to_sample());
            }
        }
    }
}

/// Brings the `count` highest (or lowest) to the front, in order. NaN comes last; of equals, the first.
fn rank(values: &mut [(f64, usize)], count: usize, highest_first: bool) {
    let compare = |one: &(f64, usize), other: &(f64, usize)| {
        let by_value = one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal);
        let by_value = if highest_first { by_value.reverse() } else { by_value };
        one.0.is_nan().cmp(&other.0.is_nan()).then(by_value).then(one.1.cmp(&other.1))
    };
    if count > 0 && count < values.len() {
        values.select_nth_unstable_by(count - 1, compare);
    }
    if let Some(first) = values.get_mut(..count) {
        first.sort_unstable_by(compare);
    }
}

/// Whether any of them asks for a series at all.
fn check_counts(counts: &Scalars, steps: usize) -> Result<bool, Error> {
    let (least, most) = extent(counts, steps);
    let is_wrong = matches!(counts, Scalars::Same(count) if count.is_nan());
    if most < 1.0 && !is_wrong {
        return Ok(false);
    }
    if counts.iter(steps).any(f64::is_nan) {
        return Err(execution("Parameter value is NaN"));
    }
    if least <= LEAST {
        return Err(execution(format!("Scalar value {} underflows int64", general(least))));
    }
    if most >= GREATEST {
        return Err(execution(format!("Scalar value {} overflows int64", general(most))));
    }
    Ok(true)
}

/// The least and the greatest.
fn extent(values: &Scalars, steps: usize) -> (f64, f64) {
    let both = (f64::INFINITY, f64::NEG_INFINITY);
    values.iter(steps).fold(both, |(least, most), value| (least.min(value), most.max(value)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "below zero it is none; what is too much is all"
)]
const fn whole(count: f64) -> usize {
    count as usize
}
