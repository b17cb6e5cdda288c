//! Chat completions: what a request and an answer tell of a call, in the conventions' names and form.

mod gathered;

pub(super) use gathered::Gathered;

use super::told::{identified, image, options, tool_call, usage};
use crate::content::OUTPUT;
use crate::finish;
use crate::model_api;
use crate::model_call::ModelCall;
use crate::span::Start;
use serde_json::{Value, json};

/// What only this interface has.
pub(super) fn settings(start: Start, request: &Value) -> Start {
    let start = options(
        start,
        "chat_completions",
        request,
        &request["reasoning_effort"],
        &request["response_format"],
    );
    match request["n"].as_i64() {
        Some(choices) if choices != 1 => start.set("gen_ai.request.choice.count", choices),
        _ => start,
    }
}

/// What the model is asked.
pub(super) fn asked(call: &ModelCall, request: &Value) {
    model_api::asked(call, &request["messages"], message, &request["tools"]);
}

/// What it answered.
pub(super) fn answered(call: &ModelCall, answer: &Value) {
    identified(call, answer);
    let choices = answer["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
    let reasons = finish::reasons(answer);
    if !reasons.is_empty() {
        call.finish_reasons(reasons);
    }
    usage(call, &answer["usage"], "prompt", "completion");
    if !choices.is_empty() {
        call.content(OUTPUT, || choices.iter().map(choice).collect());
    }
}

fn choice(choice: &Value) -> Value {
    let mut said = message(&choice["message"]);
    if let Some(reason) = choice["finish_reason"].as_str().and_then(finish::word) {
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
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    let calls = calls.map(|call| tool_call(&call["id"], &call["function"]));
    thought.into_iter().chain(text).chain(content).chain(calls).collect()
}

fn part(part: &Value) -> Value {
    match part["type"].as_str() {
        Some("text") => json!({ "type": "text", "content": part["text"] }),
        Some("image_url") => image(part["image_url"]["url"].as_str().unwrap_or_default()),
        _ => part.clone(),
    }
}
