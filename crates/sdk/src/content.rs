//! What people, models and tools say, in the conventions' form, and bounded so that it stays whole JSON.

use crate::options;
use crate::setup::limits::shortened;
use serde_json::{Value, json};

/// Attributes that hold what was said: they have a bound of their own.
pub(crate) const KEYS: [&str; 8] = [INPUT, OUTPUT, SYSTEM, DEFINITIONS, ARGUMENTS, RESULT, QUERY, DOCUMENTS];

pub(crate) const INPUT: &str = "gen_ai.input.messages";
pub(crate) const OUTPUT: &str = "gen_ai.output.messages";
pub(crate) const SYSTEM: &str = "gen_ai.system_instructions";
pub(crate) const DEFINITIONS: &str = "gen_ai.tool.definitions";
pub(crate) const ARGUMENTS: &str = "gen_ai.tool.call.arguments";
pub(crate) const RESULT: &str = "gen_ai.tool.call.result";
pub(crate) const QUERY: &str = "gen_ai.retrieval.query.text";
pub(crate) const DOCUMENTS: &str = "gen_ai.retrieval.documents";

/// A message to a model or from one.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    role: &'static str,
    parts: Vec<Value>,
    finish_reason: Option<String>,
}

impl Message {
    fn new(role: &'static str, text: impl Into<String>) -> Self {
        Self { role, parts: Vec::new(), finish_reason: None }.text(text)
    }

    /// What the program tells the model to be.
    #[must_use]
    pub fn system(text: impl Into<String>) -> Self {
        Self::new("system", text)
    }

    /// What a person says.
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self::new("user", text)
    }

    /// What the model says; empty when it only calls tools.
    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new("assistant", text)
    }

    /// What a tool answered to the call of this id.
    #[must_use]
    pub fn tool(call_id: impl Into<String>, response: impl Into<Value>) -> Self {
        let part = json!({ "type": "tool_call_response", "id": call_id.into(), "response": response.into() });
        Self { role: "tool", parts: vec![part], finish_reason: None }
    }

    /// Another piece of text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.parts.push(json!({ "type": "text", "content": text }));
        }
        self
    }

    /// What the model thought before it spoke.
    #[must_use]
    pub fn reasoning(mut self, text: impl Into<String>) -> Self {
        self.parts.push(json!({ "type": "reasoning", "content": text.into() }));
        self
    }

    /// A tool that the model wants called.
    #[must_use]
    pub fn tool_call(
        mut self,
        id: impl Into<String>,
        name: impl Into<String>,
        arguments: impl Into<Value>,
    ) -> Self {
        let (id, name, arguments) = (id.into(), name.into(), arguments.into());
        self.parts.push(json!({ "type": "tool_call", "id": id, "name": name, "arguments": arguments }));
        self
    }

    /// Why it ended here.
    #[must_use]
    pub fn finished(mut self, reason: impl Into<String>) -> Self {
        self.finish_reason = Some(reason.into());
        self
    }

    fn json(self) -> Value {
        let mut message = json!({ "role": self.role, "parts": self.parts });
        if let (Some(reason), Some(fields)) = (self.finish_reason, message.as_object_mut()) {
            fields.insert("finish_reason".to_owned(), reason.into());
        }
        message
    }
}

/// What is said, as JSON within the bound; nothing where it may not be recorded.
pub(crate) fn recorded(said: impl FnOnce() -> Value) -> Option<String> {
    let characters = options::content()?;
    Some(bounded(said(), characters))
}

pub(crate) fn messages(messages: impl IntoIterator<Item = Message>) -> Value {
    messages.into_iter().map(Message::json).collect()
}

/// Every text is cut to what is left of the bound, the first ones first; the form around them stays.
fn bounded(mut value: Value, characters: usize) -> String {
    if let Value::String(text) = value {
        return shortened(&text, characters).unwrap_or(text);
    }
    let whole = value.to_string();
    if whole.len() <= characters {
        return whole;
    }
    // What the form itself takes is not known before: less is tried until it fits.
    let mut left = characters;
    while left > 0 {
        let mut rest = left;
        cut(&mut value, &mut rest);
        let text = value.to_string();
        if text.chars().count() <= characters {
            return text;
        }
        left /= 2;
    }
    // Nothing but form, and too much of it.
    json!([{ "role": "other", "parts": [{ "type": "text", "content": "(left out: too long)" }] }]).to_string()
}

fn cut(value: &mut Value, left: &mut usize) {
    match value {
        Value::String(text) => {
            if let Some(short) = shortened(text, *left) {
                *text = short;
            }
            *left = left.saturating_sub(text.chars().count());
        }
        Value::Array(values) => values.iter_mut().for_each(|value| cut(value, left)),
        Value::Object(fields) => {
            let form = ["type", "role", "id", "name", "finish_reason"];
            fields
                .iter_mut()
                .filter(|(key, _)| !form.contains(&key.as_str()))
                .for_each(|(_, value)| cut(value, left));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_stays_json() {
        let said = || {
            messages([
                Message::system("s".repeat(500)),
                Message::user("ü".repeat(9_000)),
                Message::assistant("").tool_call(
                    "call_1",
                    "get_weather",
                    json!({ "city": "x".repeat(9_000) }),
                ),
                Message::tool("call_1", json!({ "answer": "y".repeat(10) })).finished("stop"),
            ])
        };
        for characters in [600, 1_000, 5_000, 16_384] {
            let text = bounded(said(), characters);
            assert!(text.chars().count() <= characters, "{} > {characters}", text.chars().count());
            let read: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read.as_array().unwrap().len(), 4);
            assert_eq!(read[2]["parts"][0]["name"], "get_weather");
        }
        assert_eq!(bounded(said(), 1_000_000), said().to_string());
        assert!(serde_json::from_str::<Value>(&bounded(said(), 10)).is_ok());
        assert_eq!(bounded(json!("a text alone"), 6), "a text");
    }
}
