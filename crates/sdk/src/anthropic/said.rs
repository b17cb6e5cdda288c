//! What a request and an answer tell of a call, in the conventions' names and form.

use crate::content::{OUTPUT, SYSTEM};
use crate::finish;
use crate::model_api;
use crate::model_call::ModelCall;
use serde_json::{Value, json};

/// What the model is asked.
pub(super) fn asked(call: &ModelCall, request: &Value) {
    if !request["system"].is_null() {
        call.content(SYSTEM, || model_api::parts(&request["system"], part).into());
    }
    model_api::asked(call, &request["messages"], message, &request["tools"]);
}

/// What it answered.
pub(super) fn answered(call: &ModelCall, answer: &Value) {
    model_api::identified(call, answer);
    let reason = finish::reasons(answer).pop();
    if let Some(reason) = &reason {
        call.finish_reason(reason.clone());
    }
    usage(call, &answer["usage"]);
    if answer["content"].is_array() {
        call.content(OUTPUT, || {
            let mut said = message(answer);
            if let Some(reason) = reason {
                said["finish_reason"] = reason.into();
            }
            json!([said])
        });
    }
}

/// Tokens that were read from the cache or written to it are not among the input here; the conventions want them to be.
fn usage(call: &ModelCall, usage: &Value) {
    let tokens = |key: &str| usage[key].as_i64();
    let Some(uncached) = tokens("input_tokens") else { return };
    let (read, written) = (tokens("cache_read_input_tokens"), tokens("cache_creation_input_tokens"));
    let input = uncached.saturating_add(read.unwrap_or(0)).saturating_add(written.unwrap_or(0));
    call.usage(input, tokens("output_tokens").unwrap_or(0));
    if let Some(read) = read {
        call.cached(read);
    }
    if let Some(written) = written {
        call.cache_written(written);
    }
}

fn message(message: &Value) -> Value {
    let parts = model_api::parts(&message["content"], part);
    // What tools answered comes in the name of the user.
    let answered = !parts.is_empty() && parts.iter().all(|part| part["type"] == "tool_call_response");
    let role = if answered { "tool" } else { message["role"].as_str().unwrap_or("other") };
    json!({ "role": role, "parts": parts })
}

fn part(block: &Value) -> Value {
    match block["type"].as_str().unwrap_or_default() {
        "text" => json!({ "type": "text", "content": block["text"] }),
        "thinking" => json!({ "type": "reasoning", "content": block["thinking"] }),
        "tool_use" => {
            json!({ "type": "tool_call", "id": block["id"], "name": block["name"], "arguments": block["input"] })
        }
        "tool_result" => {
            json!({ "type": "tool_call_response", "id": block["tool_use_id"], "response": block["content"] })
        }
        kind @ ("image" | "document") => file(kind, &block["source"]),
        _ => block.clone(),
    }
}

/// Of a file that comes along only its type is told: no one reads the rest in an attribute.
fn file(modality: &str, source: &Value) -> Value {
    if source["url"].is_string() {
        return json!({ "type": "uri", "modality": modality, "uri": source["url"] });
    }
    if source["file_id"].is_string() {
        return json!({ "type": "file", "modality": modality, "file_id": source["file_id"] });
    }
    json!({ "type": "blob", "modality": modality, "mime_type": source["media_type"], "content": "" })
}
