//! The answers.

use crate::run::Account;
use model::durations::Durations;
use model::{LogRecord, MetricPoint, SpanId, Timestamp, TraceId};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// What an answer occupies where it was made, such as room in memory: given back when the answer is dropped.
#[derive(Clone, Default)]
pub struct Held(Option<Arc<dyn Any + Send + Sync>>);

impl Held {
    /// Holds this.
    pub fn new(held: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(held)))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "Held" } else { "Nothing" })
    }
}

/// Answers are compared by what they say.
impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Items, and why there may be more.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// Why some may be missing; `None` when none is.
    pub incomplete: Option<String>,
    /// About how many bytes the items take in memory, where they may be many.
    pub bytes: u64,
    /// What they occupy.
    pub held: Held,
}

impl<T> From<Vec<T>> for Listed<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, incomplete: None, bytes: 0, held: Held::default() }
    }
}

/// A trace in one line. Search answers are these, never whole traces.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraceSummary {
    /// Which trace.
    pub trace_id: TraceId,
    /// The name of the root span, or of the earliest span where the root is not stored.
    pub root_name: String,
    /// The root's service; empty where its resource names none.
    pub root_service: String,
    /// The root's kind, as `semconv::NodeKind` names it.
    pub root_kind: &'static str,
    /// When it started; of a trace, its first span.
    pub start: Timestamp,
    /// From the first start to the last end, nanoseconds.
    pub duration: u64,
    /// OTLP's status code of the root; 2 is an error.
    pub own_status: i32,
    /// How many spans.
    pub spans: u64,
    /// Spans whose status is error.
    pub errors: u64,
    /// The agents by name, in the order met; the first twenty.
    pub agents: Vec<String>,
    /// The services, likewise.
    pub services: Vec<String>,
    /// The models, likewise.
    pub models: Vec<String>,
    /// How many there are beyond those.
    pub unnamed: Unnamed,
    /// How many spans of each kind, by kind name.
    pub kinds: Vec<(&'static str, u64)>,
    /// What its calls of models used and cost, each once.
    pub account: Account,
    /// The first 200 characters of the first user input.
    pub input: Option<String>,
    /// The conversation that the first span which names one belongs to.
    pub conversation: Option<String>,
    /// Whether a span has no end yet.
    pub running: bool,
    /// Spans whose parent is not stored.
    pub orphans: u64,
}

/// How many more names a trace has than its summary tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unnamed {
    /// Agents.
    pub agents: u64,
    /// Services.
    pub services: u64,
    /// Models.
    pub models: u64,
}

/// Newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchResult {
    /// The traces; fewer than asked for, or none, when the cursor says that there is more and what was found had been
    /// sent again with other contents.
    pub traces: Vec<TraceSummary>,
    /// Where the next page starts, when there is more.
    pub cursor: Option<String>,
    /// Why the answer is not whole, when it is not.
    pub incomplete: Option<String>,
}

/// Every span of a trace in columns, in depth-first order, children by start time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Skeleton {
    /// Which trace.
    pub trace_id: TraceId,
    /// When it started; of a trace, its first span.
    pub start: Timestamp,
    /// String tables; entry 0 is empty.
    pub names: Vec<String>,
    /// The services, in the order met.
    pub services: Vec<String>,
    /// The agents by name, in the order met.
    pub agents: Vec<String>,
    /// What spans are about: tool, model, table, route, destination or policy.
    pub subjects: Vec<String>,
    /// The spans.
    pub rows: Vec<SkeletonRow>,
    /// Spans whose parent is not stored.
    pub orphans: u64,
    /// Why spans may be missing.
    pub incomplete: Option<String>,
    /// What it occupies.
    pub held: Held,
}

/// One span of a [`Skeleton`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SkeletonRow {
    /// Which span.
    pub span_id: SpanId,
    /// Row of the parent; `None` for a root or an orphan.
    pub parent: Option<u32>,
    /// How many ancestors it has.
    pub depth: u16,
    /// When it started; of a trace, its first span.
    pub start: Timestamp,
    /// Zero while it runs.
    pub end: Timestamp,
    /// What it is called; in tables of texts, its place there.
    pub name: u32,
    /// Place in the table of services.
    pub service: u32,
    /// Place in the table of agents; the nearest ancestor's where the span names none.
    pub agent: u32,
    /// Place in the table of subjects.
    pub subject: u32,
    /// As `semconv::NodeKind` numbers them.
    pub kind: u8,
    /// OTLP's status code.
    pub status: u8,
    /// [`flag`]s.
    pub flags: u16,
    /// Input and output.
    pub tokens: u32,
    /// US dollars as reported or, where they are not, by the table of prices; NaN where neither is known.
    pub cost: f32,
}

/// Bits of [`SkeletonRow::flags`].
pub mod flag {
    /// It has events.
    pub const EVENTS: u16 = 1;
    /// Its parent is not stored, or it is its own ancestor.
    pub const ORPHAN: u16 = 1 << 1;
    /// It has links.
    pub const LINKS: u16 = 1 << 2;
    /// One of its events is an exception.
    pub const EXCEPTION: u16 = 1 << 3;
    /// It has no end yet.
    pub const RUNNING: u16 = 1 << 4;
    /// It has messages, or arguments or a result of a tool.
    pub const CONTENT: u16 = 1 << 5;
    /// Log records point to it.
    pub const LOGS: u16 = 1 << 6;
}

