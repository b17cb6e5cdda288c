//! Calls of functions.

use super::budget::Budget;
use super::column::{Column, Frame, Row, SampleRef, Scalars};
use super::evaluator::{Evaluated, Evaluator, of_scalar};
use super::functions::{self, Argument, Call, Function, Moment, RangeFunction, WholeFunction, Window};
use super::labels::text;
use super::plan::{CallPlan, Operation, Plan, RangeSource, Source};
use super::rows::{Vector, execution, united};
use super::windows::{Extent, Moving, Points};
use query::Error;
use query::promql::{Histogram, Labels, Sample};
use std::ops::Range;

/// What is asked of `present_over_time`, on the way to `absent_over_time`.
const PRESENT: RangeFunction = RangeFunction::new(|_, _, _| Some(Sample::Float(1.0)));

impl Evaluator<'_> {
    pub(super) fn call<'p>(
        &mut self,
        plan: &CallPlan<'p>,
        place: &'p Range<usize>,
        frame: Frame,
    ) -> Result<Evaluated<'p>, Error> {
        let call = Call { arguments: &plan.written, place, frame };
        let vector = match plan.function {
            Function::Range(function) => Vector::of(self.over_range(function, plan, &call)?),
            Function::AbsentOverTime => Vector::of(self.absent_over_time(plan, &call)?),
            Function::Float(compute) => self.each_float(compute, plan, frame)?,
            Function::Histogram(compute) => self.each_histogram(compute, plan, frame)?,
            Function::Timestamp => self.timestamps(plan, frame)?,
            Function::Number(compute) => return self.numbers(compute, plan, frame).map(Evaluated::Scalar),
            Function::Scalar => return self.only_float(plan, frame).map(Evaluated::Scalar),
            Function::Vector => {
                let (_, scalars) = self.arguments(&plan.arguments, frame)?;
                let value = scalars.first().ok_or_else(|| missing(plan.name))?;
                Vector::of(vec![of_scalar(value, frame.steps)])
            }
            Function::Whole(function) => self.whole(function, plan, &call)?,
        };
        Ok(Evaluated::Vector(vector))
    }

    /// The vector among the arguments, if there is one, and the numbers.
    fn arguments(
        &mut self,
        arguments: &[Plan<'_>],
        frame: Frame,
    ) -> Result<(Option<Vector>, Vec<Scalars>), Error> {
        let (mut found, mut scalars) = (None, Vec::new());
        for argument in arguments {
            if matches!(argument.operation, Operation::Range(_)) {
                continue;
            }
            match self.evaluate(argument, frame)? {
                Evaluated::Vector(vector) => found = Some(vector),
                Evaluated::Scalar(values) => scalars.push(values),
                Evaluated::Text(_) => {}
            }
        }
        Ok((found, scalars))
    }

    fn over_range(
        &mut self,
        function: RangeFunction,
        plan: &CallPlan<'_>,
        call: &Call<'_>,
    ) -> Result<Vec<Row>, Error> {
        let (_, scalars) = self.arguments(&plan.arguments, call.frame)?;
        let range = range_of(plan)?;
        let (series, extent) = self.range(range, call.frame)?;
        let (mut rows, mut points) = (Vec::new(), Points::default());
        for index in 0..series.len() {
            let Some(mut row) = series.take(index, &mut points) else { continue };
            let moved = OverRange { function, extent, scalars: &scalars, call };
            if let Some(column) = moved.column((&row.labels, &points), &self.budget, &mut self.notes)? {
                self.budget.hold(column.steps())?;
                row.drop_name = row.drop_name || !function.keeps_name;
                row.column = column;
                rows.push(row);
            }
        }
        Ok(rows)
    }

    fn absent_over_time(&mut self, plan: &CallPlan<'_>, call: &Call<'_>) -> Result<Vec<Row>, Error> {
        let present = self.over_range(PRESENT, plan, call)?;
        let Some(Function::Whole(absent)) = functions::find("absent") else { return Err(missing("absent")) };
        united(absent(vec![Argument::Vector(present)], call, &mut self.notes)?)
    }

    fn each_float(
        &mut self,
        compute: fn(f64, &[f64]) -> Option<f64>,
        plan: &CallPlan<'_>,
        frame: Frame,
    ) -> Result<Vector, Error> {
        let (vector, scalars) = self.arguments(&plan.arguments, frame)?;
        let Some(mut vector) = vector else {
            let times = (0..frame.steps).map(|step| seconds(frame.time(step))).collect();
            let mut row = of_scalar(&Scalars::Each(times), frame.steps);
            row.column.map_floats(|_, time| compute(time, &[]));
            return Ok(Vector::of(vec![row]));
        };
        let mut numbers = Numbers::of(&scalars);
        for row in &mut vector.rows {
            row.drop_name = true;
            row.column.map_floats(|step, value| compute(value, numbers.at(step)));
        }
        vector.rows.retain(|row| !row.column.is_empty());
        Ok(vector)
    }

    fn each_histogram(
        &mut self,
        compute: fn(&Histogram) -> f64,
        plan: &CallPlan<'_>,
        frame: Frame,
    ) -> Result<Vector, Error> {
        let (vector, _) = self.arguments(&plan.arguments, frame)?;
        let mut vector = vector.ok_or_else(|| missing(plan.name))?;
        vector.rows.retain(|row| row.column.has_histograms());
        for row in &mut vector.rows {
            let mut column = Column::empty(frame.steps);
            for (step, sample) in row.column.iter() {
                if let SampleRef::Histogram(histogram) = sample {
                    column.set_float(step, compute(histogram));
                }
            }
            row.drop_name = true;
            row.column = column;
        }
        vector.rows.retain(|row| !row.column.is_empty());
        Ok(vector)
    }

    fn timestamps(&mut self, plan: &CallPlan<'_>, frame: Frame) -> Result<Vector, Error> {
        let argument = plan.arguments.first().ok_or_else(|| missing(plan.name))?;
        let mut vector = match argument.operation {
            Operation::Selector(source) => {
                Vector::of(self.selected(source, frame, |point| Sample::Float(seconds(point.time)))?)
            }
            _ => {
                let mut vector = self.vector(argument, frame)?;
                for row in &mut vector.rows {
                    row.column = times_of(&row.column, frame);
                }
                vector
            }
        };
        for row in &mut vector.rows {
            row.drop_name = true;
        }
        Ok(vector)
    }

    fn numbers(
        &mut self,
        compute: fn(&Moment, &[f64]) -> f64,
        plan: &CallPlan<'_>,
        frame: Frame,
    ) -> Result<Scalars, Error> {
        let (_, scalars) = self.arguments(&plan.arguments, frame)?;
        let (start, end, step) = (self.times.frame.start, self.times.end, self.times.step);
        let mut numbers = Numbers::of(&scalars);
        let values = (0..frame.steps).map(|index| {
            let moment = Moment { time: frame.time(index), start, end, step };
            compute(&moment, numbers.at(index))
        });
        Ok(Scalars::Each(values.collect()))
    }

    fn only_float(&mut self, plan: &CallPlan<'_>, frame: Frame) -> Result<Scalars, Error> {
        let (vector, _) = self.arguments(&plan.arguments, frame)?;
        let vector = vector.ok_or_else(|| missing(plan.name))?;
        let mut only = Column::empty(frame.steps);
        for (step, sample) in vector.rows.iter().flat_map(|row| row.column.iter()) {
            if let SampleRef::Float(value) = sample {
                only.set_float(step, if only.has(step) { f64::NAN } else { value });
            }
        }
        let value = |step| match only.get(step) {
            Some(SampleRef::Float(value)) => value,
            _ => f64::NAN,
        };
        Ok(Scalars::Each((0..frame.steps).map(value).collect()))
    }

    /// Info series, with the times of their samples in milliseconds.
    fn info_series(&mut self, info: Source, frame: Frame) -> Result<Vec<Row>, Error> {
        let times = self.selected(info, frame, |point| match &point.sample {
            Sample::Float(_) => Sample::Float(point.time as f64),
            histogram @ Sample::Histogram(_) => histogram.clone(),
        })?;
        match times.iter().find(|row| row.column.has_histograms()) {
            Some(row) => {
                let labels = text(&row.labels);
                Err(execution(format!("this should be an info metric, with float samples: {labels}")))
            }
            None => Ok(times),
        }
    }

    fn whole(
        &mut self,
        function: WholeFunction,
        plan: &CallPlan<'_>,
        call: &Call<'_>,
    ) -> Result<Vector, Error> {
        let mut arguments = Vec::with_capacity(plan.arguments.len());
        let mut ordered = false;
        for argument in &plan.arguments {
            arguments.push(match self.evaluate(argument, call.frame)? {
                Evaluated::Scalar(values) => Argument::Scalar(values),
                Evaluated::Text(text) => Argument::Text(text),
                Evaluated::Vector(vector) => {
                    ordered = vector.ordered;
                    Argument::Vector(vector.rows)
                }
            });
        }
        if let Some(info) = plan.info {
            arguments.push(Argument::Vector(self.info_series(info, call.frame)?));
        }
        let rows = function(arguments, call, &mut self.notes)?;
        let ordered = plan.name.starts_with("sort") || (ordered && plan.name.starts_with("label_"));
        Ok(Vector { rows: united(rows)?, ordered })
    }
}

