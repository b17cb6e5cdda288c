//! The events of a streamed response, gathered into the response that would have come at once.

use super::answered;
use crate::model_api::{Brought, Gathers, append, said_in};
use crate::model_call::ModelCall;
use serde_json::{Value, json};

/// Events that bring a piece of a part of an item: where the parts are, which it is, and what it is a piece of.
const PARTS: [(&str, &str, &str, &str, &str); 4] = [
    ("response.output_text.delta", "content", "content_index", "output_text", "text"),
    ("response.refusal.delta", "content", "content_index", "refusal", "refusal"),
    ("response.reasoning_text.delta", "content", "content_index", "reasoning_text", "text"),
    ("response.reasoning_summary_text.delta", "summary", "summary_index", "summary_text", "text"),
];

/// Events that bring a piece of a text of an item.
const TEXTS: [(&str, &str); 2] = [
    ("response.function_call_arguments.delta", "arguments"),
    ("response.custom_tool_call_input.delta", "input"),
];

/// No answer has more items, and no item more parts; an event that says so is wrong.
const MOST: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// As the last event told it that told all of it.
    response: Value,
    /// What came of its output until then, by the place in it.
    items: Vec<Value>,
    ended: bool,
}

impl Gathers for Gathered {
    fn take(&mut self, event: &Value) -> Brought {
        let kind = event["type"].as_str().unwrap_or_default();
        if event["response"].is_object() {
            self.response = event["response"].clone();
        }
        match kind {
            "response.completed" | "response.incomplete" | "response.failed" => self.ended = true,
            "response.output_item.added" | "response.output_item.done" => {
                if let Some(item) = self.item(event) {
                    *item = event["item"].clone();
                }
            }
            _ => return self.delta(kind, event),
        }
        Brought::News
    }

    fn failure(&self, event: &Value) -> Option<(Option<String>, String)> {
        match event["type"].as_str() {
            // An event that is an error itself, and not one that has one.
            Some("error") if event["error"].is_null() => {
                said_in(&json!({ "error": { "code": event["code"], "message": event["message"] } }))
            }
            Some("response.failed") => {
                said_in(&event["response"]).or_else(|| Some((None, "it does not say why".to_owned())))
            }
            _ => said_in(event),
        }
    }

    fn is_whole(&self) -> bool {
        self.ended
    }

    fn is_over(&self) -> bool {
        self.ended
    }

    fn answer(&self) -> Value {
        let mut response = self.response.clone();
        let told = response["output"].as_array().is_some_and(|items| !items.is_empty());
        if !told && response.is_object() {
            response["output"] = self.items.iter().filter(|item| item.is_object()).cloned().collect();
        }
        response
    }

    fn record(&self, call: &ModelCall) {
        answered(call, &self.answer());
    }
}

impl Gathered {
    /// The item that an event is about.
    fn item(&mut self, event: &Value) -> Option<&mut Value> {
        at(&mut self.items, &event["output_index"])
    }

    /// Adds a piece to what it is a piece of.
    fn delta(&mut self, kind: &str, event: &Value) -> Brought {
        let Some(piece) = event["delta"].as_str().filter(|piece| !piece.is_empty()) else {
            return Brought::News;
        };
        let Some(item) = self.item(event).filter(|item| item.is_object()) else { return Brought::Token };
        if let Some((_, list, index, part, field)) = PARTS.iter().find(|(event, ..)| *event == kind) {
            if !item[*list].is_array() {
                item[*list] = json!([]);
            }
            let place = item[*list].as_array_mut().and_then(|parts| at(parts, &event[*index]));
            if let Some(place) = place {
                if !place.is_object() {
                    *place = json!({ "type": part });
                }
                append(&mut place[*field], piece);
            }
        } else if let Some((_, field)) = TEXTS.iter().find(|(event, _)| *event == kind) {
            append(&mut item[*field], piece);
        }
        Brought::Token
    }
}

/// What is at a place, which is made if there is none yet.
fn at<'a>(items: &'a mut Vec<Value>, place: &Value) -> Option<&'a mut Value> {
    let place = usize::try_from(place.as_u64()?).ok().filter(|place| *place < MOST)?;
    if items.len() <= place {
        items.resize(place + 1, Value::Null);
    }
    items.get_mut(place)
}
