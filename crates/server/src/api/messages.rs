//! Messages of model calls and content of tool calls in one form, from whichever convention a span follows:
//! a list of `{role, parts: [{type, content, …}]}`, as OpenTelemetry's GenAI conventions have it.

use super::generation::Asked;
use super::values;
use model::Value;
use semconv::Meaning;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Longer content is fetched on its own.
const LONG_BYTES: usize = 256 << 10;

/// The `messages` part of a span.
pub fn view(asked: &Asked<'_>) -> Json {
    json!({
        "system": content(asked, Meaning::SystemMessages),
        "input": listed(asked, Meaning::InputMessages, &["llm.input_messages", "gen_ai.prompt"], "user"),
        "output": listed(asked, Meaning::OutputMessages, &["llm.output_messages", "gen_ai.completion"], "assistant"),
        "toolDefinitions": content(asked, Meaning::ToolDefinitions),
        "toolArguments": content(asked, Meaning::ToolArguments),
        "toolResult": content(asked, Meaning::ToolResult),
    })
}

/// An attribute's content: JSON where it is JSON, text where it is text.
fn content(asked: &Asked<'_>, meaning: Meaning) -> Json {
    let Some((key, value)) = asked.carrier(meaning) else { return Json::Null };
    match value {
        Value::String(text) if text.len() > LONG_BYTES => {
            json!({"truncated": true, "length": text.len(), "field": key})
        }
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| Json::from(text.as_str())),
        other => values::plain(other),
    }
}

fn listed(asked: &Asked<'_>, meaning: Meaning, prefixes: &[&str], role: &str) -> Json {
    let indexed = prefixes.iter().find_map(|prefix| indexed(asked, prefix));
    if let Some(messages) = indexed {
        return messages;
    }
    match content(asked, meaning) {
        Json::Null => from_events(asked, role),
        Json::Array(messages) => messages.into_iter().map(|message| with_parts(message, role)).collect(),
        cut @ Json::Object(_) if cut["truncated"] == true => cut,
        Json::Object(message) if message.contains_key("role") => {
            json!([with_parts(Json::Object(message), role)])
        }
        Json::String(text) => json!([message(role, &text)]),
        other => json!([message(role, &other.to_string())]),
    }
}

fn message(role: &str, text: &str) -> Json {
    json!({"role": role, "parts": [{"type": "text", "content": text}]})
}

/// A message that has `content` instead of `parts`, brought into our form; tool calls become parts.
fn with_parts(message: Json, role: &str) -> Json {
    let Json::Object(mut fields) = message else { return self::message(role, &message.to_string()) };
    if fields.contains_key("parts") {
        return Json::Object(fields);
    }
    let mut parts: Vec<Json> = match fields.remove("content") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::String(text)) => vec![json!({"type": "text", "content": text})],
        Some(Json::Array(parts)) => parts.into_iter().map(part).collect(),
        Some(other) => vec![json!({"type": "text", "content": other.to_string()})],
    };
    if let Some(Json::Array(calls)) = fields.remove("tool_calls") {
        parts.extend(calls.iter().map(tool_call));
    }
    fields.entry("role").or_insert_with(|| Json::from(role));
    fields.insert("parts".to_owned(), Json::from(parts));
    Json::Object(fields)
}

/// A part of a provider's content list: its `text` is our `content`.
fn part(part: Json) -> Json {
    match part {
        Json::Object(mut fields) => {
            if let Some(text) = fields.remove("text") {
                fields.insert("content".to_owned(), text);
            }
            fields.entry("type").or_insert_with(|| Json::from("text"));
            Json::Object(fields)
        }
        other => json!({"type": "text", "content": other}),
    }
}

fn tool_call(call: &Json) -> Json {
    let function = call.get("function").unwrap_or(call);
    let arguments = match &function["arguments"] {
        Json::String(text) => serde_json::from_str(text).unwrap_or_else(|_| Json::from(text.as_str())),
        other => other.clone(),
    };
    json!({"type": "tool_call", "id": call["id"], "name": function["name"], "arguments": arguments})
}

/// `llm.input_messages.0.message.role` and the like, `gen_ai.prompt.0.content` and the like.
fn indexed(asked: &Asked<'_>, prefix: &str) -> Option<Json> {
    let mut messages: BTreeMap<usize, Map<String, Json>> = BTreeMap::new();
    for attribute in &asked.0.attributes {
        let Some(rest) = attribute.key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) else {
            continue;
        };
        let Some((number, field)) = rest.split_once('.') else { continue };
        let Ok(number) = number.parse() else { continue };
        let field = field.strip_prefix("message.").unwrap_or(field);
        messages.entry(number).or_default().insert(field.to_owned(), values::plain(&attribute.value));
    }
    (!messages.is_empty()).then(|| messages.values().map(one_indexed).collect())
}

fn one_indexed(fields: &Map<String, Json>) -> Json {
    let text = |name: &str| fields.get(name).cloned().unwrap_or(Json::Null);
    let mut parts = Vec::new();
    if let Some(content) = fields.get("content") {
        parts.push(json!({"type": "text", "content": content}));
    }
    let mut calls: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
    for (key, value) in fields {
        let Some((number, field)) = key.strip_prefix("tool_calls.").and_then(|rest| rest.split_once('.'))
        else {
            continue;
        };
        let field = field.strip_prefix("tool_call.").unwrap_or(field);
        let field = field.strip_prefix("function.").unwrap_or(field);
        calls.entry(number).or_default().insert(field.to_owned(), value.clone());
    }
    parts.extend(calls.into_values().map(|call| tool_call(&Json::Object(call))));
    json!({"role": text("role"), "parts": parts, "finish_reason": text("finish_reason")})
}

/// `gen_ai.user.message`, `gen_ai.choice` and the like as span events.
fn from_events(asked: &Asked<'_>, role: &str) -> Json {
    let mut messages = Vec::new();
    for event in &asked.0.events {
        let speaker = match event.name.as_str() {
            "gen_ai.choice" | "gen_ai.content.completion" => "assistant",
            "gen_ai.content.prompt" => "user",
            name => name
                .strip_prefix("gen_ai.")
                .and_then(|rest| rest.strip_suffix(".message"))
                .unwrap_or_default(),
        };
        let output = matches!(event.name.as_str(), "gen_ai.choice" | "gen_ai.content.completion");
        if speaker.is_empty() || output != (role == "assistant") {
            continue;
        }
        let keys = ["content", "message", "gen_ai.event.content", "gen_ai.prompt", "gen_ai.completion"];
        let named = |key: &&str| event.attributes.iter().find(|attribute| attribute.key == **key);
        let found = keys.iter().find_map(named).map(|attribute| values::plain(&attribute.value));
        let content = match found {
            Some(Json::String(text)) => {
                serde_json::from_str(&text).ok().filter(Json::is_object).unwrap_or(Json::String(text))
            }
            Some(other) => other,
            None => continue,
        };
        messages.push(match content {
            Json::Object(fields) => with_parts(Json::Object(fields), speaker),
            Json::String(text) => message(speaker, &text),
            other => message(speaker, &other.to_string()),
        });
    }
    if messages.is_empty() { Json::Null } else { Json::from(messages) }
}
