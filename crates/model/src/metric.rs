//! A data point of a metric as an owned value, for the edges.

use crate::value::{Attribute, Resource, Scope, Shared};
use crate::{SpanId, Timestamp, TraceId};

/// The kind of a metric, with what OTLP says of the whole metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetricKind {
    #[default]
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

/// One data point with the metric, resource and scope it belongs to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricPoint {
    pub resource: Shared<Resource>,
    pub scope: Shared<Scope>,
    pub name: String,
    pub description: String,
    pub unit: String,
    pub kind: MetricKind,
    /// OTLP's `AggregationTemporality`: 0 unspecified, 1 delta, 2 cumulative.
    pub temporality: i32,
    pub monotonic: bool,
    pub attributes: Vec<Attribute>,
    pub start: Timestamp,
    pub time: Timestamp,
    pub flags: u32,
    pub number: Option<Number>,
    /// For histograms and summaries.
    pub count: Option<u64>,
    pub sum: Option<f64>,
    /// The data point's OTLP protobuf bytes as received: buckets, quantiles, exemplars and all. Empty for a plain number.
    pub wire: Vec<u8>,
}

/// A measurement that stands for those of its point: OTLP's `Exemplar`, [`crate::otlp::exemplars`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exemplar {
    pub time: Timestamp,
    pub number: Option<Number>,
    /// The span that it was made in, where that is told.
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
    /// What it was measured with beside the attributes of the point.
    pub attributes: Vec<Attribute>,
}

/// The value of a gauge or sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    Int(i64),
    Double(f64),
}
