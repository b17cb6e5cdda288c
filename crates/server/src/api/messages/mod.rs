//! Messages of model calls and content of tool calls in one form, from whichever convention a span follows:
//! a list of `{role, parts: [{type, content, …}]}`, as OpenTelemetry's GenAI conventions have it.

pub mod events;
mod indexed;
pub mod parts;

use super::generation::Asked;
use super::values;
use model::Value;
use parts::messages;
use semconv::{Meaning, NodeKind};
use serde_json::{Value as Json, json};

/// Longer content is fetched on its own.
const LONG_BYTES: usize = 256 << 10;

/// The two directions of a model call.
struct Direction {
    meaning: Meaning,
    /// Prefixes of attributes that are numbered by message.
    indexed: &'static [&'static str],
    /// Who speaks where the sender does not say.
    role: &'static str,
    /// What it is fetched by when several attributes make it up.
    field: &'static str,
}

const INPUT: Direction = Direction {
    meaning: Meaning::InputMessages,
    indexed: &["llm.input_messages", "gen_ai.prompt"],
    role: "user",
    field: "messages.input",
};

const OUTPUT: Direction = Direction {
    meaning: Meaning::OutputMessages,
    indexed: &["llm.output_messages", "gen_ai.completion"],
    role: "assistant",
    field: "messages.output",
};

/// Where the Vercel AI SDK keeps the tool calls of an answer, beside its text.
const CALLS: &str = "ai.response.toolCalls";

/// What the input and output of a tool's span are to OpenInference, OpenLLMetry and Gemini CLI, which have no other names
/// for them.
const TOOL_INPUT: [&str; 3] = ["input.value", "traceloop.entity.input", "gen_ai.input.messages"];
const TOOL_OUTPUT: [&str; 3] = ["output.value", "traceloop.entity.output", "gen_ai.output.messages"];

/// The `messages` part of a span.
pub fn view(asked: &Asked<'_>, kind: NodeKind) -> Json {
    let tool = kind == NodeKind::Tool;
    let listed = |direction: &Direction| {
        if tool { None } else { found(asked, direction) }
    };
    let content = |meaning: Meaning, generic: [&'static str; 3]| {
        let carrier = asked.carrier(meaning);
        let generic = || generic.into_iter().find_map(|key| Some((key, asked.value(key).filter(|_| tool)?)));
        carrier.or_else(generic)
    };
    let result = content(Meaning::ToolResult, TOOL_OUTPUT).map(|(key, value)| single(key, value));
    json!({
        "system": system(asked),
        "input": shown(listed(&INPUT)),
        "output": shown(listed(&OUTPUT)),
        "toolDefinitions": definitions(asked),
        "toolArguments": content(Meaning::ToolArguments, TOOL_INPUT).map(|(key, value)| single(key, value)),
        "toolResult": result.or_else(|| events::tool_output(asked).map(json)),
    })
}

/// Tools that were offered: in one attribute, or in numbered ones.
fn definitions(asked: &Asked<'_>) -> Json {
    let one = asked.carrier(Meaning::ToolDefinitions).map(|(key, value)| single(key, value));
    one.or_else(|| indexed::definitions(asked)).unwrap_or_default()
}

/// Why answers ended, where the messages themselves say so.
pub fn finish_reasons(output: &Json) -> Json {
    let said = output.as_array().into_iter().flatten().map(|message| &message["finish_reason"]);
    said.filter(|reason| reason.as_str().is_some_and(|reason| !["", "unknown"].contains(&reason)))
        .cloned()
        .collect()
}

/// What was said in a model call, whole.
pub struct Said {
    pub system: Json,
    pub input: Option<Json>,
    pub output: Option<Json>,
}

/// The messages of a model call, however long.
pub fn said(asked: &Asked<'_>) -> Said {
    let of = |direction| found(asked, &direction).map(|found| found.messages);
    Said { system: system(asked), input: of(INPUT), output: of(OUTPUT) }
}

/// What is told in place of longer content: where it is fetched.
pub fn bounded(field: &str, content: Json) -> Json {
    match length(&content) {
        bytes if bytes > LONG_BYTES => cut(field, bytes),
        _ => content,
    }
}

/// All of what is found under the field of a cut answer, when no attribute has that name.
pub fn whole(asked: &Asked<'_>, field: &str) -> Option<Json> {
    let direction = [INPUT, OUTPUT].into_iter().find(|direction| direction.field == field)?;
    found(asked, &direction).map(|found| found.messages)
}

