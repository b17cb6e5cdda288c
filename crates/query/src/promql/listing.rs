//! What there is, without computing anything.

use super::Labels;
use model::{SpanId, TraceId};

/// What is known of a metric as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricMetadata {
    /// Its name in Prometheus, without the suffixes that histograms and summaries add.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `summary`.
    pub kind: &'static str,
    /// What it says of itself.
    pub help: String,
    /// In Prometheus' words: `seconds`.
    pub unit: String,
}

/// Measurements that stand for the samples of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesExemplars {
    /// Of the series.
    pub labels: Labels,
    /// By time.
    pub exemplars: Vec<Exemplar>,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// What was measured.
    pub value: f64,
    /// The trace that it was made in.
    pub trace_id: Option<TraceId>,
    /// The span that it was made in.
    pub span_id: Option<SpanId>,
    /// What it was measured with beside the labels of the series.
    pub labels: Labels,
}
