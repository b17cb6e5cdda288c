//! Messages that senders put into span events: `gen_ai.user.message`, `gen_ai.choice` and the like.

use super::{json, parts};
use crate::api::generation::Asked;
use model::Value;
use model::span::Event;
use serde_json::{Map, Value as Json};

/// What an attribute of an event may call the content.
const CONTENT: [&str; 5] =
    ["content", "message", "gen_ai.event.content", "gen_ai.prompt", "gen_ai.completion"];

/// The first attribute of this name on any event.
pub fn named<'a>(asked: &Asked<'a>, key: &str) -> Option<&'a Value> {
    let attributes = asked.0.events.iter().flat_map(|event| &event.attributes);
    attributes.into_iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
}

/// The messages of one direction: an event's attribute that has them all, or one event each.
pub fn messages(asked: &Asked<'_>, own: &str, role: &str) -> Option<Json> {
    if let Some(value) = named(asked, own) {
        return Some(parts::messages(json(value), role));
    }
    let messages: Vec<Json> = asked.0.events.iter().filter_map(|event| message(event, role)).collect();
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
        Some(Json::Object(fields)) if fields.contains_key("content") || fields.contains_key("parts") => {
            fields
        }
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