/// Messages, what they came from, and how many bytes they have there.
struct Found {
    messages: Json,
    field: &'static str,
    bytes: usize,
}

fn shown(found: Option<Found>) -> Json {
    match found {
        None => Json::Null,
        Some(found) if found.bytes > LONG_BYTES => cut(found.field, found.bytes),
        Some(found) => found.messages,
    }
}

fn cut(field: &str, bytes: usize) -> Json {
    json!({"truncated": true, "length": bytes, "field": field})
}

/// OpenTelemetry's own attribute, then numbered ones, then the other conventions', then events.
fn found(asked: &Asked<'_>, direction: &Direction) -> Option<Found> {
    let (own, others) = direction.meaning.keys().split_first()?;
    let in_one = |key: &'static str| {
        let value = asked.value(key)?;
        Some(Found { messages: messages(json(value), direction.role), field: key, bytes: bytes(value) })
    };
    let found = in_one(own)
        .or_else(|| {
            direction
                .indexed
                .iter()
                .find_map(|prefix| in_several(direction, indexed::messages(asked, prefix)))
        })
        .or_else(|| others.iter().filter(|key| **key != CALLS).find_map(|key| in_one(key)));
    let calls = || (direction.role == "assistant").then(|| asked.value(CALLS)).flatten();
    match (found, calls()) {
        (None, None) => in_several(direction, events::messages(asked, own, direction.role)),
        (None, Some(calls)) => in_several(direction, Some(with_calls(json!([]), calls))),
        (Some(found), Some(calls)) if found.field == "ai.response.text" => {
            in_several(direction, Some(with_calls(found.messages, calls)))
        }
        (found, _) => found,
    }
}

fn in_several(direction: &Direction, messages: Option<Json>) -> Option<Found> {
    let messages = messages?;
    let bytes = length(&messages);
    Some(Found { messages, field: direction.field, bytes })
}

/// The messages, with these tool calls in the last.
fn with_calls(mut messages: Json, calls: &Value) -> Json {
    let Json::Array(calls) = json(calls) else { return messages };
    let calls: Vec<Json> = calls.iter().map(parts::tool_call).collect();
    if let Some(last) = messages.as_array_mut().and_then(|messages| messages.last_mut())
        && let Some(parts) = last["parts"].as_array_mut()
    {
        parts.extend(calls);
        return messages;
    }
    json!([{"role": "assistant", "parts": calls}])
}

fn system(asked: &Asked<'_>) -> Json {
    let Some((key, value)) = asked.carrier(Meaning::SystemMessages) else {
        return events::named(asked, Meaning::SystemMessages.keys()[0]).map_or(Json::Null, json);
    };
    if bytes(value) > LONG_BYTES {
        return cut(key, bytes(value));
    }
    match json(value) {
        // Gemini CLI writes a text as JSON.
        Json::String(text) => {
            let text = values::parsed(&text).filter(Json::is_string).unwrap_or(Json::String(text));
            json!([{"type": "text", "content": text}])
        }
        other => other,
    }
}

/// An attribute's content: JSON where it is JSON, text where it is text.
fn single(key: &str, value: &Value) -> Json {
    match value {
        _ if bytes(value) > LONG_BYTES => cut(key, bytes(value)),
        Value::String(text) => values::parsed(text).unwrap_or_else(|| Json::from(text.as_str())),
        other => values::plain(other),
    }
}

/// A value as JSON; a text that holds a JSON list or object is that, any other text stays one.
fn json(value: &Value) -> Json {
    match value {
        Value::String(text) if text.trim_start().starts_with(['[', '{']) => {
            values::parsed(text).unwrap_or_else(|| Json::from(text.as_str()))
        }
        other => values::plain(other),
    }
}

/// About how many bytes a value has.
fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(values) => values.iter().map(bytes).sum(),
        Value::Map(attributes) => {
            attributes.iter().map(|attribute| attribute.key.len() + bytes(&attribute.value)).sum()
        }
        _ => 8,
    }
}

fn length(json: &Json) -> usize {
    match json {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(length).sum(),
        Json::Object(fields) => fields.iter().map(|(key, value)| key.len() + length(value)).sum(),
        _ => 8,
    }
}
