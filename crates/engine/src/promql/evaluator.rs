//! Computes what was made ready, for all steps together.

use super::budget::Budget;
use super::column::{Column, Frame, Row, SampleRef, Scalars};
use super::functions::Notes;
use super::plan::{Operation, Plan, RangeContent, RangeSource, Source, Times};
use super::rows::{Vector, execution};
use super::selecting::{self, Look};
use super::smoothing;
use super::windows::{Extent, RangeSeries};
use query::Error;
use query::promql::{Point, PromqlRequest, RangeModifier, Sample, Series};
use std::sync::Arc;

/// What a query is computed with.
pub(super) struct Evaluator<'a> {
    /// The query's own steps.
    pub(super) times: Times,
    /// The series of each selection.
    pub(super) loaded: &'a [Arc<Vec<Series>>],
    /// How old a sample may be, in milliseconds.
    pub(super) lookback: i64,
    /// What it may need.
    pub(super) budget: Budget<'a>,
    /// What is remarked.
    pub(super) notes: Notes,
}

/// What an expression is worth.
#[derive(Debug)]
pub(super) enum Evaluated<'p> {
    /// A number at each step.
    Scalar(Scalars),
    /// Series.
    Vector(Vector),
    /// A text.
    Text(&'p str),
}

impl Evaluated<'_> {
    /// How many samples it holds.
    fn samples(&self) -> usize {
        match self {
            Self::Vector(vector) => vector.rows.iter().map(|row| row.column.steps()).sum(),
            Self::Scalar(Scalars::Each(values)) => values.len(),
            Self::Scalar(Scalars::Same(_)) | Self::Text(_) => 0,
        }
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        request: &PromqlRequest,
        times: Times,
        loaded: &'a [Arc<Vec<Series>>],
        budget: Budget<'a>,
    ) -> Self {
        Self { times, loaded, lookback: request.lookback, budget, notes: Notes::default() }
    }

    /// Computes an expression at these steps; once if it is the same at all of them.
    pub(super) fn evaluate<'p>(&mut self, plan: &Plan<'p>, frame: Frame) -> Result<Evaluated<'p>, Error> {
        self.budget.go_on()?;
        let held = self.budget.held();
        let evaluated = if plan.invariant && frame.steps > 1 {
            let once = self.compute(plan, Frame { steps: 1, ..frame })?;
            self.repeat(once, frame.steps)?
        } else {
            self.compute(plan, frame)?
        };
        self.budget.let_go(held);
        self.budget.hold(evaluated.samples())?;
        Ok(evaluated)
    }

    /// What was computed for one step, for so many.
    fn repeat<'p>(&mut self, once: Evaluated<'p>, steps: usize) -> Result<Evaluated<'p>, Error> {
        Ok(match once {
            Evaluated::Text(text) => Evaluated::Text(text),
            Evaluated::Scalar(values) => Evaluated::Scalar(Scalars::Same(values.at(0))),
            Evaluated::Vector(mut vector) => {
                self.budget.hold(vector.rows.len().saturating_mul(steps))?;
                for row in &mut vector.rows {
                    row.column = row.column.repeated(steps);
                }
                Evaluated::Vector(vector)
            }
        })
    }

    fn compute<'p>(&mut self, plan: &Plan<'p>, frame: Frame) -> Result<Evaluated<'p>, Error> {
        match &plan.operation {
            Operation::Number(value) => Ok(Evaluated::Scalar(Scalars::Same(*value))),
            Operation::Text(text) => Ok(Evaluated::Text(text)),
            Operation::Selector(source) => self.selector(plan, *source, frame).map(in_no_order),
            Operation::Range(_) => Err(execution("a range of samples has no value; give it to a function")),
            Operation::Negate(operand) => Ok(negated(self.evaluate(operand, frame)?)),
            Operation::Binary { binary, left, right } => {
                let left = self.evaluate(left, frame)?;
                let right = self.evaluate(right, frame)?;
                self.binary(binary, plan.place, left, right)
            }
            Operation::Aggregation { aggregation, input, parameter } => {
                let parameter = match parameter {
                    Some(parameter) => Some(self.evaluate(parameter, frame)?),
                    None => None,
                };
                let input_place = input.place;
                let input = self.vector(input, frame)?;
                let input = (input.rows, frame.steps);
                self.aggregate(aggregation, (plan.place, input_place), input, parameter)
                    .map(Evaluated::Vector)
            }
            Operation::Call(call) => self.call(call, plan.place, frame),
        }
    }

    /// An expression that the parser knows to be a vector.
    pub(super) fn vector(&mut self, plan: &Plan<'_>, frame: Frame) -> Result<Vector, Error> {
        match self.evaluate(plan, frame)? {
            Evaluated::Vector(vector) => Ok(vector),
            Evaluated::Scalar(_) | Evaluated::Text(_) => Err(execution("expected a vector")),
        }
    }

    fn selector(&mut self, plan: &Plan<'_>, source: Source, frame: Frame) -> Result<Vec<Row>, Error> {
        if source.modifier == Some(RangeModifier::Smoothed) {
            let extent =
                Extent { length: 0, shift: source.shift, modifier: source.modifier, lookback: self.lookback };
            let series = RangeSeries::Stored(self.stored(source), source.finds_resets);
            return smoothing::smoothed(
                &series,
                extent,
                frame,
                (&mut self.budget, &mut self.notes, plan.place),
            );
        }
        self.selected(source, frame, |point| point.sample.clone())
    }

    /// The rows of a selector; `value` is what to take of its samples.
    pub(super) fn selected(
        &mut self,
        source: Source,
        frame: Frame,
        value: impl Fn(&Point) -> Sample,
    ) -> Result<Vec<Row>, Error> {
        let (shift, finds_resets) = (source.shift, source.finds_resets);
        let look = Look { frame, shift, lookback: self.lookback, finds_resets };
        selecting::select(self.stored(source), look, &mut self.budget, value)
    }

    fn stored(&self, source: Source) -> &'a [Series] {
        self.loaded.get(source.index).map_or(&[], |series| series.as_slice())
    }

    /// The series of a range, and the time that it has.
    pub(super) fn range(
        &mut self,
        range: &RangeSource<'_>,
        frame: Frame,
    ) -> Result<(RangeSeries<'a>, Extent), Error> {
        let (shift, lookback) = (range.shift(), self.lookback);
        let extent = Extent { length: range.length, shift, modifier: None, lookback };
        match &range.content {
            RangeContent::Stored(source) => Ok((
                RangeSeries::Stored(self.stored(*source), source.finds_resets),
                Extent { modifier: source.modifier, ..extent },
            )),
            RangeContent::Computed { expression, step, .. } => {
                let inner = self.subquery_frame(&extent, *step, frame)?;
                let rows = match self.evaluate(expression, inner)? {
                    Evaluated::Vector(vector) => vector.rows,
                    Evaluated::Scalar(values) => vec![of_scalar(&values, inner.steps)],
                    Evaluated::Text(_) => Vec::new(),
                };
                Ok((RangeSeries::Computed(rows, inner), extent))
            }
        }
    }

    /// The steps of a subquery: the multiples of its step in all ranges that the outer steps have.
    fn subquery_frame(&self, extent: &Extent, step: i64, outer: Frame) -> Result<Frame, Error> {
        let ((from, _), (_, end)) = (extent.bounds(outer.start), extent.bounds(outer.end()));
        let start = from.div_euclid(step).saturating_add(1).saturating_mul(step);
        let steps = if end < start || outer.steps == 0 { 0 } else { end.saturating_sub(start) / step + 1 };
        let steps = usize::try_from(steps).unwrap_or(usize::MAX);
        self.budget.room_for(steps)?;
        Ok(Frame { start, step, steps })
    }
}

