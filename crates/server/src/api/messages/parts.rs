//! Brings messages of any provider's form into ours: content becomes parts, tool calls and their results too.

use crate::api::values;
use serde_json::{Map, Value as Json, json};

/// One message with one text.
pub fn message(role: &str, text: &str) -> Json {
    json!({"role": role, "parts": [{"type": "text", "content": text}]})
}

/// Whatever an attribute holds, as a list of messages.
pub fn messages(content: Json, role: &str) -> Json {
    match content {
        // LangChain has a list of messages for each of a batch.
        Json::Array(lists) if !lists.is_empty() && lists.iter().all(Json::is_array) => {
            let all = lists
                .into_iter()
                .filter_map(|list| if let Json::Array(list) = list { Some(list) } else { None });
            all.flatten().map(|each| with_parts(each, role)).collect()
        }
        Json::Array(list) if !list.is_empty() && list.iter().all(is_part) => {
            json!([{"role": role, "parts": list.into_iter().map(part).collect::<Vec<_>>()}])
        }
        Json::Array(list) => list.into_iter().map(|each| with_parts(each, role)).collect(),
        Json::Object(mut fields) if fields.get("messages").is_some_and(Json::is_array) => {
            messages(fields.remove("messages").unwrap_or_default(), role)
        }
        Json::Null => Json::Null,
        other => json!([with_parts(other, role)]),
    }
}

fn is_part(item: &Json) -> bool {
    item.get("type").is_some() && ["role", "parts", "kwargs"].iter().all(|key| item.get(key).is_none())
}

/// One message in our form. A message that has parts already is left as it is.
pub fn with_parts(message: Json, role: &str) -> Json {
    let mut fields = match message {
        Json::Object(fields) => fields,
        Json::String(text) => return self::message(role, &text),
        other => return self::message(role, &other.to_string()),
    };
    if let Some(Json::Array(parts)) = fields.get_mut("parts") {
        for part in parts {
            *part = known_part(part.take());
        }
        if fields.get("role").is_some_and(|role| role == "model") {
            fields.insert("role".to_owned(), Json::from("assistant"));
        }
        return Json::Object(fields);
    }
    // LangChain's serialised form.
    if fields.contains_key("lc")
        && let Some(Json::Object(inner)) = fields.remove("kwargs")
    {
        fields = inner;
    }
    if !["role", "content", "tool_calls"].iter().any(|key| fields.contains_key(*key)) {
        return self::message(role, &Json::Object(fields).to_string());
    }
    let parts = take_parts(&mut fields);
    let speaker = take_role(&mut fields, role);
    fields.insert("role".to_owned(), Json::from(speaker));
    fields.insert("parts".to_owned(), Json::from(parts));
    Json::Object(fields)
}

fn take_role(fields: &mut Map<String, Json>, otherwise: &str) -> String {
    let said = fields.remove("role").or_else(|| fields.remove("type"));
    match said.as_ref().and_then(Json::as_str) {
        Some("human") => "user".to_owned(),
        Some("ai" | "model") => "assistant".to_owned(),
        Some(role) => role.to_owned(),
        None => otherwise.to_owned(),
    }
}

fn take_parts(fields: &mut Map<String, Json>) -> Vec<Json> {
    let content = fields.remove("content");
    if let Some(id) =
        fields.remove("tool_call_id").filter(|_| fields.get("role").is_some_and(|role| role == "tool"))
    {
        return vec![json!({"type": "tool_call_response", "id": id, "response": content})];
    }
    let mut parts: Vec<Json> = match content {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::String(text)) => vec![json!({"type": "text", "content": text})],
        Some(Json::Array(parts)) => parts.into_iter().map(part).collect(),
        Some(other) => vec![json!({"type": "text", "content": other.to_string()})],
    };
    if let Some(Json::Array(calls)) = fields.remove("tool_calls") {
        parts.extend(calls.iter().map(tool_call));
    }
    parts
}

/// A part of a provider's content list: those of Anthropic, the Vercel AI SDK and others.
pub fn part(part: Json) -> Json {
    let Json::Object(mut fields) = part else {
        let text = if let Json::String(text) = part { text } else { part.to_string() };
        return json!({"type": "text", "content": text});
    };
    let kind = fields.get("type").and_then(Json::as_str).unwrap_or("text").to_owned();
    match kind.as_str() {
        "tool_use" | "tool-call" => tool_call(&Json::Object(fields)),
        "tool_result" | "tool-result" => {
            let mut first = |keys: &[&str]| keys.iter().find_map(|key| fields.remove(*key));
            let id = first(&["tool_use_id", "toolCallId"]);
            json!({"type": "tool_call_response", "id": id, "response": first(&["content", "result", "output"])})
        }
        "text" | "input_text" | "output_text" | "thinking" => {
            let text = fields.remove("text").or_else(|| fields.remove("thinking"));
            if let Some(text) = text {
                fields.insert("content".to_owned(), text);
            }
            let kind = if kind == "thinking" { "reasoning" } else { "text" };
            fields.insert("type".to_owned(), Json::from(kind));
            Json::Object(fields)
        }
        _ => Json::Object(fields),
    }
}

/// A part of a message that has parts already. Google's have no type, and OpenTelemetry's once called a tool's response
/// its result; all others stay as they are.
fn known_part(part: Json) -> Json {
    let Json::Object(mut fields) = part else { return part };
    if let Some(kind) = fields.get("type") {
        if kind == "tool_call_response"
            && !fields.contains_key("response")
            && let Some(result) = fields.remove("result")
        {
            fields.insert("response".to_owned(), result);
        }
        return Json::Object(fields);
    }
    if let Some(text) = fields.remove("text") {
        let thought = fields.get("thought") == Some(&Json::Bool(true));
        fields.insert("type".to_owned(), Json::from(if thought { "reasoning" } else { "text" }));
        fields.insert("content".to_owned(), text);
        return Json::Object(fields);
    }
    let mut first = |keys: [&str; 2]| keys.into_iter().find_map(|key| fields.remove(key));
    if let Some(call) = first(["functionCall", "function_call"]) {
        return tool_call(&call);
    }
    if let Some(answer) = first(["functionResponse", "function_response"]) {
        return json!({"type": "tool_call_response", "id": answer["id"], "response": answer["response"]});
    }
    if let Some(blob) = first(["inlineData", "inline_data"]) {
        let kind = blob.get("mimeType").or_else(|| blob.get("mime_type"));
        return json!({"type": "blob", "mime_type": kind, "content": blob["data"]});
    }
    Json::Object(fields)
}

/// A tool call; its arguments as JSON where they are.
pub fn tool_call(call: &Json) -> Json {
    let function = call.get("function").unwrap_or(call);
    let first =
        |of: &Json, keys: &[&str]| keys.iter().find_map(|key| of.get(key).cloned()).unwrap_or_default();
    let arguments = match first(function, &["arguments", "args", "input"]) {
        Json::String(text) => values::parsed(&text).unwrap_or(Json::String(text)),
        other => other,
    };
    json!({
        "type": "tool_call",
        "id": first(call, &["id", "toolCallId"]),
        "name": first(function, &["name", "toolName"]),
        "arguments": arguments,
    })
}
