//! What queries compute with: series of samples.

use super::{Histogram, Labels, Matcher};
use std::sync::Arc;

/// A value of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    /// Any 64-bit float. The NaN with the bits of [`Sample::STALE`] says that the series ends here.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

impl Sample {
    /// The bits of Prometheus' staleness marker, a signalling NaN.
    pub const STALE: u64 = 0x7ff0_0000_0000_0002;
}

/// A sample with its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// The value.
    pub sample: Sample,
}

/// A series: its labels, and samples in time order, one at most for each time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is called.
    pub labels: Labels,
    /// Oldest first.
    pub points: Vec<Point>,
}

/// Which series, and which time of them, a selector may need.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// What the labels must satisfy; all of them.
    pub matchers: Vec<Matcher>,
    /// Milliseconds since the Unix epoch; samples at this time are wanted too.
    pub from: i64,
    /// Likewise, the last one wanted.
    pub to: i64,
}
