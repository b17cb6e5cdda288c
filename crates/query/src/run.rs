//! What a trace says of the run that it is: what was used, what it cost, how it ended, where its time went.

use crate::result::Held;
use model::{SpanId, Timestamp, TraceId};
use semconv::{NodeKind, Usage};

/// A trace, as the run of an agent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// Which trace.
    pub trace_id: TraceId,
    /// How it stands or ended.
    pub state: RunState,
    /// What all of it used and cost, each call once.
    pub total: Account,
    /// The same by model, the most expensive first.
    pub by_model: Vec<(String, Account)>,
    /// The same by agent; empty for calls that no agent made.
    pub by_agent: Vec<(String, Account)>,
    /// The spans that say what they used.
    pub calls: Vec<Call>,
    /// Where it began to fail.
    pub first_failure: Option<Failure>,
    /// What its duration is made of, in order of time: the segments follow each other and together are as long as the
    /// root span.
    pub critical_path: Vec<Segment>,
    /// Spans that do again what failed before them.
    pub retries: Vec<Retry>,
    /// How long people and queues were waited for, on the critical path or beside it.
    pub waits: Waits,
    /// What is wrong with the trace itself.
    pub findings: Vec<Finding>,
    /// Why spans may be missing, or what is not told one by one.
    pub incomplete: Option<String>,
    /// What it occupies.
    pub held: Held,
}

/// A span that does again what another, under the same parent, failed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The one that tries again.
    pub span_id: SpanId,
    /// The one that failed.
    pub of: SpanId,
}

/// Nanoseconds that were spent waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waits {
    /// For people: the spans of approvals.
    pub approval: u64,
    /// In queues: from the end of sending a message to the start of receiving it.
    pub queue: u64,
}

/// How a run stands or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunState {
    /// A span has no end yet.
    Running,
    /// Nothing failed.
    #[default]
    Succeeded,
    /// Something failed, and the root did not.
    Recovered,
    /// The root failed.
    Failed,
}

impl RunState {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Recovered => "recovered",
            Self::Failed => "failed",
        }
    }
}

/// What calls used and cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Account {
    /// How many calls of models.
    pub calls: u64,
    /// Their tokens.
    pub usage: Usage,
    /// US dollars: as reported where that was, else as computed. `None` when neither is known of any call.
    pub cost: Option<f64>,
    /// As the spans report them; `None` when none does.
    pub reported: Option<f64>,
    /// By the table of prices; `None` when no call has a price.
    pub computed: Option<f64>,
    /// Models of which no price is known and none was reported: the cost is higher than it says.
    pub unpriced: Vec<String>,
}

/// A span that says what it used.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which span.
    pub span_id: SpanId,
    /// Whether it is among the totals, or why not.
    pub counted: Counted,
    /// As OpenTelemetry names it.
    pub provider: Option<String>,
    /// The one that answered.
    pub model: Option<String>,
    /// Nanoseconds; `None` while it runs.
    pub duration: Option<u64>,
    /// Seconds from its start until the first token came; `None` where the span does not say.
    pub time_to_first_token: Option<f64>,
    /// Its tokens.
    pub usage: Usage,
    /// US dollars, as the span reports them.
    pub reported: Option<f64>,
    /// By the table of prices.
    pub bill: Option<Bill>,
}

impl Call {
    /// Output tokens for each second in which they came: after the first, where it is known when that was.
    #[must_use]
    pub fn tokens_per_second(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "durations and counts are far below 2^53")]
        let (seconds, tokens) = (self.duration? as f64 / 1e9, self.usage.output as f64);
        let seconds = seconds - self.time_to_first_token.unwrap_or(0.0);
        (seconds > 0.0 && tokens > 0.0).then_some(tokens / seconds)
    }
}

/// Whether a call is among the totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// It is.
    Yes,
    /// A call below it says the same.
    RepeatsCallsBelow,
    /// An agent above it says the same, and no call of a model does.
    RepeatedAbove,
    /// Another span has the same answer.
    SameResponse,
}

impl Counted {
    /// The name in answers; none when it is counted.
    #[must_use]
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Yes => None,
            Self::RepeatsCallsBelow => Some("a call below it says what was used"),
            Self::RepeatedAbove => Some("an agent above it says what was used"),
            Self::SameResponse => Some("another span has the same response id"),
        }
    }
}

/// What a call costs by the table of prices.
#[derive(Debug, Clone, PartialEq)]
pub struct Bill {
    /// US dollars.
    pub dollars: f64,
    /// Such as `openai/gpt-4o`.
    pub price: String,
    /// Of the table.
    pub version: String,
    /// By class of tokens: its name, tokens, dollars for a million, dollars.
    pub lines: Vec<(&'static str, u64, f64, f64)>,
}

/// Where a run began to fail.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Failure {
    /// The span that failed while none below it did; of several such, the first.
    pub span_id: SpanId,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// The status's message.
    pub message: String,
    /// `error.type`, or that of the exception.
    pub error_type: Option<String>,
    /// How many spans failed, this one among them.
    pub failures: u64,
}

/// A part of the critical path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The span whose own time it is.
    pub span_id: SpanId,
    /// When it begins.
    pub start: Timestamp,
    /// Nanoseconds.
    pub length: u64,
    /// What was waited for.
    pub part: Part,
}

/// What a part of the critical path was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// A model answered.
    Model,
    /// A tool, or what serves one, worked.
    Tool,
    /// Someone was waited for: an approval, a queue.
    Wait,
    /// The program between these.
    Gap,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Model, Self::Tool, Self::Wait, Self::Gap];

    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Tool => "tool",
            Self::Wait => "wait",
            Self::Gap => "gap",
        }
    }
}

/// Something that is wrong with a trace itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `noRoot`, or as [`crate::findings::FindingKind`] names it.
    pub kind: &'static str,
    /// Where.
    pub span_id: Option<SpanId>,
    /// What, and what helps.
    pub detail: String,
}
