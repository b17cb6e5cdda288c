//! The end of a query: metrics' names go where they must, and the result gets its order.

use super::column::{Column, Frame, Row, SampleRef, is_absent};
use super::evaluator::{Evaluated, Evaluator, of_scalar};
use super::functions::FloatPoint;
use super::labels::nameless;
use super::plan::{Operation, Planned, RangeSource};
use super::rows::{Vector, execution, united};
use super::smoothing;
use super::windows::{Extent, Moving, Points, RangeSeries};
use foldhash::HashSet;
use query::Error;
use query::promql::{Answer, Labels, Point, RangeModifier, Sample, Series, Value};

/// Computes the query and answers it.
pub(super) fn answer(
    mut evaluator: Evaluator<'_>,
    planned: &Planned<'_>,
    text: &str,
) -> Result<Answer, Error> {
    let is_instant = planned.times.step == 0;
    let value = if is_instant { instant(&mut evaluator, planned)? } else { range(&mut evaluator, planned)? };
    evaluator.notes.failed()?;
    let (warnings, infos) = evaluator.notes.finish(text);
    Ok(Answer { value, warnings, infos })
}

fn instant(evaluator: &mut Evaluator<'_>, planned: &Planned<'_>) -> Result<Value, Error> {
    let frame = planned.times.frame;
    if let Operation::Range(range) = &planned.plan.operation {
        return matrix(evaluator, range, frame).map(Value::Matrix);
    }
    Ok(match evaluator.evaluate(&planned.plan, frame)? {
        Evaluated::Scalar(values) => Value::Scalar(frame.start, values.at(0)),
        Evaluated::Text(text) => Value::String(frame.start, text.to_owned()),
        Evaluated::Vector(vector) => Value::Vector(frame.start, elements(vector)?),
    })
}

fn range(evaluator: &mut Evaluator<'_>, planned: &Planned<'_>) -> Result<Value, Error> {
    let frame = planned.times.frame;
    let kind = match &planned.plan.operation {
        Operation::Range(_) => Some("range vector"),
        Operation::Text(_) => Some("string"),
        _ => None,
    };
    if let Some(kind) = kind {
        let message =
            format!("invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector");
        return Err(Error::Invalid { message });
    }
    let rows = match evaluator.evaluate(&planned.plan, frame)? {
        Evaluated::Scalar(values) => vec![of_scalar(&values, frame.steps)],
        Evaluated::Vector(vector) => named(vector.rows),
        Evaluated::Text(_) => Vec::new(),
    };
    Ok(Value::Matrix(series(united(rows)?, frame)))
}

/// Takes the names off that are not to stay.
fn named(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        if row.drop_name {
            row.labels = nameless(&row.labels);
        }
    }
    rows
}

fn elements(vector: Vector) -> Result<Vec<(Labels, Sample)>, Error> {
    let ordered = vector.ordered;
    let rows = named(vector.rows).into_iter();
    let mut elements: Vec<(Labels, Sample)> =
        rows.filter_map(|row| Some((row.labels, row.column.get(0)?.to_sample()))).collect();
    let mut seen = HashSet::default();
    if !elements.iter().all(|(labels, _)| seen.insert(labels)) {
        return Err(execution("vector cannot contain metrics with the same labelset"));
    }
    drop(seen);
    if !ordered {
        elements.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    }
    Ok(elements)
}

fn series(rows: Vec<Row>, frame: Frame) -> Vec<Series> {
    let mut series: Vec<Series> = rows
        .into_iter()
        .map(|row| Series { points: points(&row.column, frame), labels: row.labels })
        .collect();
    series.sort_unstable_by(|one, other| one.labels.cmp(&other.labels));
    series
}

fn points(column: &Column, frame: Frame) -> Vec<Point> {
    let mut points = Vec::with_capacity(column.len());
    if column.has_histograms() {
        points.extend(
            column.iter().map(|(step, sample)| Point { time: frame.time(step), sample: sample.to_sample() }),
        );
        return points;
    }
    let mut time = frame.start;
    for value in column.floats() {
        if !is_absent(*value) {
            points.push(Point { time, sample: Sample::Float(*value) });
        }
        time = time.saturating_add(frame.step);
    }
    points
}

/// The samples of a range as they are.
fn matrix(
    evaluator: &mut Evaluator<'_>,
    range: &RangeSource<'_>,
    frame: Frame,
) -> Result<Vec<Series>, Error> {
    let (found, extent) = evaluator.range(range, frame)?;
    let found = match found {
        RangeSeries::Computed(rows, inner) => RangeSeries::Computed(united(named(rows))?, inner),
        stored @ RangeSeries::Stored(..) => stored,
    };
    let mut matrix = Vec::new();
    let mut points = Points::default();
    for index in 0..found.len() {
        let Some(row) = found.take(index, &mut points) else { continue };
        let points = seen(&points, &extent, frame.start)?;
        evaluator.budget.hold(points.len())?;
        if !points.is_empty() {
            matrix.push(Series { labels: row.labels, points });
        }
    }
    matrix.sort_unstable_by(|one, other| one.labels.cmp(&other.labels));
    Ok(matrix)
}

fn seen(points: &Points, extent: &Extent, time: i64) -> Result<Vec<Point>, Error> {
    let bounds = extent.bounds(time);
    let mut moving = Moving::default();
    let (floats, histograms) = moving.to(points, extent, bounds);
    let modifier = match extent.modifier {
        None => None,
        Some(RangeModifier::Anchored) => Some("anchored"),
        Some(RangeModifier::Smoothed) => Some("smoothed"),
    };
    let floats = match modifier {
        Some(word) if !histograms.is_empty() => {
            return Err(execution(format!("{word} modifier is not supported with histograms")));
        }
        Some(word) => smoothing::extended(floats, bounds, word == "smoothed"),
        None => floats.to_vec(),
    };
    let float = |point: FloatPoint| Point { time: point.time, sample: Sample::Float(point.value) };
    let mut points: Vec<Point> = floats.into_iter().map(float).collect();
    points.extend(
        histograms
            .iter()
            .map(|point| Point { time: point.time, sample: SampleRef::Histogram(&point.value).to_sample() }),
    );
    points.sort_by_key(|point| point.time);
    Ok(points)
}
