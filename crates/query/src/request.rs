//! The questions.

use crate::filter::Expression;
use model::{Signal, SpanId, TimeRange, TraceId};
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
    /// What an item must satisfy.
    pub filter: Expression,
    /// When it must have happened.
    pub range: TimeRange,
    /// The most items to return.
    pub limit: usize,
    /// Where the previous page ended: [`crate::result::SearchResult::cursor`].
    pub cursor: Option<String>,
    /// How long it may take.
    pub deadline: Deadline,
}

/// Which log records? Those of one trace (and span) come oldest first, others newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRequest {
    /// Only records of this trace.
    pub trace_id: Option<TraceId>,
    /// Only records of this span.
    pub span_id: Option<SpanId>,
    /// What an item must satisfy.
    pub filter: Expression,
    /// When it must have happened.
    pub range: TimeRange,
    /// The most items to return.
    pub limit: usize,
    /// How long it may take.
    pub deadline: Deadline,
}

/// The raw series of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRequest {
    /// The metric's name.
    pub name: String,
    /// When it must have happened.
    pub range: TimeRange,
    /// The most points to return, over all series; the newest are kept.
    pub limit: usize,
    /// How long it may take.
    pub deadline: Deadline,
}

/// Which values does this field of spans have?
#[derive(Debug, Clone, PartialEq)]
pub struct FieldValuesRequest {
    /// As a filter names it.
    pub key: String,
    /// Only values that start so, whatever their case.
    pub prefix: String,
    /// When it must have happened.
    pub range: TimeRange,
    /// The most items to return.
    pub limit: usize,
    /// How long it may take.
    pub deadline: Deadline,
}

/// Everything that is stored of a signal, or a part of it. Of traces, those that have a span which satisfies `filter` and
/// starts within `range` are given whole.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportRequest {
    /// What to export.
    pub signal: Signal,
    /// What an item must satisfy.
    pub filter: Expression,
    /// When it must have happened.
    pub range: TimeRange,
}

/// How often and how long did operations run, of the spans that satisfy `filter` and start within `range`?
#[derive(Debug, Clone, PartialEq)]
pub struct OperationsRequest {
    /// What an item must satisfy.
    pub filter: Expression,
    /// When it must have happened.
    pub range: TimeRange,
    /// The most operations to return.
    pub limit: usize,
    /// How long it may take.
    pub deadline: Deadline,
}

/// What spans speak of by a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntityKind {
    /// Who acts.
    Agent,
    /// Who answers.
    Model,
    /// What is called.
    Tool,
    /// What turns belong to, over several traces.
    Conversation,
    /// Whom it is done for.
    User,
    /// What decides.
    Policy,
    /// What is gone through.
    Workflow,
}

impl EntityKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Agent, Self::Model, Self::Tool, Self::Conversation, Self::User, Self::Policy, Self::Workflow];

    /// The name in paths and answers.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Agent => "agents",
            Self::Model => "models",
            Self::Tool => "tools",
            Self::Conversation => "conversations",
            Self::User => "users",
            Self::Policy => "policies",
            Self::Workflow => "workflows",
        }
    }
}

/// What some kind of entity did.
#[derive(Debug, Clone, PartialEq)]
pub struct EntitiesRequest {
    /// Which kind.
    pub kind: EntityKind,
    /// Only this one, with a series over time.
    pub name: Option<String>,
    /// What a span must satisfy to be counted.
    pub filter: Expression,
    /// When it must have started.
    pub range: TimeRange,
    /// The most entities to return.
    pub limit: usize,
    /// How long it may take.
    pub deadline: Deadline,
}
