//! The chunks of a streamed chat completion, gathered into the answer that would have come at once.

use super::answered;
use crate::model_api::{Brought, Gathers, append, by_index};
use crate::model_call::ModelCall;
use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct Gathered(Value);

impl Default for Gathered {
    fn default() -> Self {
        Self(json!({ "object": "chat.completion", "choices": [] }))
    }
}

impl Gathers for Gathered {
    fn take(&mut self, chunk: &Value) -> Brought {
        for (key, value) in chunk.as_object().into_iter().flatten() {
            let first = self.0[key].is_null() || key == "usage";
            if first && key != "choices" && !value.is_null() {
                self.0[key] = value.clone();
            }
        }
        let mut brought = Brought::News;
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            if self.choice(choice) {
                brought = Brought::Token;
            }
        }
        brought
    }

    fn is_whole(&self) -> bool {
        let choices = self.0["choices"].as_array();
        choices.is_some_and(|all| !all.is_empty() && all.iter().all(|each| each["finish_reason"].is_string()))
    }

    fn is_over(&self) -> bool {
        // What tells it, `[DONE]`, is no chunk.
        false
    }

    fn answer(&self) -> Value {
        self.0.clone()
    }

    fn record(&self, call: &ModelCall) {
        answered(call, &self.0);
    }
}

impl Gathered {
    /// Adds to one of the answers; tells whether there was something to add.
    fn choice(&mut self, chunk: &Value) -> bool {
        let index = &chunk["index"];
        let new = || json!({ "index": index, "message": { "role": "assistant", "content": null }, "finish_reason": null });
        let Some(choice) = self.0["choices"].as_array_mut().and_then(|all| by_index(all, index, new)) else {
            return false;
        };
        if !chunk["finish_reason"].is_null() {
            choice["finish_reason"] = chunk["finish_reason"].clone();
        }
        let message = &mut choice["message"];
        let mut added = false;
        for (key, value) in chunk["delta"].as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("role", _) => {}
                ("tool_calls", Value::Array(calls)) => {
                    added |= !calls.is_empty();
                    calls.iter().for_each(|call| tool_call(message, call));
                }
                (_, Value::String(text)) if !text.is_empty() => {
                    added = true;
                    append(&mut message[key], text);
                }
                _ => {}
            }
        }
        added
    }
}

/// Adds to a tool's call: its id and name come first, its arguments in pieces.
fn tool_call(message: &mut Value, chunk: &Value) {
    if message["tool_calls"].is_null() {
        message["tool_calls"] = json!([]);
    }
    let index = &chunk["index"];
    let new = || json!({ "index": index, "type": "function", "function": { "arguments": "" } });
    let Some(call) = message["tool_calls"].as_array_mut().and_then(|all| by_index(all, index, new)) else {
        return;
    };
    if chunk["id"].is_string() {
        call["id"] = chunk["id"].clone();
    }
    let (function, told) = (&mut call["function"], &chunk["function"]);
    if told["name"].is_string() {
        function["name"] = told["name"].clone();
    }
    if let Some(piece) = told["arguments"].as_str() {
        append(&mut function["arguments"], piece);
    }
}
