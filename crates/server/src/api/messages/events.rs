//! Messages that senders put into span events: `gen_ai.user.message`, `gen_ai.choice` and the like.

use super::{json, parts};
use crate::api::generation::Asked;
use model::span::Event;
use model::{Attribute, LogRecord, Value};
use serde_json::{Map, Value as Json};

/// What an attribute of an event may call the content.
const CONTENT: [&str; 5] =
    ["content", "message", "gen_ai.event.content", "gen_ai.prompt", "gen_ai.completion"];

/// What tells a message from other content.
const MESSAGE: [&str; 4] = ["content", "parts", "tool_calls", "role"];

/// The span's own, and what log records say.
fn events<'a>(asked: &Asked<'a>) -> impl Iterator<Item = &'a Event> + use<'a> {
    asked.span.events.iter().chain(asked.told)
}

/// A log record as an event: what it says stands in its attributes, its body, or both.
pub fn of_record(record: LogRecord) -> Event {
    let LogRecord { time, event_name, mut attributes, body, .. } = record;
    match body {
        Some(Value::Map(fields)) => attributes.extend(fields),
        Some(body) => attributes.push(Attribute::new("content", body)),
        None => {}
    }
    let named = attributes.iter().find(|attribute| attribute.key == "event.name");
    let named = named.and_then(|attribute| attribute.value.as_str()).unwrap_or_default().to_owned();
    let name = if event_name.is_empty() { named } else { event_name };
    Event { time, name, attributes, ..Event::default() }
}

/// The first attribute of this name on any event.
pub fn named<'a>(asked: &Asked<'a>, key: &str) -> Option<&'a Value> {
    let mut attributes = events(asked).flat_map(|event| &event.attributes);
    attributes.find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
}

/// What a tool gave back, as Claude Code tells of it.
pub fn tool_output<'a>(asked: &Asked<'a>) -> Option<&'a Value> {
    let told = events(asked).find(|event| event.name == "tool.output")?;
    let key = ["output", "content", "diff"].into_iter();
    let mut said = key.filter_map(|key| told.attributes.iter().find(|attribute| attribute.key == key));
    said.next().map(|attribute| &attribute.value)
}

/// The messages of one direction: an event's attribute that has them all, or one event each.
pub fn messages(asked: &Asked<'_>, own: &str, role: &str) -> Option<Json> {
    if let Some(value) = named(asked, own) {
        return Some(parts::messages(json(value), role));
    }
    let messages: Vec<Json> = events(asked).filter_map(|event| message(event, role)).collect();
    (!messages.is_empty()).then(|| Json::from(messages))
}

fn message(event: &Event, role: &str) -> Option<Json> {
    let (speaker, output) = match event.name.as_str() {
        "gen_ai.choice" | "gen_ai.content.completion" => ("assistant", true),
        "gen_ai.content.prompt" => ("user", false),
        name => (name.strip_prefix("gen_ai.")?.strip_suffix(".message")?, false),
    };
    if output != (role == "assistant") {
        return None;
    }
    let attribute = |key: &str| {
        event.attributes.iter().find(|attribute| attribute.key == key).map(|attribute| json(&attribute.value))
    };
    let mut fields = match CONTENT.iter().find_map(|key| attribute(key)) {
        Some(Json::Object(fields)) if MESSAGE.iter().any(|key| fields.contains_key(*key)) => fields,
        Some(content) => Map::from_iter([("content".to_owned(), content)]),
        None => Map::from_iter([("content".to_owned(), Json::Null)]),
    };
    for (key, name) in [
        ("role", "role"),
        ("tool_calls", "tool_calls"),
        ("finish_reason", "finish_reason"),
        ("id", "tool_call_id"),
    ] {
        if let Some(value) = attribute(key) {
            fields.entry(name).or_insert(value);
        }
    }
    fields.entry("role").or_insert_with(|| Json::from(speaker));
    Some(parts::with_parts(Json::Object(fields), speaker))
}
