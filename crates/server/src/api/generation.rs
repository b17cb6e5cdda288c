//! What a span says of a model call, a tool call or an agent, by meaning.

use super::{messages, values};
use model::json_path::inside;
use model::span::Event;
use model::{Span, Value};
use semconv::table::Source;
use semconv::{Meaning, NodeKind, Usage};
use serde_json::{Value as Json, json};
use std::borrow::Cow;

/// A span that is asked by meaning.
pub struct Asked<'a> {
    pub span: &'a Span,
    /// What log records say of it, as if it had been said in events.
    pub told: &'a [Event],
}

impl semconv::node_kind::Attributes for Asked<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.value(key).and_then(Value::as_str)
    }

    fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    fn means(&self, meaning: Meaning) -> bool {
        self.spelled(meaning).next().is_some()
    }

    fn span_kind(&self) -> i32 {
        self.span.kind
    }
}

impl<'a> Asked<'a> {
    /// The value of an attribute; where a sender has set it several times, the last.
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.span.attributes.iter().rfind(|attribute| attribute.key == key).map(|attribute| &attribute.value)
    }

    /// The spellings of a meaning that the span has, and that count.
    fn spelled(&self, meaning: Meaning) -> impl Iterator<Item = (&'static Source, &'a Value)> {
        let here = meaning.sources().iter().filter_map(|source| Some((*source, self.value(source.key)?)));
        here.filter(|(source, _)| source.counts(self))
    }

    /// The first text that carries this meaning.
    pub fn meaning(&self, meaning: Meaning) -> Option<Cow<'a, str>> {
        self.spelled(meaning).find_map(|(source, value)| {
            let text = value.as_str()?;
            let text = match source.path {
                None => Cow::Borrowed(text),
                Some(path) => Cow::Owned(inside(text, path)?.as_str()?.to_owned()),
            };
            Some(text).filter(|text| !text.is_empty())
        })
    }

    /// The first attribute that carries this meaning as a whole, with its key.
    pub fn carrier(&self, meaning: Meaning) -> Option<(&'static str, &'a Value)> {
        let is_said = |value: &Value| value.as_str().is_none_or(|text| !semconv::usage::is_absent(text));
        let mut whole = self.spelled(meaning).filter(|(source, _)| source.path.is_none());
        whole.find(|(_, value)| is_said(value)).map(|(source, value)| (source.key, value))
    }

    /// The first number that carries this meaning.
    pub fn number(&self, meaning: Meaning) -> Option<f64> {
        self.spelled(meaning).find_map(|(source, value)| match (value, source.path) {
            (Value::String(text), Some(path)) => inside(text, path)?.as_f64(),
            (_, Some(_)) => None,
            #[expect(clippy::cast_precision_loss, reason = "costs and times are small")]
            (Value::Int(number), None) => Some(*number as f64),
            (Value::Double(number), None) => Some(*number),
            (Value::String(text), None) => text.parse().ok(),
            _ => None,
        })
    }
}

/// The operation by OpenTelemetry's name for it, or as sent; none for what is no operation.
fn operation(asked: &Asked<'_>) -> Option<String> {
    let sent = asked.meaning(Meaning::Operation)?;
    let known = semconv::table::value("gen_ai.operation.name", &sent).map(str::to_owned);
    known.or_else(|| Some(sent.into_owned())).filter(|name| !name.is_empty())
}

/// The `gen` part of a span.
pub fn view(asked: &Asked<'_>, kind: NodeKind) -> Json {
    let messages = messages::view(asked, kind);
    let finish = match asked.carrier(Meaning::FinishReasons).map(|(_, value)| values::plain(value)) {
        Some(Json::String(text)) => {
            values::parsed(&text).filter(Json::is_array).unwrap_or_else(|| json!([text]))
        }
        Some(list) => list,
        None => messages::finish_reasons(&messages["output"]),
    };
    let usage = Usage::of(asked, |meaning| asked.number(meaning));
    let count = |count: fn(&Usage) -> u64| usage.as_ref().map(|usage| count(usage).to_string());
    // What is not said is not known to be none.
    let part = |meaning, tokens| asked.number(meaning).and_then(|_| count(tokens));
    let sent = asked.number(Meaning::TimeToFirstToken);
    let first_token = sent.map(|sent| semconv::usage::seconds_to_first_token(asked, sent) * 1_000.0);
    let reasons: Vec<&str> = finish.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    json!({
        "operation": operation(asked),
        "provider": asked.meaning(Meaning::Provider).and_then(|sent| semconv::usage::provider(&sent)),
        "model": asked.meaning(Meaning::Model),
        "agent": asked.meaning(Meaning::Agent),
        "tool": asked.meaning(Meaning::Tool),
        "conversation": asked.meaning(Meaning::Conversation),
        "inputTokens": count(|usage| usage.input),
        "outputTokens": count(|usage| usage.output),
        "cachedTokens": part(Meaning::CachedTokens, |usage| usage.cache_read),
        "cacheWriteTokens": part(Meaning::CacheWriteTokens, |usage| usage.cache_write),
        "reasoningTokens": part(Meaning::ReasoningTokens, |usage| usage.reasoning),
        "cost": asked.number(Meaning::Cost).map(values::double),
        "finishReasons": finish,
        "canonicalFinishReasons": reasons.into_iter().map(semconv::usage::finish_reason).collect::<Vec<_>>(),
        "timeToFirstTokenMs": first_token.map(values::double),
        "messages": messages,
    })
}
