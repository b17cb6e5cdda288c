//! What the fields of a span tell.

use crate::content::{self, INPUT, KEYS, OUTPUT};
use crate::options;
use opentelemetry::{KeyValue, Value};
use serde_json::{Value as Json, json};
use std::fmt::Debug;
use tracing::field::{Field, Visit};

/// What rig calls otherwise than the conventions.
const RENAMED: [(&str, &str); 5] = [
    ("gen_ai.usage.reasoning_tokens", "gen_ai.usage.reasoning.output_tokens"),
    ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens"),
    ("gen_ai.tool.error.type", "error.type"),
    (PROMPT, INPUT),
    (COMPLETION, OUTPUT),
];

/// What rig tells an agent, and what it is told by it: texts, and no messages.
const PROMPT: &str = "gen_ai.prompt";
const COMPLETION: &str = "gen_ai.completion";

/// What only rig itself has to know.
const LEFT_OUT: &str = "rig.completion_parent";

#[derive(Debug, Default)]
pub(super) struct Fields(Vec<KeyValue>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        let told = field.name();
        let name = RENAMED.iter().find(|(had, _)| *had == told).map_or(told, |(_, current)| current);
        if told == LEFT_OUT || (KEYS.contains(&name) && options::content().is_none()) {
            return;
        }
        let value = value.into();
        let value = match told {
            PROMPT => json!([{ "role": "user", "parts": [text_part(&value)] }]).to_string().into(),
            COMPLETION => json!([{ "role": "assistant", "parts": [text_part(&value)] }]).to_string().into(),
            _ => value,
        };
        self.put(name, value);
    }

    /// Sets one, in the place of what it was.
    pub(super) fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.retain(|had| had.key.as_str() != name);
        self.0.push(KeyValue::new(name, value));
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        Some(&self.0.iter().find(|had| had.key.as_str() == key)?.value)
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        Some(self.get(key)?.to_string()).filter(|text| !text.is_empty())
    }

    pub(super) fn number(&self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Value::I64(number) => Some(*number),
            _ => None,
        }
    }

    /// Takes one away.
    pub(super) fn take(&mut self, key: &str) {
        self.0.retain(|had| had.key.as_str() != key);
    }

    /// All of them; what was said, within its bound.
    pub(super) fn attributes(self) -> impl Iterator<Item = KeyValue> {
        self.0.into_iter().filter_map(|attribute| {
            if !KEYS.contains(&attribute.key.as_str()) {
                return Some(attribute);
            }
            let said = attribute.value.to_string();
            let said = content::recorded(|| serde_json::from_str(&said).unwrap_or(Json::String(said)))?;
            Some(KeyValue::new(attribute.key, said))
        })
    }
}

fn text_part(value: &Value) -> Json {
    json!({ "type": "text", "content": value.to_string() })
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.to_owned());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }
}
