//! The answers.

use model::{LogRecord, MetricPoint, SpanId, Timestamp, TraceId};

/// A trace in one line. Search answers are these, never whole traces.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraceSummary {
    pub trace_id: TraceId,
    /// The name of the root span, or of the earliest span where the root is not stored.
    pub root_name: String,
    pub root_service: String,
    pub root_kind: &'static str,
    pub start: Timestamp,
    /// From the first start to the last end, nanoseconds.
    pub duration: u64,
    /// OTLP's status code of the root; 2 is an error.
    pub own_status: i32,
    pub spans: u64,
    /// Spans whose status is error.
    pub errors: u64,
    pub agents: Vec<String>,
    pub services: Vec<String>,
    pub models: Vec<String>,
    /// How many spans of each kind, by kind name.
    pub kinds: Vec<(&'static str, u64)>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// US dollars as the spans report them; `None` when none does.
    pub cost: Option<f64>,
    /// The first 200 characters of the first user input.
    pub input: Option<String>,
    /// Whether a span has no end yet.
    pub running: bool,
    /// Spans whose parent is not stored.
    pub orphans: u64,
}

/// Newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchResult {
    pub traces: Vec<TraceSummary>,
    /// Where the next page starts, when there is more.
    pub cursor: Option<String>,
    /// Why the answer is not whole, when it is not.
    pub incomplete: Option<String>,
}

/// Every span of a trace in columns, in depth-first order, children by start time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Skeleton {
    pub trace_id: TraceId,
    pub start: Timestamp,
    /// String tables; entry 0 is empty.
    pub names: Vec<String>,
    pub services: Vec<String>,
    pub agents: Vec<String>,
    pub subjects: Vec<String>,
    pub rows: Vec<SkeletonRow>,
    pub orphans: u64,
}

/// One span of a [`Skeleton`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SkeletonRow {
    pub span_id: SpanId,
    /// Row of the parent; `None` for a root or an orphan.
    pub parent: Option<u32>,
    pub depth: u16,
    pub start: Timestamp,
    pub end: Timestamp,
    pub name: u32,
    pub service: u32,
    pub agent: u32,
    pub subject: u32,
    /// As `semconv::NodeKind` numbers them.
    pub kind: u8,
    pub status: u8,
    /// [`flag`]s.
    pub flags: u16,
    pub tokens: u32,
    /// US dollars, NaN where not reported.
    pub cost: f32,
}

/// Bits of [`SkeletonRow::flags`].
pub mod flag {
    pub const EVENTS: u16 = 1;
    pub const ORPHAN: u16 = 1 << 1;
    pub const LINKS: u16 = 1 << 2;
    pub const EXCEPTION: u16 = 1 << 3;
    pub const RUNNING: u16 = 1 << 4;
    pub const CONTENT: u16 = 1 << 5;
    pub const LOGS: u16 = 1 << 6;
}

/// Log records that answer a [`crate::LogRequest`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogResult {
    pub records: Vec<LogRecord>,
    /// Whether these are all.
    pub complete: bool,
}

/// A metric that is stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricName {
    pub name: String,
    pub unit: String,
    pub description: String,
    pub kind: model::metric::MetricKind,
    pub points: u64,
}

/// Points of one metric, oldest first; grouping into series is by resource, scope and attributes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricResult {
    pub points: Vec<MetricPoint>,
    pub complete: bool,
}

/// Where a field's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldScope {
    Span,
    Resource,
    Intrinsic,
}

/// A key that a filter may name.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub key: String,
    pub scope: FieldScope,
    /// `string`, `int`, `double`, `bool`, `value`.
    pub types: Vec<&'static str>,
}

/// Values with how many spans have each, most frequent first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FieldValues {
    pub values: Vec<(String, u64)>,
    pub complete: bool,
}

/// An operation of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    pub name: String,
    /// OTLP's `SpanKind`.
    pub kind: i32,
}

/// What is stored, and what room there is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stored {
    pub spans: u64,
    pub logs: u64,
    pub metric_points: u64,
    pub disk_bytes: u64,
    pub disk_free_bytes: u64,
    pub hot_bytes: u64,
    pub blocks: u64,
}

/// Something that was stored just now.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub tenant: model::TenantId,
    pub signal: model::Signal,
    pub items: u64,
    /// The traces touched (spans and logs with a trace id); at most 1,000 of a request.
    pub traces: Vec<TraceId>,
}
