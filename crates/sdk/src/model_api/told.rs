//! What requests and answers of all interfaces tell in the same way.

use crate::content::{DEFINITIONS, INPUT};
use crate::model_call::ModelCall;
use serde_json::{Value, json};

/// What the model is asked, each message in the conventions' form, and the tools that it may call.
pub(crate) fn asked(call: &ModelCall, messages: &Value, form: impl Fn(&Value) -> Value, tools: &Value) {
    call.content(INPUT, || messages.as_array().into_iter().flatten().map(form).collect());
    if tools.is_array() {
        call.content(DEFINITIONS, || tools.clone());
    }
}

/// The parts of a message, which may be a text alone.
pub(crate) fn parts(content: &Value, form: impl Fn(&Value) -> Value) -> Vec<Value> {
    match content {
        Value::String(text) => vec![json!({ "type": "text", "content": text })],
        Value::Array(parts) => parts.iter().map(form).collect(),
        _ => Vec::new(),
    }
}

/// Which answer it is, and of which model.
pub(crate) fn identified(call: &ModelCall, answer: &Value) {
    if let Some(id) = answer["id"].as_str() {
        call.response_id(id.to_owned());
    }
    if let Some(model) = answer["model"].as_str() {
        call.response_model(model.to_owned());
    }
}
