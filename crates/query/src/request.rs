//! The questions.

use crate::filter::Expression;
use model::{SpanId, TimeRange, TraceId};
use std::time::Duration;

/// How long a question may take before it is given up with [`crate::Error::DeadlineExceeded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(pub Duration);

impl Default for Deadline {
    fn default() -> Self {
        Self(Duration::from_secs(30))
    }
}

/// Which traces have a span that satisfies `filter` and starts within `range`?
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    pub filter: Expression,
    pub range: TimeRange,
    pub limit: usize,
    /// Where the previous page ended: [`crate::result::SearchResult::cursor`].
    pub cursor: Option<String>,
    pub deadline: Deadline,
}

/// Which log records? Those of one trace (and span) come oldest first, others newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRequest {
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
    pub filter: Expression,
    pub range: TimeRange,
    pub limit: usize,
    pub deadline: Deadline,
}

/// The raw series of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRequest {
    pub name: String,
    pub range: TimeRange,
    /// The most points to return, over all series; the newest are kept.
    pub limit: usize,
    pub deadline: Deadline,
}

/// Which values does this field of spans have?
#[derive(Debug, Clone, PartialEq)]
pub struct FieldValuesRequest {
    pub key: String,
    pub prefix: String,
    pub range: TimeRange,
    pub limit: usize,
    pub deadline: Deadline,
}
