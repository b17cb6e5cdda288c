//! The functions of PromQL, and how each is called.

mod absent;
mod borders;
mod classic;
mod dates;
mod distributions;
mod info;
mod labels;
mod math;
mod notes;
mod over_time;
mod rate;
mod remarks;
mod sorting;
mod steps;
mod sums;
mod timeline;
mod trend;

#[cfg(test)]
mod tests;

pub(crate) use notes::Notes;

use super::column::{Frame, Row, Scalars};
use query::Error;
use query::promql::{Expression, Histogram, Labels, Node, RangeModifier, Sample};
use std::f64::consts::PI;
use std::ops::Range;
use std::sync::Arc;

/// How a function is called.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Function {
    /// Over a range: the samples of a series in a window become one, or none.
    Range(RangeFunction),
    /// `absent_over_time`: the evaluator asks `present_over_time` and then `absent`.
    AbsentOverTime,
    /// Of the floats of a vector, one by one; histograms are left out, and so are values for which it answers nothing.
    /// The metric's name goes. The second argument are the function's scalar arguments. Without a vector (`hour()`) it
    /// is asked of the step's time in seconds.
    Float(FloatFunction),
    /// Of the native histograms of a vector, one by one; floats are left out. The metric's name goes.
    Histogram(fn(&Histogram) -> f64),
    /// `timestamp`: of a selector the times of its samples, else those of the steps.
    Timestamp,
    /// A number at each step, from numbers: `time`, `pi`, `max_of`.
    Number(fn(&Moment, &[f64]) -> f64),
    /// `scalar`: a vector of one float becomes a number, any other NaN.
    Scalar,
    /// `vector`: a number becomes a vector without labels.
    Vector,
    /// Of whole vectors, over all steps at once.
    Whole(WholeFunction),
}

/// A function of one float and numbers.
pub(crate) type FloatFunction = fn(f64, &[f64]) -> Option<f64>;

/// A function over a range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RangeFunction {
    /// Asked for each series and step whose window has a sample.
    pub(crate) compute: fn(&Window<'_>, &Call<'_>, &mut Notes) -> Option<Sample>,
    /// Whether the result has the metric's name still.
    pub(crate) keeps_name: bool,
    /// Asked once for each series of which there is a float in the result.
    pub(crate) remark: Option<fn(&Labels, &Call<'_>, &mut Notes)>,
}

impl RangeFunction {
    /// One that takes the metric's name off.
    pub(crate) const fn new(compute: fn(&Window<'_>, &Call<'_>, &mut Notes) -> Option<Sample>) -> Self {
        Self { compute, keeps_name: false, remark: None }
    }
}

/// A function of whole vectors: the arguments, in the order of the query; the evaluator takes away rows without a sample,
/// merges rows of the same labels and complains if they overlap.
pub(crate) type WholeFunction = fn(Vec<Argument<'_>>, &Call<'_>, &mut Notes) -> Result<Vec<Row>, Error>;

/// An argument.
#[derive(Debug)]
pub(crate) enum Argument<'a> {
    /// A vector: its series over all steps of the call's frame. Of `info` the second one, which is there even when the
    /// query has none: the info series, their floats the times of the samples in milliseconds.
    Vector(Vec<Row>),
    /// A number for each step.
    Scalar(Scalars),
    /// A text.
    Text(&'a str),
}

/// What a function is called with, at all steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The arguments as they were written, without parentheses around them; for their places and matchers.
    pub(crate) arguments: &'a [&'a Expression],
    /// Where the call stands.
    pub(crate) place: &'a Range<usize>,
    /// The steps at which it is computed.
    pub(crate) frame: Frame,
}

impl Call<'_> {
    /// Where an argument stands; where the call does, if there is no such argument. Subqueries stand nowhere, as in
    /// Prometheus, which writes `(1:1)` then.
    pub(crate) fn place_of(&self, argument: usize) -> &Range<usize> {
        match self.arguments.get(argument) {
            Some(Expression { node: Node::Subquery(_), .. }) => &(0..0),
            Some(argument) => &argument.place,
            None => self.place,
        }
    }
}

/// A float with its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FloatPoint {
    /// Milliseconds since the Unix epoch.
    pub(crate) time: i64,
    /// Never the staleness marker.
    pub(crate) value: f64,
}

/// A histogram with its time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HistogramPoint {
    /// Milliseconds since the Unix epoch.
    pub(crate) time: i64,
    /// The value.
    pub(crate) value: Arc<Histogram>,
}

/// What a function over a range sees of a series at a step. There is one sample at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    /// The series.
    pub(crate) labels: &'a Labels,
    /// The floats, oldest first: later than `start`, not later than `end`; with a modifier also those before (and after)
    /// that the borders' values are taken from, as far as the lookback.
    pub(crate) floats: &'a [FloatPoint],
    /// The histograms, likewise.
    pub(crate) histograms: &'a [HistogramPoint],
    /// Where the range begins, in milliseconds, `offset` and `@` taken into account.
    pub(crate) start: i64,
    /// Where it ends.
    pub(crate) end: i64,
    /// The time of the step, whatever `offset` and `@` say.
    pub(crate) time: i64,
    /// What is taken for the values at the borders.
    pub(crate) modifier: Option<RangeModifier>,
    /// The scalar arguments, in their order.
    pub(crate) scalars: &'a [f64],
}

/// A step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Its time, in milliseconds.
    pub(crate) time: i64,
    /// The query's first step, in milliseconds; also within a subquery.
    pub(crate) start: i64,
    /// The end that the query asked for.
    pub(crate) end: i64,
    /// The query's step; of an instant query zero.
    pub(crate) step: i64,
}