/// Log records that answer a [`crate::LogRequest`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogResult {
    /// The records.
    pub records: Vec<LogRecord>,
    /// Whether these are all.
    pub complete: bool,
    /// Why records may be missing that the limit would have let through.
    pub incomplete: Option<String>,
    /// What they occupy.
    pub held: Held,
}

/// A metric that is stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricName {
    /// What it is called; in tables of texts, its place there.
    pub name: String,
    /// As OTLP says it.
    pub unit: String,
    /// As OTLP says it.
    pub description: String,
    /// What kind of metric.
    pub kind: model::metric::MetricKind,
    /// Of sums: whether it only grows.
    pub monotonic: bool,
    /// Its data points; how many, where it is a number.
    pub points: u64,
}

/// Points of one metric, oldest first; grouping into series is by resource, scope and attributes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricResult {
    /// Its data points; how many, where it is a number.
    pub points: Vec<MetricPoint>,
    /// Whether these are all.
    pub complete: bool,
    /// Why points may be missing that the limit would have let through.
    pub incomplete: Option<String>,
    /// What they occupy.
    pub held: Held,
}

/// Where a field's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldScope {
    /// A span's attribute.
    Span,
    /// A resource's attribute.
    Resource,
    /// A short name of the filter language.
    Intrinsic,
}

/// A key that a filter may name.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// As a filter names it.
    pub key: String,
    /// Where its values come from.
    pub scope: FieldScope,
    /// `string`, `int`, `double`, `bool`, `value`.
    pub types: Vec<&'static str>,
}

/// Values with how many spans have each, most frequent first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FieldValues {
    /// Value and number of spans.
    pub values: Vec<(String, u64)>,
    /// Whether these are all.
    pub complete: bool,
    /// Why values or counts may be missing that the limit would have let through.
    pub incomplete: Option<String>,
}

/// An operation of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Operation {
    /// What it is called; in tables of texts, its place there.
    pub name: String,
    /// OTLP's `SpanKind`.
    pub kind: i32,
}

/// What is stored, and what room there is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stored {
    /// How many spans.
    pub spans: u64,
    /// Log records.
    pub logs: u64,
    /// Data points.
    pub metric_points: u64,
    /// Blocks and log together.
    pub disk_bytes: u64,
    /// What the disk has left.
    pub disk_free_bytes: u64,
    /// What is not in a block yet.
    pub hot_bytes: u64,
    /// How many blocks.
    pub blocks: u64,
    /// Those of them, of all tenants, in which reading met damage since the start; what is in the damaged part is missing from answers.
    pub damaged_blocks: u64,
    /// What sampling did; `None` when every trace is kept.
    pub sampled: Option<Sampled>,
}

/// What tail sampling did with the traces since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sampled {
    /// Traces that were decided on and kept.
    pub kept_traces: u64,
    /// Traces that were decided on and are gone.
    pub dropped_traces: u64,
    /// The spans of those that are kept.
    pub kept_spans: u64,
    /// The spans that are gone.
    pub dropped_spans: u64,
    /// Traces that were decided on before they had their time.
    pub early_traces: u64,
    /// Traces of which only what came late is kept.
    pub late_traces: u64,
}

/// Something that was stored just now.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Whose it is.
    pub tenant: model::TenantId,
    /// Which signal.
    pub signal: model::Signal,
    /// How many spans, records or points.
    pub items: u64,
    /// The traces touched (spans and logs with a trace id); at most 1,000 of a request.
    pub traces: Vec<TraceId>,
}

/// How often and how long a service's operation ran.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OperationStatistics {
    /// Empty where the resource names none.
    pub service: String,
    /// The name of its spans, and their kind.
    pub operation: Operation,
    /// How many. A span that was sent again with other contents may count twice until its blocks are compacted.
    pub spans: u64,
    /// Those whose status is error.
    pub errors: u64,
    /// Of those that have ended.
    pub durations: Durations,
}

/// Operations, those that took the most time together first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OperationsResult {
    /// The operations.
    pub operations: Vec<OperationStatistics>,
    /// Whether these are all.
    pub complete: bool,
    /// Why spans may be missing.
    pub incomplete: Option<String>,
}

/// An agent, a model, a tool, a conversation ..., and what it did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entity {
    /// What it is called.
    pub name: String,
    /// Spans of its own: runs of an agent, calls of a model or tool; of conversations and users, all of theirs.
    pub spans: u64,
    /// How many traces it is in.
    pub traces: u64,
    /// Spans of its own whose status is error.
    pub errors: u64,
    /// Of its own spans that have ended.
    pub durations: Durations,
    /// What was used for it, and what that cost.
    pub account: Account,
    /// When its first span started ...
    pub first: Timestamp,
    /// ... and its last.
    pub last: Timestamp,
    /// Of policies: how often each decision was taken.
    pub decisions: Vec<(String, u64)>,
    /// The same over time, when one was asked for by its name: parts of equal length, oldest first.
    pub series: Vec<EntityPart>,
}

/// What an entity did in a part of the time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntityPart {
    /// When the part begins.
    pub start: Timestamp,
    /// Spans of its own that started in it.
    pub spans: u64,
    /// Of these, those whose status is error.
    pub errors: u64,
    /// Of these, those that have ended.
    pub durations: Durations,
    /// What was used.
    pub account: Account,
}

/// Entities, those with the most spans first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntitiesResult {
    /// The entities.
    pub entities: Vec<Entity>,
    /// Whether these are all.
    pub complete: bool,
    /// Why spans may be missing.
    pub incomplete: Option<String>,
}
