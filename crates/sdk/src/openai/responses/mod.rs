//! Responses: what a request and an answer tell of a call, in the conventions' names and form.

mod gathered;

pub(super) use gathered::Gathered;

use super::told::{data_kind, identified, image, options, tool_call, usage};
use crate::content::OUTPUT;
use crate::finish;
use crate::model_api;
use crate::model_call::ModelCall;
use crate::span::Start;
use serde_json::{Value, json};

/// What only this interface has.
pub(super) fn settings(start: Start, request: &Value) -> Start {
    let (effort, form) = (&request["reasoning"]["effort"], &request["text"]["format"]);
    let start = options(start, "responses", request, effort, form);
    match request["previous_response_id"].as_str() {
        Some(id) => start.set("gen_ai.request.previous_response.id", id.to_owned()),
        None => start,
    }
}

/// The conversation that a request goes on with.
pub(super) fn conversation(request: &Value) -> Option<&str> {
    let conversation = &request["conversation"];
    conversation.as_str().or(conversation["id"].as_str())
}

/// What the model is asked.
pub(super) fn asked(call: &ModelCall, request: &Value) {
    if let Some(text) = request["instructions"].as_str() {
        call.system(text);
    }
    let input = &request["input"];
    let alone = input.as_str().map(|text| json!([{ "role": "user", "content": text }]));
    model_api::asked(call, alone.as_ref().unwrap_or(input), message, &request["tools"]);
}

/// What it answered.
pub(super) fn answered(call: &ModelCall, answer: &Value) {
    identified(call, answer);
    let reason = finish::reasons(answer).pop();
    if let Some(reason) = &reason {
        call.finish_reason(reason.clone());
    }
    usage(call, &answer["usage"], "input", "output");
    let items = answer["output"].as_array().filter(|items| !items.is_empty());
    if let Some(items) = items {
        call.content(OUTPUT, || {
            let parts: Vec<_> = items.iter().flat_map(parts).collect();
            let mut said = json!({ "role": "assistant", "parts": parts });
            if let Some(reason) = reason {
                said["finish_reason"] = reason.into();
            }
            json!([said])
        });
    }
}

/// One item of what is asked: a message, or what was called, answered or thought before.
fn message(item: &Value) -> Value {
    let role = match (item["type"].as_str(), item["role"].as_str()) {
        (_, Some("developer")) => "system",
        (_, Some(role)) => role,
        (Some("function_call_output" | "custom_tool_call_output"), None) => "tool",
        _ => "assistant",
    };
    json!({ "role": role, "parts": parts(item) })
}

fn parts(item: &Value) -> Vec<Value> {
    match item["type"].as_str().unwrap_or("message") {
        "message" => model_api::parts(&item["content"], part),
        "reasoning" => {
            let thoughts = [&item["summary"], &item["content"]].into_iter().filter_map(Value::as_array);
            let texts = thoughts.flatten().filter_map(|thought| thought["text"].as_str());
            texts.map(|text| json!({ "type": "reasoning", "content": text })).collect()
        }
        "function_call" => vec![tool_call(&item["call_id"], item)],
        "custom_tool_call" => vec![
            json!({ "type": "tool_call", "id": item["call_id"], "name": item["name"], "arguments": item["input"] }),
        ],
        "function_call_output" | "custom_tool_call_output" => {
            vec![json!({ "type": "tool_call_response", "id": item["call_id"], "response": item["output"] })]
        }
        "image_generation_call" => {
            vec![json!({ "type": "blob", "modality": "image", "content": "" })]
        }
        // What the provider itself does: searches, code, servers of MCP.
        kind if kind.ends_with("_call") => {
            vec![
                json!({ "type": "server_tool_call", "id": item["id"], "name": kind, "server_tool_call": item }),
            ]
        }
        _ => vec![item.clone()],
    }
}

fn part(part: &Value) -> Value {
    let file = |key: &str| part[key].as_str();
    match part["type"].as_str() {
        Some("input_text" | "output_text") => json!({ "type": "text", "content": part["text"] }),
        Some("refusal") => json!({ "type": "text", "content": part["refusal"] }),
        Some("input_image") => file("image_url").map_or_else(|| known(part, "image"), image),
        Some("input_file") => match (file("file_url"), file("file_data")) {
            (Some(address), _) => json!({ "type": "uri", "modality": "document", "uri": address }),
            (None, Some(data)) => {
                json!({ "type": "blob", "modality": "document", "mime_type": data_kind(data), "content": "" })
            }
            (None, None) => known(part, "document"),
        },
        _ => part.clone(),
    }
}

/// A file that the provider has already.
fn known(part: &Value, modality: &str) -> Value {
    json!({ "type": "file", "modality": modality, "file_id": part["file_id"] })
}
