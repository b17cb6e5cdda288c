//! A query, and its answer.

use super::{Expression, Labels, Matcher, Point, Sample, Series};
use crate::Deadline;

/// A PromQL query.
#[derive(Debug, Clone, PartialEq)]
pub struct PromqlRequest {
    /// As it was written: the places in `expression` are bytes of it.
    pub text: String,
    /// What to compute.
    pub expression: Expression,
    /// When.
    pub steps: Steps,
    /// How old a sample may be to count as the present value, in milliseconds; Prometheus' default is five minutes.
    pub lookback: i64,
    /// How long it may take.
    pub deadline: Deadline,
}

/// The times at which an expression is computed, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// Once.
    Instant(i64),
    /// From `start` to `end`, each `step`.
    Range {
        /// The first one.
        start: i64,
        /// Not later than this.
        end: i64,
        /// Above zero.
        step: i64,
    },
}

/// What a query answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The result.
    pub value: Value,
    /// What is likely wrong with the query or the data, each with its place in the query, `(line:column)`.
    pub warnings: Vec<String>,
    /// What may be worth knowing, likewise.
    pub infos: Vec<String>,
}

/// A result. Of a range query it is always a matrix.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number without labels, at this time.
    Scalar(i64, f64),
    /// A text, at this time.
    String(i64, String),
    /// Series at one time; sorted by labels unless the query sorts them.
    Vector(i64, Vec<(Labels, Sample)>),
    /// Series over time, sorted by labels.
    Matrix(Vec<Series>),
}

impl Value {
    /// How many series it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Scalar(..) | Self::String(..) => 1,
            Self::Vector(_, samples) => samples.len(),
            Self::Matrix(series) => series.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Which series are there?
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesRequest {
    /// A series must satisfy all matchers of one of these; of no list at all, nothing.
    pub selectors: Vec<Vec<Matcher>>,
    /// Milliseconds since the Unix epoch: series with a sample from this time on.
    pub from: i64,
    /// And not later than this.
    pub to: i64,
    /// How long it may take.
    pub deadline: Deadline,
}

impl From<(i64, f64)> for Point {
    fn from((time, value): (i64, f64)) -> Self {
        Self { time, sample: Sample::Float(value) }
    }
}
