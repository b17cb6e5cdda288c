//! Spans in the form of Jaeger's user interface: microseconds, tags, logs, references, processes.

use crate::api::values;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::span::Event;
use model::value::Resource;
use model::{Attribute, Span, TraceId, Value};
use serde_json::{Map, Value as Json, json};

/// Integers beyond this are sent as text: a browser cannot hold them.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// 16 digits when the high half is zero, else 32.
fn trace_text(trace: TraceId) -> String {
    let text = trace.to_string();
    text.strip_prefix("0000000000000000").map(str::to_owned).unwrap_or(text)
}

/// Jaeger's word for OTLP's span kind; `None` when it is not given.
pub fn span_kind(kind: i32) -> Option<&'static str> {
    Some(match kind {
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => return None,
    })
}

/// A trace with its processes, numbered in the order met.
pub fn trace(id: TraceId, spans: &[Span]) -> Json {
    let (mut processes, mut known): (Map<String, Json>, Vec<(&Resource, String)>) = (Map::new(), Vec::new());
    let spans: Vec<Json> = spans
        .iter()
        .map(|each| {
            let found =
                known.iter().find(|(resource, _)| *resource == &*each.resource).map(|(_, name)| name.clone());
            let name = found.unwrap_or_else(|| {
                let name = format!("p{}", known.len() + 1);
                processes.insert(name.clone(), process(&each.resource));
                known.push((&each.resource, name.clone()));
                name
            });
            span(each, &name)
        })
        .collect();
    json!({"traceID": trace_text(id), "spans": spans, "processes": processes, "warnings": null})
}

fn process(resource: &Resource) -> Json {
    let service = values::service(resource);
    let service = if service.is_empty() { "OTLPResourceNoServiceName" } else { service };
    let tags: Vec<_> =
        resource.attributes.iter().filter(|attribute| attribute.key != "service.name").map(tag).collect();
    json!({"serviceName": service, "tags": tags})
}

fn span(span: &Span, process: &str) -> Json {
    let reference = |kind: &str, trace: TraceId, id: String| json!({"refType": kind, "traceID": trace_text(trace), "spanID": id});
    let parent = span.parent_span_id.map(|parent| reference("CHILD_OF", span.trace_id, parent.to_string()));
    let links =
        span.links.iter().map(|link| reference("FOLLOWS_FROM", link.trace_id, link.span_id.to_string()));
    let references: Vec<Json> = parent.into_iter().chain(links).collect();
    json!({
        "traceID": trace_text(span.trace_id),
        "spanID": span.span_id.to_string(),
        "flags": span.flags & 0xff,
        "operationName": span.name,
        "references": references,
        "startTime": span.start.0 / 1_000,
        "duration": span.end.0.saturating_sub(span.start.0) / 1_000,
        "tags": tags(span),
        "logs": span.events.iter().map(log).collect::<Vec<_>>(),
        "processID": process,
        "warnings": null,
    })
}

fn text_tag(key: &str, text: &str) -> Json {
    json!({"key": key, "type": "string", "value": text})
}

/// Scope, attributes, then what OTLP has fields for.
fn tags(span: &Span) -> Vec<Json> {
    let some = |key: &str, text: &str| (!text.is_empty()).then(|| text_tag(key, text));
    let mut tags: Vec<Json> = Vec::new();
    tags.extend(some("otel.scope.name", &span.scope.name));
    tags.extend(some("otel.scope.version", &span.scope.version));
    tags.extend(span.attributes.iter().map(tag));
    tags.extend(span_kind(span.kind).map(|kind| text_tag("span.kind", kind)));
    match span.status.code {
        1 => tags.push(text_tag("otel.status_code", "OK")),
        2 => {
            tags.push(text_tag("otel.status_code", "ERROR"));
            tags.push(json!({"key": "error", "type": "bool", "value": true}));
        }
        _ => {}
    }
    tags.extend(some("otel.status_description", &span.status.message));
    tags.extend(some("w3c.tracestate", &span.trace_state));
    tags
}

fn tag(attribute: &Attribute) -> Json {
    let (kind, value) = match &attribute.value {
        Value::String(text) => ("string", json!(text)),
        Value::Bool(yes) => ("bool", json!(yes)),
        Value::Int(number) if number.unsigned_abs() > SAFE_INTEGER => ("int64", json!(number.to_string())),
        Value::Int(number) => ("int64", json!(number)),
        Value::Double(number) => ("float64", values::double(*number)),
        Value::Bytes(bytes) => ("binary", json!(STANDARD.encode(bytes))),
        Value::Empty => ("string", json!("")),
        nested => ("string", json!(values::plain(nested).to_string())),
    };
    json!({"key": attribute.key, "type": kind, "value": value})
}

fn log(event: &Event) -> Json {
    let named = event.attributes.iter().any(|attribute| attribute.key == "event");
    let name = (!named && !event.name.is_empty()).then(|| text_tag("event", &event.name));
    let fields: Vec<Json> = name.into_iter().chain(event.attributes.iter().map(tag)).collect();
    json!({"timestamp": event.time.0 / 1_000, "fields": fields})
}
