//! Writes down what an agent's events say, as spans in OpenTelemetry's names.

use super::session::Turn;
use super::{Call, Decision, Failure, Tool};
use model::span::Status;
use model::{Attribute, LogRecord, Span, SpanId, TenantId, Timestamp, TraceId, Value};
use serde_json::json;
use std::sync::Arc;
use twox_hash::XxHash3_128;

/// Where a span belongs, and when it was.
pub struct Place<'a> {
    pub turn: &'a Turn,
    pub parent: SpanId,
    pub session: &'a str,
    pub start: Timestamp,
    pub end: Timestamp,
    pub sequence: u64,
}

/// A hash of parts that are told apart from each other.
fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(*part);
    }
    XxHash3_128::oneshot(&bytes).to_be_bytes()
}

/// The trace of a turn: by the agent's own id of it or, failing that, by when it began.
pub fn trace_id(
    (tenant, agent, session): &(TenantId, &str, String),
    turn: Option<&str>,
    start: Timestamp,
) -> TraceId {
    let start = start.0.to_le_bytes();
    let turn = turn.map_or(&start[..], str::as_bytes);
    TraceId(hash(&[tenant.as_str().as_bytes(), agent.as_bytes(), session.as_bytes(), turn]))
}

fn span_id(trace: TraceId, what: &str, which: &[u8]) -> SpanId {
    let [id, ..]: [[u8; 8]; 2] = bytes_in_two(hash(&[&trace.0, what.as_bytes(), which]));
    SpanId(id)
}

fn bytes_in_two(bytes: [u8; 16]) -> [[u8; 8]; 2] {
    let number = u128::from_be_bytes(bytes);
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    [((number >> 64) as u64).to_be_bytes(), (number as u64).to_be_bytes()]
}

pub fn root_id(trace: TraceId) -> SpanId {
    span_id(trace, "turn", &[])
}

pub fn helper_id(trace: TraceId, helper: &str) -> SpanId {
    span_id(trace, "helper", helper.as_bytes())
}

