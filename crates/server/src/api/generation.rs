//! What a span says of a model call, a tool call or an agent, by meaning.

use super::{messages, values};
use model::{Span, Value};
use semconv::{Meaning, NodeKind};
use serde_json::{Value as Json, json};

/// A span that is asked by meaning.
pub struct Asked<'a>(pub &'a Span);

impl semconv::node_kind::Attributes for Asked<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.value(key).and_then(Value::as_str)
    }

    fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    fn span_kind(&self) -> i32 {
        self.0.kind
    }
}

impl<'a> Asked<'a> {
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.0.attributes.iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
    }

    /// The first text that carries this meaning.
    pub fn meaning(&self, meaning: Meaning) -> Option<&'a str> {
        meaning.keys().iter().find_map(|key| self.value(key)?.as_str()).filter(|text| !text.is_empty())
    }

    /// The first attribute that carries this meaning, with its key.
    pub fn carrier(&self, meaning: Meaning) -> Option<(&'static str, &'a Value)> {
        meaning.keys().iter().find_map(|key| Some((*key, self.value(key)?)))
    }

    /// The first whole number that carries this meaning, in decimal.
    fn count(&self, meaning: Meaning) -> Option<String> {
        meaning.keys().iter().find_map(|key| match self.value(key)? {
            Value::Int(number) => Some(number.to_string()),
            Value::Double(number) if number.is_finite() => Some(format!("{:.0}", number.round())),
            Value::String(text) => text.parse::<u64>().ok().map(|number| number.to_string()),
            _ => None,
        })
    }

    /// The first number that carries this meaning.
    fn number(&self, meaning: Meaning) -> Option<f64> {
        meaning.keys().iter().find_map(|key| match self.value(key)? {
            #[expect(clippy::cast_precision_loss, reason = "costs and times are small")]
            Value::Int(number) => Some(*number as f64),
            Value::Double(number) => Some(*number),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }
}

/// The `gen` part of a span.
pub fn view(asked: &Asked<'_>, kind: NodeKind) -> Json {
    let finish = match asked.carrier(Meaning::FinishReasons).map(|(_, value)| values::plain(value)) {
        Some(Json::String(text)) => {
            values::parsed(&text).filter(Json::is_array).unwrap_or_else(|| json!([text]))
        }
        Some(list) => list,
        None => json!([]),
    };
    json!({
        "operation": asked.meaning(Meaning::Operation),
        "provider": asked.meaning(Meaning::Provider),
        "model": asked.meaning(Meaning::Model),
        "agent": asked.meaning(Meaning::Agent),
        "tool": asked.meaning(Meaning::Tool),
        "conversation": asked.meaning(Meaning::Conversation),
        "inputTokens": asked.count(Meaning::InputTokens),
        "outputTokens": asked.count(Meaning::OutputTokens),
        "cachedTokens": asked.count(Meaning::CachedTokens),
        "cost": asked.number(Meaning::Cost).map(values::double),
        "finishReasons": finish,
        "timeToFirstTokenMs": asked.number(Meaning::TimeToFirstToken).map(|seconds| values::double(seconds * 1_000.0)),
        "messages": messages::view(asked, kind),
    })
}
