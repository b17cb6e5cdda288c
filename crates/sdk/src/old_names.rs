//! Names that attributes had before, set beside the current ones for receivers that only know those.

use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SpanData;
use std::time::Duration;

/// The current name, and those that it had.
const NAMES: [(&str, &[&str]); 19] = [
    ("gen_ai.provider.name", &["gen_ai.system", "model.provider"]),
    ("gen_ai.request.model", &["llm.model", "model.name"]),
    ("gen_ai.usage.input_tokens", &["llm.input_tokens", "model.tokens_input", "gen_ai.usage.prompt_tokens"]),
    (
        "gen_ai.usage.output_tokens",
        &["llm.output_tokens", "model.tokens_output", "gen_ai.usage.completion_tokens"],
    ),
    ("gen_ai.response.finish_reasons", &["gen_ai.response.finish_reason"]),
    ("gen_ai.tool.name", &["tool.name"]),
    ("gen_ai.workflow.name", &["workflow.name"]),
    ("http.request.method", &["http.method"]),
    ("url.full", &["http.url"]),
    // A server that knows no whole address told the path under the old name.
    ("url.path", &["http.url"]),
    ("http.response.status_code", &["http.status_code"]),
    ("user_agent.original", &["http.user_agent"]),
    ("db.system.name", &["db.system"]),
    ("db.namespace", &["db.name"]),
    ("db.operation.name", &["db.operation"]),
    ("db.collection.name", &["db.table"]),
    ("messaging.destination.name", &["messaging.destination"]),
    ("messaging.message.id", &["messaging.message_id"]),
    ("messaging.message.body.size", &["messaging.payload_size_bytes"]),
];

/// Sets the old names that are not set yet.
pub(crate) fn add(span: &mut SpanData) {
    let attributes = &mut span.attributes;
    let has = |attributes: &[KeyValue], key: &str| attributes.iter().any(|had| had.key.as_str() == key);
    for (current, olds) in NAMES {
        let found = attributes.iter().find(|had| had.key.as_str() == current);
        let Some(value) = found.map(|had| scalar(&had.value)) else { continue };
        for old in olds {
            if !has(attributes, old) {
                attributes.push(KeyValue::new(*old, value.clone()));
            }
        }
    }
    let took = span.end_time.duration_since(span.start_time).unwrap_or_default();
    let durations = [("gen_ai.request.model", "llm.latency_ms"), ("gen_ai.tool.name", "tool.duration_ms")];
    for (current, old) in durations {
        if has(attributes, current) && !has(attributes, old) {
            attributes.push(KeyValue::new(old, milliseconds(took)));
        }
    }
}

/// Of a list, the first: what was one text before is a list now.
fn scalar(value: &Value) -> Value {
    match value {
        Value::Array(Array::String(texts)) => texts.first().map_or("", StringValue::as_str).to_owned().into(),
        other => other.clone(),
    }
}

fn milliseconds(took: Duration) -> i64 {
    i64::try_from(took.as_millis()).unwrap_or(i64::MAX)
}
