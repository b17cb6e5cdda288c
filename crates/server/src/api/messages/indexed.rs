//! Messages that are spread over numbered attributes: `llm.input_messages.0.message.role` (OpenInference) and
//! `gen_ai.prompt.0.content` (OpenLLMetry).

use super::parts;
use crate::api::generation::Asked;
use crate::api::values;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// The messages under this prefix, in the order of their numbers.
pub fn messages(asked: &Asked<'_>, prefix: &str) -> Option<Json> {
    let mut messages: BTreeMap<usize, Map<String, Json>> = BTreeMap::new();
    for attribute in &asked.span.attributes {
        let rest = attribute.key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
        let Some((number, field)) = rest.and_then(numbered) else { continue };
        let field = field.strip_prefix("message.").unwrap_or(field);
        messages.entry(number).or_default().insert(field.to_owned(), values::plain(&attribute.value));
    }
    (!messages.is_empty()).then(|| messages.into_values().map(message).collect())
}

/// Prefixes of attributes that are numbered by tool: OpenInference's with a schema each, OpenLLMetry's with a field each.
const DEFINITIONS: [&str; 2] = ["llm.tools", "llm.request.functions"];

/// The tools that were offered, in the order of their numbers.
pub fn definitions(asked: &Asked<'_>) -> Option<Json> {
    let mut tools: BTreeMap<usize, Map<String, Json>> = BTreeMap::new();
    for attribute in &asked.span.attributes {
        let rest =
            DEFINITIONS.iter().find_map(|prefix| attribute.key.strip_prefix(prefix)?.strip_prefix('.'));
        let Some((number, field)) = rest.and_then(numbered) else { continue };
        let value = super::json(&attribute.value);
        let tool = tools.entry(number).or_default();
        match (field, value) {
            ("tool.json_schema", Json::Object(schema)) => tool.extend(schema),
            (field, value) => drop(tool.insert(field.to_owned(), value)),
        }
    }
    (!tools.is_empty()).then(|| tools.into_values().map(definition).collect())
}

/// `{type, function: {name, …}}` is `{type, name, …}`.
fn definition(mut tool: Map<String, Json>) -> Json {
    if let Some(Json::Object(function)) = tool.remove("function") {
        tool.extend(function);
    }
    tool.entry("type").or_insert_with(|| Json::from("function"));
    Json::Object(tool)
}

/// `0.name` is (0, name).
fn numbered(text: &str) -> Option<(usize, &str)> {
    let (number, field) = text.split_once('.')?;
    Some((number.parse().ok()?, field))
}

fn message(mut fields: Map<String, Json>) -> Json {
    let calls = group(&mut fields, "tool_calls.", &["tool_call.", "function."]);
    let contents = group(&mut fields, "contents.", &["message_content."]);
    if !calls.is_empty() {
        fields.insert("tool_calls".to_owned(), Json::from(calls));
    }
    if !contents.is_empty() {
        fields.entry("content").or_insert_with(|| contents.into_iter().map(image).collect());
    }
    fields.entry("content").or_insert(Json::Null);
    parts::with_parts(Json::Object(fields), "user")
}

/// Takes the fields under a numbered prefix out, as an object for each number.
fn group(fields: &mut Map<String, Json>, prefix: &str, inner: &[&str]) -> Vec<Json> {
    let mut grouped: BTreeMap<usize, Map<String, Json>> = BTreeMap::new();
    let keys: Vec<String> = fields.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
    for key in keys {
        let Some((number, mut field)) = key.strip_prefix(prefix).and_then(numbered) else { continue };
        for prefix in inner {
            field = field.strip_prefix(prefix).unwrap_or(field);
        }
        let value = fields.remove(&key).unwrap_or_default();
        grouped.entry(number).or_default().insert(field.to_owned(), value);
    }
    grouped.into_values().map(Json::Object).collect()
}

/// OpenInference's image is our URI.
fn image(part: Json) -> Json {
    match part.get("image.image.url") {
        Some(url) => json!({"type": "uri", "modality": "image", "uri": url}),
        None => part,
    }
}
