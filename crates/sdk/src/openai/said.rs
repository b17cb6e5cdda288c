//! What a request and an answer tell of a call, in the conventions' names and form.

use crate::content::{DEFINITIONS, INPUT, OUTPUT};
use crate::model_call::ModelCall;
use crate::span::Start;
use serde_json::{Value, json};

/// What only this interface has.
pub(super) fn settings(mut start: Start, request: &Value) -> Start {
    start = start.set("openai.api.type", "chat_completions");
    for (key, name) in [
        ("service_tier", "openai.request.service_tier"),
        ("reasoning_effort", "gen_ai.request.reasoning.level"),
    ] {
        if let Some(text) = request[key].as_str() {
            start = start.set(name, text.to_owned());
        }
    }
    if let Some(choices) = request["n"].as_i64().filter(|choices| *choices != 1) {
        start = start.set("gen_ai.request.choice.count", choices);
    }
    match request["response_format"]["type"].as_str() {
        Some("json_object" | "json_schema") => start.set("gen_ai.output.type", "json"),
        Some("text") => start.set("gen_ai.output.type", "text"),
        _ => start,
    }
}

/// What the model is asked.
pub(super) fn asked(call: &ModelCall, request: &Value) {
    call.content(INPUT, || request["messages"].as_array().into_iter().flatten().map(message).collect());
    if request["tools"].is_array() {
        call.content(DEFINITIONS, || request["tools"].clone());
    }
}

/// What it answered.
pub(super) fn answered(call: &ModelCall, answer: &Value) {
    if let Some(id) = answer["id"].as_str() {
        call.response_id(id.to_owned());
    }
    if let Some(model) = answer["model"].as_str() {
        call.response_model(model.to_owned());
    }
    for (key, name) in [
        ("service_tier", "openai.response.service_tier"),
        ("system_fingerprint", "openai.response.system_fingerprint"),
    ] {
        if let Some(text) = answer[key].as_str() {
            call.set(name, text.to_owned());
        }
    }
    let choices = answer["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
    let reasons: Vec<_> =
        choices.iter().filter_map(|choice| reason(choice["finish_reason"].as_str()?)).collect();
    if !reasons.is_empty() {
        call.finish_reasons(reasons);
    }
    usage(call, &answer["usage"]);
    if !choices.is_empty() {
        call.content(OUTPUT, || choices.iter().map(choice).collect());
    }
}

/// Cached tokens are part of the input here, and reasoning of the output, as the conventions want it.
fn usage(call: &ModelCall, usage: &Value) {
    let Some(input) = usage["prompt_tokens"].as_i64() else { return };
    call.usage(input, usage["completion_tokens"].as_i64().unwrap_or_default());
    if let Some(tokens) = usage["prompt_tokens_details"]["cached_tokens"].as_i64() {
        call.cached(tokens);
    }
    if let Some(tokens) = usage["completion_tokens_details"]["reasoning_tokens"].as_i64() {
        call.reasoning(tokens);
    }
}

/// The conventions' word for why an answer ended.
fn reason(word: &str) -> Option<String> {
    let word = match word {
        "" => return None,
        "tool_calls" | "function_call" => "tool_call",
        other => other,
    };
    Some(word.to_owned())
}

fn choice(choice: &Value) -> Value {
    let mut said = message(&choice["message"]);
    if let Some(reason) = choice["finish_reason"].as_str().and_then(reason) {
        said["finish_reason"] = reason.into();
    }
    said
}

fn message(message: &Value) -> Value {
    let role = match message["role"].as_str().unwrap_or("other") {
        "developer" => "system",
        "function" => "tool",
        role => role,
    };
    let parts = if role == "tool" {
        vec![
            json!({ "type": "tool_call_response", "id": message["tool_call_id"], "response": message["content"] }),
        ]
    } else {
        parts(message)
    };
    json!({ "role": role, "parts": parts })
}

fn parts(message: &Value) -> Vec<Value> {
    // What others than OpenAI call the thoughts of their models.
    let thought = message["reasoning_content"].as_str().or(message["reasoning"].as_str());
    let thought = thought.map(|text| json!({ "type": "reasoning", "content": text }));
    let text = |key: &str| message[key].as_str().filter(|text| !text.is_empty());
    let text = text("content").or(text("refusal")).map(|text| json!({ "type": "text", "content": text }));
    let content = message["content"].as_array().into_iter().flatten().map(part);
    let calls = message["tool_calls"].as_array().into_iter().flatten().map(tool_call);
    thought.into_iter().chain(text).chain(content).chain(calls).collect()
}

fn part(part: &Value) -> Value {
    match part["type"].as_str() {
        Some("text") => json!({ "type": "text", "content": part["text"] }),
        Some("image_url") => image(part["image_url"]["url"].as_str().unwrap_or_default()),
        _ => part.clone(),
    }
}

/// Of an image that comes along only its type is told: no one reads the rest in an attribute.
fn image(url: &str) -> Value {
    match url.strip_prefix("data:").and_then(|rest| rest.split_once(';')) {
        Some((kind, _)) => json!({ "type": "blob", "modality": "image", "mime_type": kind, "content": "" }),
        None => json!({ "type": "uri", "modality": "image", "uri": url }),
    }
}

fn tool_call(call: &Value) -> Value {
    let function = &call["function"];
    let arguments = function["arguments"].as_str().unwrap_or_default();
    let arguments = serde_json::from_str(arguments).unwrap_or_else(|_| Value::from(arguments));
    json!({ "type": "tool_call", "id": call["id"], "name": function["name"], "arguments": arguments })
}