/// How the function of this name is called; nothing when there is no such function.
pub(crate) fn find(name: &str) -> Option<Function> {
    let found = range(name).map(Function::Range).or_else(|| whole(name).map(Function::Whole));
    found
        .or_else(|| float(name).map(Function::Float))
        .or_else(|| date(name).map(Function::Float))
        .or_else(|| other(name))
}

fn range(name: &str) -> Option<RangeFunction> {
    let counter =
        |compute| RangeFunction { remark: Some(rate::not_a_counter), ..RangeFunction::new(compute) };
    let named = |compute| RangeFunction { keeps_name: true, ..RangeFunction::new(compute) };
    Some(match name {
        "rate" => counter(rate::rate),
        "increase" => counter(rate::increase),
        "first_over_time" => named(over_time::first),
        "last_over_time" => named(over_time::last),
        name => RangeFunction::new(match name {
            "avg_over_time" => sums::average,
            "changes" => steps::changes,
            "count_over_time" => over_time::count,
            "delta" => rate::delta,
            "deriv" => trend::derivative,
            "double_exponential_smoothing" => trend::smooth,
            "idelta" => steps::instant_delta,
            "irate" => steps::instant_rate,
            "mad_over_time" => over_time::median_deviation,
            "max_over_time" => over_time::maximum,
            "min_over_time" => over_time::minimum,
            "predict_linear" => trend::predict,
            "present_over_time" => over_time::present,
            "quantile_over_time" => over_time::quantile,
            "resets" => steps::resets,
            "stddev_over_time" => over_time::deviation,
            "stdvar_over_time" => over_time::variance,
            "sum_over_time" => sums::sum,
            "ts_of_first_over_time" => over_time::time_of_first,
            "ts_of_last_over_time" => over_time::time_of_last,
            "ts_of_max_over_time" => over_time::time_of_maximum,
            "ts_of_min_over_time" => over_time::time_of_minimum,
            _ => return None,
        }),
    })
}

fn whole(name: &str) -> Option<WholeFunction> {
    Some(match name {
        "absent" => absent::absent,
        "histogram_fraction" => distributions::fraction,
        "histogram_quantile" => distributions::quantile,
        "histogram_quantiles" => distributions::quantiles,
        "info" => info::info,
        "label_join" => labels::join,
        "label_replace" => labels::replace,
        "sort" => sorting::ascending,
        "sort_by_label" => sorting::by_label,
        "sort_by_label_desc" => sorting::by_label_descending,
        "sort_desc" => sorting::descending,
        _ => return None,
    })
}

fn float(name: &str) -> Option<FloatFunction> {
    Some(match name {
        "abs" => math::absolute,
        "acos" => |value, _| Some(value.acos()),
        "acosh" => |value, _| Some(value.acosh()),
        "asin" => |value, _| Some(value.asin()),
        "asinh" => |value, _| Some(value.asinh()),
        "atan" => |value, _| Some(value.atan()),
        "atanh" => |value, _| Some(value.atanh()),
        "ceil" => |value, _| Some(value.ceil()),
        "clamp" => math::clamp,
        "clamp_max" => math::clamp_maximum,
        "clamp_min" => math::clamp_minimum,
        "cos" => |value, _| Some(value.cos()),
        "cosh" => |value, _| Some(value.cosh()),
        "deg" => |value, _| Some(value * 180.0 / PI),
        "exp" => |value, _| Some(value.exp()),
        "floor" => |value, _| Some(value.floor()),
        "ln" => |value, _| Some(value.ln()),
        "log10" => |value, _| Some(value.log10()),
        "log2" => |value, _| Some(value.log2()),
        "rad" => |value, _| Some(value * PI / 180.0),
        "round" => math::round,
        "sgn" => math::sign,
        "sin" => |value, _| Some(value.sin()),
        "sinh" => |value, _| Some(value.sinh()),
        "sqrt" => |value, _| Some(value.sqrt()),
        // No sample knows when its counter began, as with Prometheus unless that is asked for.
        "start_timestamp" => |_, _| None,
        "tan" => |value, _| Some(value.tan()),
        "tanh" => |value, _| Some(value.tanh()),
        _ => return None,
    })
}

fn date(name: &str) -> Option<FloatFunction> {
    Some(match name {
        "day_of_month" => dates::day_of_month,
        "day_of_week" => dates::day_of_week,
        "day_of_year" => dates::day_of_year,
        "days_in_month" => dates::days_in_month,
        "hour" => dates::hour,
        "minute" => dates::minute,
        "month" => dates::month,
        "year" => dates::year,
        _ => return None,
    })
}

fn other(name: &str) -> Option<Function> {
    Some(match name {
        "absent_over_time" => Function::AbsentOverTime,
        "end" => Function::Number(math::end),
        "histogram_avg" => Function::Histogram(Histogram::mean),
        "histogram_count" => Function::Histogram(|histogram| histogram.count),
        "histogram_stddev" => Function::Histogram(Histogram::standard_deviation),
        "histogram_stdvar" => Function::Histogram(Histogram::variance),
        "histogram_sum" => Function::Histogram(|histogram| histogram.sum),
        "max_of" => Function::Number(math::maximum_of),
        "min_of" => Function::Number(math::minimum_of),
        "pi" => Function::Number(|_, _| PI),
        "range" => Function::Number(math::range),
        "scalar" => Function::Scalar,
        "start" => Function::Number(math::start),
        "step" => Function::Number(math::step),
        "time" => Function::Number(math::time),
        "timestamp" => Function::Timestamp,
        "vector" => Function::Vector,
        _ => return None,
    })
}
