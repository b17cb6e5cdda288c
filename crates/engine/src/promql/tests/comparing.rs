//! Compares answers with what is expected of them.

use super::expected::Expected;
use super::script::{Query, When};
use super::series::{Described, Written};
use query::promql::{Buckets, Histogram, Labels, Point, Sample, Series, Value};
use std::sync::Arc;

/// How much floats may differ, of their sum.
const TOLERANCE: f64 = 1e-6;

/// Whether a value is the expected one.
pub fn value(query: &Query, found: &Value) -> Result<(), String> {
    match (found, &query.expected) {
        (Value::Scalar(_, number), Expected::Scalar(expected)) if near(*number, *expected) => Ok(()),
        (Value::String(_, text), Expected::String(expected)) if text == expected => Ok(()),
        (Value::Scalar(_, number), Expected::Scalar(expected)) => Err(format!("is {number}, not {expected}")),
        (Value::String(_, text), Expected::String(expected)) => Err(format!("is {text:?}, not {expected:?}")),
        (Value::Vector(_, found), Expected::Series(expected)) => {
            vector(found, expected, query.expectations.ordered)
        }
        (Value::Matrix(found), Expected::Series(expected)) => {
            sorted(&Value::Matrix(found.clone()))?;
            matrix(found, expected, query.expectations.when)
        }
        (found, _) => Err(format!("is of another type: {found:?}")),
    }
}

fn vector(found: &[(Labels, Sample)], expected: &[Described], ordered: bool) -> Result<(), String> {
    for (place, (labels, sample)) in found.iter().enumerate() {
        let among = expected.iter().rposition(|series| series.labels == *labels);
        let Some(index) = among else {
            return Err(format!("{} {} was not expected", name(labels), describe(sample)));
        };
        if ordered && index != place {
            return Err(format!("{} is at place {place}, not {index}", name(labels)));
        }
        let wanted = expected.get(index).and_then(|series| series.values.first());
        let Some(Some(wanted)) = wanted else {
            return Err(format!("{} was expected without a value", name(labels)));
        };
        same(sample, wanted).map_err(|error| format!("{} {error}", name(labels)))?;
    }
    let missing = expected.iter().find(|series| !found.iter().any(|(labels, _)| *labels == series.labels));
    missing.map_or(Ok(()), |series| Err(format!("{} is missing", name(&series.labels))))
}

fn matrix(found: &[Series], expected: &[Described], when: Option<When>) -> Result<(), String> {
    let Some(When::Range { start, step, .. }) = when else {
        return Err(format!(
            "is a matrix: {}",
            found.iter().map(|series| name(&series.labels)).collect::<String>()
        ));
    };
    for series in found {
        let wanted = expected.iter().rfind(|described| described.labels == series.labels);
        let label = name(&series.labels);
        let Some(wanted) = wanted else {
            return Err(format!("{label} {} was not expected", points(&series.points)));
        };
        let times = (0..).map(|index| start + index * step);
        let wanted: Vec<(i64, &Written)> =
            times.zip(&wanted.values).filter_map(|(time, value)| Some((time, value.as_ref()?))).collect();
        if wanted.len() != series.points.len() {
            return Err(format!(
                "{label} has {} points, not {}: {}",
                series.points.len(),
                wanted.len(),
                points(&series.points)
            ));
        }
        for (point, (time, wanted)) in series.points.iter().zip(wanted) {
            if point.time != time {
                return Err(format!("{label} has a point at {}, not {time}", point.time));
            }
            same(&point.sample, wanted).map_err(|error| format!("{label} at {time} {error}"))?;
        }
    }
    let missing = expected.iter().find(|wanted| !found.iter().any(|series| series.labels == wanted.labels));
    missing.map_or(Ok(()), |series| Err(format!("{} is missing", name(&series.labels))))
}

/// The values at one time, as a vector or a scalar.
pub fn at(value: &Value, time: i64, scalar: bool) -> Value {
    let Value::Matrix(series) = value else { return value.clone() };
    let samples = series.iter().filter_map(|series| {
        let point = series.points.iter().find(|point| point.time == time)?;
        Some((series.labels.clone(), point.sample.clone()))
    });
    let samples: Vec<(Labels, Sample)> = samples.collect();
    match samples.first() {
        Some((_, Sample::Float(number))) if scalar => Value::Scalar(time, *number),
        _ => Value::Vector(time, samples),
    }
}

/// Whether a matrix is sorted by labels.
pub fn sorted(value: &Value) -> Result<(), String> {
    match value {
        Value::Matrix(series) if !series.is_sorted_by(|one, next| one.labels < next.labels) => {
            Err("is not sorted by labels".to_owned())
        }
        _ => Ok(()),
    }
}

fn same(found: &Sample, wanted: &Written) -> Result<(), String> {
    let same = match (found, &wanted.sample) {
        (Sample::Float(found), Sample::Float(wanted)) => near(*found, *wanted),
        (Sample::Histogram(found), Sample::Histogram(expected)) => {
            alike(found, expected) && (!wanted.with_hint || found.reset_hint == expected.reset_hint)
        }
        _ => false,
    };
    if same { Ok(()) } else { Err(format!("is {}, not {}", describe(found), describe(&wanted.sample))) }
}

fn alike(one: &Arc<Histogram>, other: &Arc<Histogram>) -> bool {
    let buckets = |one: &Buckets, other: &Buckets| {
        let indexed = |buckets: &Buckets| {
            let counts = (buckets.offset..).zip(buckets.counts.clone());
            counts.filter(|(_, count)| *count != 0.0).collect::<Vec<_>>()
        };
        let (one, other) = (indexed(one), indexed(other));
        one.len() == other.len()
            && one.iter().zip(&other).all(|(one, other)| one.0 == other.0 && near(one.1, other.1))
    };
    one.schema == other.schema
        && one.bounds == other.bounds
        && one.zero_threshold == other.zero_threshold
        && near(one.zero_count, other.zero_count)
        && near(one.count, other.count)
        && near(one.sum, other.sum)
        && buckets(&one.positive, &other.positive)
        && buckets(&one.negative, &other.negative)
}

/// Whether two floats are the same but for rounding.
fn near(one: f64, other: f64) -> bool {
    let stale = |number: f64| number.to_bits() == Sample::STALE;
    if stale(one) || stale(other) {
        return stale(one) && stale(other);
    }
    if one == other || (one.is_nan() && other.is_nan()) {
        return true;
    }
    let sum = one.abs() + other.abs();
    let difference = (one - other).abs();
    if one == 0.0 || other == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

fn name(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(","))
}

fn describe(sample: &Sample) -> String {
    match sample {
        Sample::Float(number) => number.to_string(),
        Sample::Histogram(histogram) => format!(
            "{{{{schema:{} count:{} sum:{} z:{}/{} buckets:{}{:?} n_buckets:{}{:?} bounds:{:?} {:?}}}}}",
            histogram.schema,
            histogram.count,
            histogram.sum,
            histogram.zero_count,
            histogram.zero_threshold,
            histogram.positive.offset,
            histogram.positive.counts,
            histogram.negative.offset,
            histogram.negative.counts,
            histogram.bounds,
            histogram.reset_hint
        ),
    }
}

fn points(points: &[Point]) -> String {
    let all: Vec<String> =
        points.iter().map(|point| format!("{}@{}", describe(&point.sample), point.time)).collect();
    all.join(" ")
}
