//! The events of a streamed message, gathered into the message that would have come at once.

use super::said;
use crate::model_api::{Brought, Gathers, append, by_index};
use crate::model_call::ModelCall;
use serde_json::{Value, json};

#[derive(Debug, Default)]
pub(super) struct Gathered {
    message: Value,
    /// The blocks of the message, each with its index, and with a tool's input as the text that it comes in.
    blocks: Vec<Value>,
    ended: bool,
}

impl Gathers for Gathered {
    fn take(&mut self, event: &Value) -> Brought {
        match event["type"].as_str().unwrap_or_default() {
            "message_start" if event["message"].is_object() => {
                self.message = event["message"].clone();
                Brought::News
            }
            "content_block_start" => {
                let index = &event["index"];
                let new = || json!({ "index": index, "block": event["content_block"], "input": "" });
                by_index(&mut self.blocks, index, new);
                Brought::News
            }
            "content_block_delta" => self.delta(&event["index"], &event["delta"]),
            "content_block_stop" => {
                self.place();
                Brought::News
            }
            "message_delta" => {
                self.outcome(event);
                Brought::News
            }
            "message_stop" => {
                self.ended = true;
                self.place();
                Brought::News
            }
            _ => Brought::News,
        }
    }

    fn is_whole(&self) -> bool {
        self.ended
    }

    fn is_over(&self) -> bool {
        self.ended
    }

    fn answer(&self) -> Value {
        self.message.clone()
    }

    fn record(&self, call: &ModelCall) {
        said::answered(call, &self.message);
    }
}

impl Gathered {
    fn delta(&mut self, index: &Value, delta: &Value) -> Brought {
        let Some(item) = self.blocks.iter_mut().find(|item| item["index"] == *index) else {
            return Brought::News;
        };
        for (key, field) in [("text", "text"), ("thinking", "thinking"), ("signature", "signature")] {
            if let Some(piece) = delta[key].as_str()
                && item["block"].is_object()
            {
                append(&mut item["block"][field], piece);
            }
        }
        if let Some(piece) = delta["partial_json"].as_str() {
            append(&mut item["input"], piece);
        }
        let said = ["text", "thinking", "partial_json"].into_iter().filter_map(|key| delta[key].as_str());
        if said.map(str::len).sum::<usize>() > 0 { Brought::Token } else { Brought::News }
    }

    /// Why it ended; and the usage, as it is by now.
    fn outcome(&mut self, event: &Value) {
        if !self.message.is_object() {
            return;
        }
        for (key, value) in event["delta"].as_object().into_iter().flatten() {
            self.message[key] = value.clone();
        }
        let usage = &mut self.message["usage"];
        for (key, value) in event["usage"].as_object().into_iter().flatten() {
            if !value.is_null() && (usage.is_object() || usage.is_null()) {
                usage[key] = value.clone();
            }
        }
    }

    /// Puts the blocks into the message.
    fn place(&mut self) {
        if self.message.is_object() {
            self.message["content"] = self.blocks.iter().map(block).collect();
        }
    }
}

fn block(item: &Value) -> Value {
    let mut block = item["block"].clone();
    if let Some(input) = item["input"].as_str().filter(|input| !input.is_empty())
        && block.is_object()
    {
        block["input"] = serde_json::from_str(input).unwrap_or_else(|_| input.into());
    }
    block
}
