//! A log record as an owned value, for the edges.

use crate::value::{Attribute, Resource, Scope, Shared, Value};
use crate::{SpanId, Timestamp, TraceId};

/// OTLP's `LogRecord` with the resource and scope it came with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogRecord {
    pub resource: Shared<Resource>,
    pub scope: Shared<Scope>,
    pub time: Timestamp,
    pub observed_time: Timestamp,
    /// OTLP's `SeverityNumber`, 0 (not given) to 24.
    pub severity_number: i32,
    pub severity_text: String,
    pub event_name: String,
    pub body: Option<Value>,
    pub attributes: Vec<Attribute>,
    pub dropped_attributes: u32,
    pub flags: u32,
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
}