/// A function over a range of one series after the other.
struct OverRange<'c> {
    function: RangeFunction,
    extent: Extent,
    scalars: &'c [Scalars],
    call: &'c Call<'c>,
}

impl OverRange<'_> {
    fn column(
        &self,
        (labels, points): (&Labels, &Points),
        budget: &Budget<'_>,
        notes: &mut functions::Notes,
    ) -> Result<Option<Column>, Error> {
        let (mut column, mut moving): (Option<Column>, _) = (None, Moving::default());
        let mut numbers = Numbers::of(self.scalars);
        let mut has_float = false;
        let frame = self.call.frame;
        for step in 0..frame.steps {
            budget.go_on()?;
            let time = frame.time(step);
            let (start, end) = self.extent.bounds(time);
            let (floats, histograms) = moving.to(points, &self.extent, (start, end));
            if floats.is_empty() && histograms.is_empty() {
                continue;
            }
            let (modifier, scalars) = (self.extent.modifier, numbers.at(step));
            let window = Window { labels, floats, histograms, start, end, time, modifier, scalars };
            if let Some(sample) = (self.function.compute)(&window, self.call, notes) {
                has_float = has_float || matches!(sample, Sample::Float(_));
                column.get_or_insert_with(|| Column::empty(frame.steps)).set(step, sample);
            }
        }
        if let (true, Some(remark)) = (has_float, self.function.remark) {
            remark(labels, self.call, notes);
        }
        Ok(column)
    }
}

/// The numbers among the arguments, step by step.
struct Numbers<'s> {
    scalars: &'s [Scalars],
    now: Vec<f64>,
}

impl<'s> Numbers<'s> {
    fn of(scalars: &'s [Scalars]) -> Self {
        Self { scalars, now: scalars.iter().map(|values| values.at(0)).collect() }
    }

    fn at(&mut self, step: usize) -> &[f64] {
        for (now, values) in self.now.iter_mut().zip(self.scalars) {
            *now = values.at(step);
        }
        &self.now
    }
}

fn range_of<'c, 'p>(plan: &'c CallPlan<'p>) -> Result<&'c RangeSource<'p>, Error> {
    let range = plan.arguments.iter().find_map(|argument| match &argument.operation {
        Operation::Range(range) => Some(range),
        _ => None,
    });
    range.ok_or_else(|| missing(plan.name))
}

fn times_of(column: &Column, frame: Frame) -> Column {
    let mut times = Column::empty(frame.steps);
    for (step, _) in column.iter() {
        times.set_float(step, seconds(frame.time(step)));
    }
    times
}

fn seconds(time: i64) -> f64 {
    time as f64 / 1000.0
}

fn missing(function: &str) -> Error {
    execution(format!("an argument of {function} is missing"))
}