/// Whom the agent works for.
pub fn user(record: &LogRecord) -> Option<String> {
    let named = |key: &str| {
        let found = record.attributes.iter().find(|attribute| attribute.key == key)?;
        found.value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    named("user.email").or_else(|| named("user.id"))
}

fn text(key: &str, value: impl Into<String>) -> Attribute {
    Attribute::new(key, Value::String(value.into()))
}

fn optional(key: &str, value: Option<String>) -> Option<Attribute> {
    value.map(|value| text(key, value))
}

fn count(key: &str, value: Option<u64>) -> Option<Attribute> {
    value.map(|value| Attribute::new(key, Value::Int(i64::try_from(value).unwrap_or(i64::MAX))))
}

fn double(key: &str, value: Option<f64>) -> Option<Attribute> {
    value.map(|value| Attribute::new(key, Value::Double(value)))
}

/// What a turn's spans have in common. Those below an agent need not name it.
fn common(operation: &str, session: &str) -> Vec<Attribute> {
    vec![
        text("gen_ai.operation.name", operation),
        text("gen_ai.conversation.id", session),
        text("clew.made_of", "log events"),
    ]
}

/// The turn itself, and its helpers.
pub fn of_turn(turn: &Turn, (agent, session): (&'static str, &str)) -> Vec<Span> {
    let message =
        |role: &str, content: &str| json!([{"role": role, "parts": [{"type": "text", "content": content}]}]);
    let of_agent = |agent| [vec![text("gen_ai.agent.name", agent)], common("invoke_agent", session)].concat();
    let mut attributes = of_agent(agent);
    attributes.extend(optional("user.id", turn.user.clone()));
    attributes.extend(
        turn.prompt.as_ref().map(|prompt| text("gen_ai.input.messages", message("user", prompt).to_string())),
    );
    attributes.extend(
        turn.answer
            .as_ref()
            .map(|answer| text("gen_ai.output.messages", message("assistant", answer).to_string())),
    );
    let root = Span {
        name: format!("invoke_agent {agent}"),
        kind: 1,
        status: Status { code: if turn.failed { 2 } else { 0 }, message: String::new() },
        ..blank(turn, root_id(turn.trace), turn.start, turn.end, attributes)
    };
    let mut spans = vec![root];
    for (helper, start, end) in &turn.helpers {
        let name = helper.name.as_deref().unwrap_or(&helper.id);
        let known = |parent: &&String| turn.helpers.iter().any(|(other, ..)| other.id == **parent);
        let parent = helper.parent.as_ref().filter(known).map(|parent| helper_id(turn.trace, parent));
        spans.push(Span {
            parent_span_id: Some(parent.unwrap_or_else(|| root_id(turn.trace))),
            name: format!("invoke_agent {name}"),
            kind: 1,
            ..blank(turn, helper_id(turn.trace, &helper.id), *start, *end, of_agent(name))
        });
    }
    spans
}

fn blank(turn: &Turn, span_id: SpanId, start: Timestamp, end: Timestamp, attributes: Vec<Attribute>) -> Span {
    Span {
        resource: Arc::clone(&turn.resource),
        scope: Arc::clone(&turn.scope),
        trace_id: turn.trace,
        span_id,
        start,
        end,
        attributes,
        ..Span::default()
    }
}

impl Place<'_> {
    fn span(&self, operation: &str, subject: &str, which: Option<&str>, failure: Option<Failure>) -> Span {
        let mut attributes = common(operation, self.session);
        let mut status = Status::default();
        if let Some(Failure { kind, message }) = failure {
            attributes.push(text("error.type", kind));
            status = Status { code: 2, message };
        }
        // A call of a tool has an id; what else there is of one kind was told at one moment or another.
        let when = [self.end.0.to_le_bytes(), self.sequence.to_le_bytes(), self.parent.0].concat();
        let id = span_id(
            self.turn.trace,
            &format!("{operation} {subject}"),
            which.map_or(&when[..], str::as_bytes),
        );
        Span {
            parent_span_id: Some(self.parent),
            name: format!("{operation} {subject}").trim_end().to_owned(),
            kind: 1,
            status,
            ..blank(self.turn, id, self.start, self.end, attributes)
        }
    }
}

pub fn of_call(place: &Place<'_>, call: Call) -> Span {
    let mut span = place.span("chat", &call.model, None, call.failure);
    span.kind = 3;
    let [input, output, read, written, reasoning] = call.tokens;
    let said = [
        Some(text("gen_ai.provider.name", call.provider)),
        Some(text("gen_ai.request.model", call.model)),
        count("gen_ai.usage.input_tokens", input),
        count("gen_ai.usage.output_tokens", output),
        count("gen_ai.usage.cache_read.input_tokens", read),
        count("gen_ai.usage.cache_write.input_tokens", written),
        count("gen_ai.usage.reasoning.output_tokens", reasoning),
        double("gen_ai.usage.cost.amount", call.cost),
        double("gen_ai.response.time_to_first_chunk", call.first_token),
    ];
    span.attributes.extend(said.into_iter().flatten());
    span
}

pub fn of_tool(place: &Place<'_>, tool: Tool) -> Span {
    let mut span = place.span("execute_tool", &tool.name, tool.call_id.as_deref(), tool.failure);
    let said = [
        Some(text("gen_ai.tool.name", tool.name)),
        optional("gen_ai.tool.call.id", tool.call_id),
        optional("gen_ai.tool.call.arguments", tool.arguments),
        optional("gen_ai.tool.call.result", tool.result),
    ];
    span.attributes.extend(said.into_iter().flatten());
    span
}

pub fn of_decision(place: &Place<'_>, decision: Decision) -> Span {
    let mut span = place.span("tool_permission", &decision.tool, decision.call_id.as_deref(), None);
    // It is no operation of a model.
    span.attributes.retain(|attribute| attribute.key != "gen_ai.operation.name");
    let said = [
        Some(text("policy.name", "tool permission")),
        Some(text("policy.decision", if decision.allowed { "allow" } else { "deny" })),
        optional("policy.reason", decision.source),
        Some(text("gen_ai.tool.name", decision.tool)),
        optional("gen_ai.tool.call.id", decision.call_id),
    ];
    span.attributes.extend(said.into_iter().flatten());
    span
}
