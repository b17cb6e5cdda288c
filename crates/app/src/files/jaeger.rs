//! Traces in the JSON of Jaeger's user interface, as it downloads them: microseconds, tags, logs, references, processes.
//! Tags that stand for a field of OTLP become that field again.

use super::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::span::{Event, Link, Status};
use model::value::{Resource, Scope, Shared};
use model::{Attribute, Signal, Span, SpanId, Timestamp, TraceId, Value, otlp};
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Trace {
    #[serde(default)]
    spans: Vec<JaegerSpan>,
    #[serde(default)]
    processes: HashMap<String, Process>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JaegerSpan {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(default, rename = "parentSpanID")]
    parent_span_id: String,
    #[serde(default)]
    flags: u32,
    #[serde(default)]
    operation_name: String,
    #[serde(default)]
    references: Vec<Reference>,
    start_time: u64,
    #[serde(default)]
    duration: u64,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    logs: Vec<Log>,
    #[serde(default, rename = "processID")]
    process_id: String,
    process: Option<Process>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(rename_all = "camelCase")]
struct Process {
    #[serde(default)]
    service_name: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    #[serde(default)]
    ref_type: String,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
struct Log {
    timestamp: u64,
    #[serde(default)]
    fields: Vec<Tag>,
}

#[derive(Deserialize, Clone)]
struct Tag {
    key: String,
    #[serde(default, rename = "type")]
    kind: String,
    value: serde_json::Value,
}

/// A trace of Jaeger's as a request. One span that cannot be read costs the trace, and says which.
pub fn request(json: &str) -> Result<Request, String> {
    let trace: Trace =
        serde_json::from_str(json).map_err(|error| format!("not a trace of Jaeger's: {error}"))?;
    let mut resources: HashMap<String, Shared<Resource>> = HashMap::new();
    let mut spans = Vec::with_capacity(trace.spans.len());
    for span in trace.spans {
        let process = span.process.as_ref().or_else(|| trace.processes.get(&span.process_id));
        let resource = match &span.process {
            Some(process) => Shared::new(resource(process)),
            None => Shared::clone(
                resources
                    .entry(span.process_id.clone())
                    .or_insert_with(|| Shared::new(process.map(resource).unwrap_or_default())),
            ),
        };
        let id = span.span_id.clone();
        spans.push(convert(span, resource).map_err(|reason| format!("span {id}: {reason}"))?);
    }
    Ok(Request { signal: Signal::Traces, wire: otlp::encode_spans(&spans) })
}

fn resource(process: &Process) -> Resource {
    let service = Attribute::new("service.name", Value::String(process.service_name.clone()));
    let tags = process.tags.iter().filter(|tag| tag.key != "service.name").map(attribute);
    Resource { attributes: std::iter::once(service).chain(tags).collect(), ..Resource::default() }
}

fn convert(span: JaegerSpan, resource: Shared<Resource>) -> Result<Span, String> {
    let trace_id = trace_id(&span.trace_id)?;
    let mut out = Span {
        resource,
        trace_id,
        span_id: span_id(&span.span_id)?,
        name: span.operation_name,
        flags: span.flags,
        start: micros(span.start_time),
        end: micros(span.start_time.saturating_add(span.duration)),
        events: span.logs.iter().map(event).collect(),
        ..Span::default()
    };
    if !span.parent_span_id.is_empty() {
        out.parent_span_id = Some(span_id(&span.parent_span_id)?);
    }
    for reference in &span.references {
        let (linked_trace, linked) = (self::trace_id(&reference.trace_id)?, span_id(&reference.span_id)?);
        let is_parent = reference.ref_type == "CHILD_OF" && linked_trace == trace_id;
        if is_parent && out.parent_span_id.is_none_or(|parent| parent == linked) {
            out.parent_span_id = Some(linked);
        } else {
            let kind = Value::String(reference.ref_type.to_lowercase());
            let attributes = vec![Attribute::new("opentracing.ref_type", kind)];
            out.links.push(Link { trace_id: linked_trace, span_id: linked, attributes, ..Link::default() });
        }
    }
    let mut scope = Scope::default();
    for tag in &span.tags {
        take_tag(&mut out, &mut scope, tag);
    }
    out.scope = Shared::new(scope);
    Ok(out)
}

/// A tag that stands for a field of OTLP, or an attribute.
fn take_tag(span: &mut Span, scope: &mut Scope, tag: &Tag) {
    let text = tag.value.as_str().unwrap_or_default();
    match (tag.key.as_str(), text) {
        ("span.kind", "internal") => span.kind = 1,
        ("span.kind", "server") => span.kind = 2,
        ("span.kind", "client") => span.kind = 3,
        ("span.kind", "producer") => span.kind = 4,
        ("span.kind", "consumer") => span.kind = 5,
        ("otel.status_code", "OK") => span.status.code = 1,
        ("otel.status_code", "ERROR") => span.status.code = 2,
        ("otel.status_description", _) => text.clone_into(&mut span.status.message),
        ("otel.scope.name" | "otel.library.name", _) => text.clone_into(&mut scope.name),
        ("otel.scope.version" | "otel.library.version", _) => text.clone_into(&mut scope.version),
        ("w3c.tracestate", _) => text.clone_into(&mut span.trace_state),
        ("internal.span.format", _) => {}
        // Jaeger shows this tag for every status that is an error.
        ("error", _) if tag.value == true || text == "true" => {
            span.status = Status { code: 2, message: std::mem::take(&mut span.status.message) };
        }
        _ => span.attributes.push(attribute(tag)),
    }
}

fn event(log: &Log) -> Event {
    let name = log.fields.iter().find(|field| field.key == "event");
    let others = log.fields.iter().filter(|field| field.key != "event");
    Event {
        time: micros(log.timestamp),
        name: name.and_then(|field| field.value.as_str()).unwrap_or_default().to_owned(),
        attributes: others.map(attribute).collect(),
        ..Event::default()
    }
}

fn attribute(tag: &Tag) -> Attribute {
    use serde_json::Value as Json;
    // Numbers that a browser could not hold are written as text.
    let value = match (tag.kind.as_str(), &tag.value) {
        ("int64", Json::String(text)) if text.parse::<i64>().is_ok() => {
            Value::Int(text.parse().unwrap_or_default())
        }
        ("binary", Json::String(text)) => {
            STANDARD.decode(text).map_or_else(|_| Value::String(text.clone()), Value::Bytes)
        }
        (_, Json::String(text)) => Value::String(text.clone()),
        (_, Json::Bool(yes)) => Value::Bool(*yes),
        ("float64", Json::Number(number)) => Value::Double(number.as_f64().unwrap_or_default()),
        (_, Json::Number(number)) => {
            number.as_i64().map_or_else(|| Value::Double(number.as_f64().unwrap_or_default()), Value::Int)
        }
        (_, other) => Value::String(other.to_string()),
    };
    Attribute::new(tag.key.clone(), value)
}

fn trace_id(text: &str) -> Result<TraceId, String> {
    TraceId::parse(text).ok_or_else(|| format!("{text:?} is not a trace id"))
}

fn span_id(text: &str) -> Result<SpanId, String> {
    SpanId::parse(text).ok_or_else(|| format!("{text:?} is not a span id"))
}

const fn micros(number: u64) -> Timestamp {
    Timestamp(number.saturating_mul(1_000))
}