fn in_no_order<'p>(rows: Vec<Row>) -> Evaluated<'p> {
    Evaluated::Vector(Vector::of(rows))
}

/// The row that a number is in a subquery.
pub(super) fn of_scalar(values: &Scalars, steps: usize) -> Row {
    Row {
        labels: query::promql::Labels::default(),
        drop_name: false,
        column: Column::of(values.iter(steps).collect()),
    }
}

fn negated(operand: Evaluated<'_>) -> Evaluated<'_> {
    match operand {
        Evaluated::Scalar(Scalars::Same(value)) => Evaluated::Scalar(Scalars::Same(-value)),
        Evaluated::Scalar(Scalars::Each(values)) => {
            Evaluated::Scalar(Scalars::Each(values.into_iter().map(|value| -value).collect()))
        }
        Evaluated::Vector(mut vector) => {
            for row in &mut vector.rows {
                row.drop_name = true;
                negate(&mut row.column);
            }
            Evaluated::Vector(vector)
        }
        Evaluated::Text(text) => Evaluated::Text(text),
    }
}

fn negate(column: &mut Column) {
    if !column.has_histograms() {
        column.map_floats(|_, value| Some(-value));
        return;
    }
    for step in 0..column.steps() {
        let negative = match column.get(step) {
            Some(SampleRef::Float(value)) => Sample::Float(-value),
            Some(SampleRef::Histogram(histogram)) => {
                let mut histogram = histogram.as_ref().clone();
                histogram.multiply(-1.0);
                Sample::Histogram(Arc::new(histogram))
            }
            None => continue,
        };
        column.set(step, negative);
    }
}
