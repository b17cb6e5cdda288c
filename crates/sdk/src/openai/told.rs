//! What the interfaces of `OpenAI` tell in the same way.

use crate::model_api;
use crate::model_call::ModelCall;
use crate::span::Start;
use serde_json::{Value, json};

/// What a request asks for beside what all providers know: by which interface, with which effort, in which form.
pub(super) fn options(
    mut start: Start,
    interface: &'static str,
    request: &Value,
    effort: &Value,
    form: &Value,
) -> Start {
    start = start.set("openai.api.type", interface);
    for (value, name) in [
        (&request["service_tier"], "openai.request.service_tier"),
        (effort, "gen_ai.request.reasoning.level"),
    ] {
        if let Some(text) = value.as_str() {
            start = start.set(name, text.to_owned());
        }
    }
    match form["type"].as_str() {
        Some("json_object" | "json_schema") => start.set("gen_ai.output.type", "json"),
        Some("text") => start.set("gen_ai.output.type", "text"),
        _ => start,
    }
}

/// Which answer it is, of which model, and how it was served.
pub(super) fn identified(call: &ModelCall, answer: &Value) {
    model_api::identified(call, answer);
    for (key, name) in [
        ("service_tier", "openai.response.service_tier"),
        ("system_fingerprint", "openai.response.system_fingerprint"),
    ] {
        if let Some(text) = answer[key].as_str() {
            call.set(name, text.to_owned());
        }
    }
}

/// Cached tokens are part of the input here, and reasoning of the output, as the conventions want it. The interfaces have
/// other words for input and output.
pub(super) fn usage(call: &ModelCall, usage: &Value, input: &str, output: &str) {
    let tokens = |word: &str| usage[format!("{word}_tokens")].as_i64();
    let of = |word: &str, part: &str| usage[format!("{word}_tokens_details")][part].as_i64();
    let Some(asked) = tokens(input) else { return };
    call.usage(asked, tokens(output).unwrap_or_default());
    if let Some(tokens) = of(input, "cached_tokens") {
        call.cached(tokens);
    }
    if let Some(tokens) = of(output, "reasoning_tokens") {
        call.reasoning(tokens);
    }
}

/// A tool that the model wants called; its arguments come as a text.
pub(super) fn tool_call(id: &Value, function: &Value) -> Value {
    let arguments = function["arguments"].as_str().unwrap_or_default();
    let arguments = serde_json::from_str(arguments).unwrap_or_else(|_| Value::from(arguments));
    json!({ "type": "tool_call", "id": id, "name": function["name"], "arguments": arguments })
}

/// Of an image that comes along only its type is told: no one reads the rest in an attribute.
pub(super) fn image(address: &str) -> Value {
    match data_kind(address) {
        Some(kind) => json!({ "type": "blob", "modality": "image", "mime_type": kind, "content": "" }),
        None => json!({ "type": "uri", "modality": "image", "uri": address }),
    }
}

/// The type of the data that an address holds in itself: `image/png` of `data:image/png;base64,...`.
pub(super) fn data_kind(address: &str) -> Option<&str> {
    let (kind, _) = address.strip_prefix("data:")?.split_once([';', ','])?;
    Some(kind)
}
