//! Agents that tell what they do in log events and send no spans (Claude Code, Codex, Gemini CLI): their events become
//! spans, one trace for each prompt, so that they are found, drawn and counted as any other run.
//!
//! What an event says is read by the module of its agent; `session` keeps what belongs together, `span` writes it down.
//! Ids are hashes of what was sent: an event that comes twice is the same span twice. A session that sends spans of its
//! own, which its records then point to, is left alone.

mod claude_code;
mod codex;
mod fields;
mod gemini_cli;
mod session;
mod span;
#[cfg(test)]
mod tests;

use crate::{ExportError, Exporter};
use async_trait::async_trait;
use model::batch::Encoding;
use model::otlp::columns::Columns;
use model::{Batch, Kind, LogRecord, Signal, Span, Timestamp, otlp, schema};
use session::Sessions;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// An agent's event, whichever agent sent it.
#[derive(Debug, PartialEq, Default)]
struct Event {
    agent: &'static str,
    /// Which conversation.
    session: String,
    /// Which prompt of it; `None` where the agent does not say: then it is the last before.
    turn: Option<String>,
    /// When it was told; what it tells of ended then.
    time: Timestamp,
    /// Nanoseconds.
    duration: u64,
    /// Tells events of one moment apart, where the agent counts them.
    sequence: u64,
    /// Who did it, when not the agent itself.
    helper: Option<Helper>,
    said: Said,
}

/// An agent that works for another.
#[derive(Debug, PartialEq, Default)]
struct Helper {
    id: String,
    name: Option<String>,
    /// The id of the one that it works for, when that is a helper, too.
    parent: Option<String>,
}

#[derive(Debug, PartialEq, Default)]
enum Said {
    Prompt(Option<String>),
    /// A model was asked, and has not answered yet.
    Asked,
    Call(Call),
    Tool(Tool),
    Decision(Decision),
    Answer(String),
    /// Nothing of use but that the helper is at work.
    #[default]
    Other,
}

/// A call of a model. Input tokens are the total, cached ones among them; reasoning is among the output.
#[derive(Debug, PartialEq, Default)]
struct Call {
    provider: &'static str,
    model: String,
    /// Input, output, read from cache, written to cache, reasoning.
    tokens: [Option<u64>; 5],
    /// US dollars.
    cost: Option<f64>,
    /// Seconds.
    first_token: Option<f64>,
    failure: Option<Failure>,
}

#[derive(Debug, PartialEq, Default)]
struct Failure {
    kind: String,
    message: String,
}

#[derive(Debug, PartialEq, Default)]
struct Tool {
    name: String,
    call_id: Option<String>,
    arguments: Option<String>,
    result: Option<String>,
    failure: Option<Failure>,
}

/// Whether a tool may be used.
#[derive(Debug, PartialEq, Default)]
struct Decision {
    tool: String,
    call_id: Option<String>,
    allowed: bool,
    /// Who or what decided.
    source: Option<String>,
}

/// Exports what comes and, before log records, the spans that are made of them: should these be refused, the client
/// sends all again, and spans are known by their ids.
pub struct AgentEvents {
    next: Arc<dyn Exporter>,
    sessions: Mutex<Sessions>,
}

impl AgentEvents {
    /// Hands on to the next.
    #[must_use]
    pub fn new(next: Arc<dyn Exporter>) -> Self {
        Self { next, sessions: Mutex::default() }
    }

    fn spans(&self, batch: &Batch) -> Vec<Span> {
        let told: Vec<LogRecord> =
            batch.columns.iter().filter(|rows| is_told_by_agent(rows)).flat_map(otlp::log_records).collect();
        if told.is_empty() {
            return Vec::new();
        }
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.take(&batch.tenant, told)
    }
}

#[async_trait]
impl Exporter for AgentEvents {
    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        let spans = if batch.signal == Signal::Logs { self.spans(&batch) } else { Vec::new() };
        if !spans.is_empty() {
            let wire = otlp::encode_spans(&spans).into();
            let made = otlp::decode(batch.tenant.clone(), Signal::Traces, Encoding::Protobuf, wire);
            let made = made.map_err(|error| ExportError {
                kind: Kind::Internal,
                message: format!("spans made of an agent's events do not decode: {error}"),
                retry_after: Duration::from_secs(1),
            })?;
            self.next.export(made).await?;
        }
        self.next.export(batch).await
    }
}

/// What the scopes' names of the agents have in them.
const SCOPES: [&[u8]; 3] = [b"claude_code", b"codex_otel", b"gemini-cli"];

/// Whether any scope of these rows is an agent's. Looks at each scope once: rows of one stand together.
fn is_told_by_agent(rows: &arrow::record_batch::RecordBatch) -> bool {
    let columns = Columns::new(rows);
    let mut before: &[u8] = &[];
    (0..rows.num_rows()).any(|row| {
        let scope = columns.bytes(schema::SCOPE, row).unwrap_or_default();
        if std::ptr::eq(scope, before) {
            return false;
        }
        before = scope;
        SCOPES.iter().any(|name| scope.windows(name.len()).any(|part| part == *name))
    })
}

/// What a record says; `None` when it is no event of an agent.
fn read(record: &LogRecord) -> Option<Event> {
    let fields = fields::Fields(record);
    let name = fields.event_name()?;
    let mut event = if record.scope.name.starts_with("com.anthropic.claude_code") {
        claude_code::read(name.trim_start_matches("claude_code."), fields)
    } else if let Some(name) = name.strip_prefix("codex.") {
        codex::read(name, fields)
    } else {
        gemini_cli::read(name.strip_prefix("gemini_cli.")?, fields)
    }?;
    event.time = fields.time();
    event.sequence = fields.count("event.sequence").unwrap_or_default();
    Some(event)
}
