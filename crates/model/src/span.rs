//! A span as an owned value, for the edges.

use crate::value::{Attribute, Resource, Scope, Shared};
use crate::{SpanId, Timestamp, TraceId};

/// OTLP's `Span` with the resource and scope it came with. Attributes are in column order first, then as sent;
/// duplicates of a key keep their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Span {
    pub resource: Shared<Resource>,
    pub scope: Shared<Scope>,
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent_span_id: Option<SpanId>,
    pub trace_state: String,
    pub flags: u32,
    pub name: String,
    /// OTLP's `SpanKind`: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    pub start: Timestamp,
    pub end: Timestamp,
    pub attributes: Vec<Attribute>,
    pub dropped_attributes: u32,
    pub events: Vec<Event>,
    pub dropped_events: u32,
    pub links: Vec<Link>,
    pub dropped_links: u32,
    pub status: Status,
}

/// OTLP's `Status`: code 0 unset, 1 ok, 2 error.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    pub code: i32,
    pub message: String,
}

/// Something that happened at one moment of a span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event {
    pub time: Timestamp,
    pub name: String,
    pub attributes: Vec<Attribute>,
    pub dropped_attributes: u32,
}

/// A pointer from a span to another span, of this or another trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Link {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub trace_state: String,
    pub attributes: Vec<Attribute>,
    pub dropped_attributes: u32,
    pub flags: u32,
}
