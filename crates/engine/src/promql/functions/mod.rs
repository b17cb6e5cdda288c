//! The functions of PromQL, and how each is called.

mod labels;
mod math;
mod notes;
mod rate;

pub(crate) use notes::Notes;

use super::column::{Frame, Row, Scalars};
use query::Error;
use query::promql::{Expression, Histogram, Labels, RangeModifier, Sample};
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
    Float(fn(f64, &[f64]) -> Option<f64>),
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
    /// The function's name.
    pub(crate) function: &'a str,
    /// The arguments as they were written, without parentheses around them; for their places and matchers.
    pub(crate) arguments: &'a [&'a Expression],
    /// Where the call stands.
    pub(crate) place: &'a Range<usize>,
    /// The steps at which it is computed.
    pub(crate) frame: Frame,
}

impl Call<'_> {
    /// Where an argument stands; where the call does, if there is no such argument.
    pub(crate) fn place_of(&self, argument: usize) -> &Range<usize> {
        self.arguments.get(argument).map_or(self.place, |expression| &expression.place)
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

impl Window<'_> {
    /// The metric's name for warnings; empty if it has none.
    pub(crate) fn metric(&self) -> &str {
        self.labels.get(query::promql::METRIC_NAME)
    }
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
    Some(match name {
        "abs" => Function::Float(math::absolute),
        "absent_over_time" => Function::AbsentOverTime,
        "label_replace" => Function::Whole(labels::replace),
        "rate" => Function::Range(RangeFunction {
            remark: Some(rate::not_a_counter),
            ..RangeFunction::new(rate::rate)
        }),
        "scalar" => Function::Scalar,
        "time" => Function::Number(math::time),
        "timestamp" => Function::Timestamp,
        "vector" => Function::Vector,
        _ => return None,
    })
}
