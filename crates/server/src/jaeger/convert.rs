//! Spans in the form of Jaeger's user interface: microseconds, tags, logs, references, processes. Keys are in the order
//! in which Jaeger writes them.

use crate::api::values;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::span::{Event, Link};
use model::value::Resource;
use model::{Attribute, Span, SpanId, TraceId, Value};
use query::result::Listed;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Integers beyond this are sent as text: a browser cannot hold them.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A trace with its processes, numbered in the order met.
#[derive(Serialize)]
pub struct TraceView<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    spans: Vec<SpanView<'a>>,
    processes: BTreeMap<String, ProcessView<'a>>,
    warnings: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessView<'a> {
    service_name: &'a str,
    tags: Vec<Tag<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanView<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<u32>,
    operation_name: &'a str,
    references: Vec<Reference>,
    start_time: u64,
    duration: u64,
    tags: Vec<Tag<'a>>,
    logs: Vec<Log<'a>>,
    #[serde(rename = "processID")]
    process_id: String,
    warnings: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: &'static str,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Serialize)]
struct Log<'a> {
    timestamp: u64,
    fields: Vec<Tag<'a>>,
}

#[derive(Serialize)]
struct Tag<'a> {
    key: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    value: TagValue<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum TagValue<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
}

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

/// Brings the spans of a trace into Jaeger's form.
pub fn trace(id: TraceId, of: &Listed<Span>) -> TraceView<'_> {
    let mut known = Processes::default();
    let spans = of.items.iter().map(|each| span(each, known.name(&each.resource))).collect();
    let processes = known.distinct.iter().map(|(resource, name)| (name.clone(), process(resource))).collect();
    TraceView {
        trace_id: trace_text(id),
        spans,
        processes,
        warnings: of.incomplete.clone().map(|why| vec![why]),
    }
}

/// Names of resources. Spans of one request share their resource, those of several requests only equal ones.
#[derive(Default)]
struct Processes<'a> {
    shared: HashMap<*const Resource, String>,
    distinct: Vec<(&'a Resource, String)>,
}

impl<'a> Processes<'a> {
    fn name(&mut self, resource: &'a Arc<Resource>) -> String {
        if let Some(name) = self.shared.get(&Arc::as_ptr(resource)) {
            return name.clone();
        }
        let equal =
            self.distinct.iter().find(|(known, _)| *known == &**resource).map(|(_, name)| name.clone());
        let name = equal.unwrap_or_else(|| {
            let name = format!("p{}", self.distinct.len() + 1);
            self.distinct.push((resource, name.clone()));
            name
        });
        self.shared.insert(Arc::as_ptr(resource), name.clone());
        name
    }
}

fn process(resource: &Resource) -> ProcessView<'_> {
    let service = values::service(resource);
    ProcessView {
        service_name: if service.is_empty() { "OTLPResourceNoServiceName" } else { service },
        tags: resource
            .attributes
            .iter()
            .filter(|attribute| attribute.key != "service.name")
            .map(tag)
            .collect(),
    }
}

fn span(span: &Span, process_id: String) -> SpanView<'_> {
    let parent = span.parent_span_id.map(|parent| reference("CHILD_OF", span.trace_id, parent));
    let linked = span.links.iter().filter(|link| link.span_id != SpanId::default());
    let links = linked.map(|link| reference(relation(link), link.trace_id, link.span_id));
    SpanView {
        trace_id: trace_text(span.trace_id),
        span_id: span.span_id.to_string(),
        flags: Some(span.flags & 0xff).filter(|flags| *flags != 0),
        operation_name: &span.name,
        references: parent.into_iter().chain(links).collect(),
        start_time: span.start.0 / 1_000,
        duration: span.end.0.saturating_sub(span.start.0) / 1_000,
        tags: tags(span),
        logs: span.events.iter().map(log).collect(),
        process_id,
        warnings: None,
    }
}

fn reference(ref_type: &'static str, trace: TraceId, span: SpanId) -> Reference {
    Reference { ref_type, trace_id: trace_text(trace), span_id: span.to_string() }
}

/// The word of `opentracing.ref_type` for what a link means, where the sender kept it.
fn relation(link: &Link) -> &'static str {
    let kept = link.attributes.iter().find(|attribute| attribute.key == "opentracing.ref_type");
    match kept.and_then(|attribute| attribute.value.as_str()) {
        Some("child_of") => "CHILD_OF",
        _ => "FOLLOWS_FROM",
    }
}

const fn text<'a>(key: &'a str, text: &'a str) -> Tag<'a> {
    Tag { key, kind: "string", value: TagValue::Text(Cow::Borrowed(text)) }
}

fn given<'a>(key: &'a str, value: &'a str) -> Option<Tag<'a>> {
    (!value.is_empty()).then(|| text(key, value))
}

/// Scope, attributes, then what OTLP has fields for.
fn tags(span: &Span) -> Vec<Tag<'_>> {
    let mut tags: Vec<Tag<'_>> = Vec::with_capacity(span.attributes.len() + 4);
    tags.extend(given("otel.scope.name", &span.scope.name));
    tags.extend(given("otel.scope.version", &span.scope.version));
    tags.extend(span.attributes.iter().map(tag));
    tags.extend(span_kind(span.kind).map(|kind| text("span.kind", kind)));
    match span.status.code {
        1 => tags.push(text("otel.status_code", "OK")),
        2 => {
            tags.push(text("otel.status_code", "ERROR"));
            tags.push(Tag { key: "error", kind: "bool", value: TagValue::Bool(true) });
        }
        _ => {}
    }
    tags.extend(given("otel.status_description", &span.status.message));
    tags.extend(given("w3c.tracestate", &span.trace_state));
    tags
}

fn tag(attribute: &Attribute) -> Tag<'_> {
    let owned = |text: String| TagValue::Text(Cow::Owned(text));
    let (kind, value) = match &attribute.value {
        Value::String(text) => ("string", TagValue::Text(Cow::Borrowed(text))),
        Value::Bool(yes) => ("bool", TagValue::Bool(*yes)),
        Value::Int(number) if number.unsigned_abs() > SAFE_INTEGER => ("int64", owned(number.to_string())),
        Value::Int(number) => ("int64", TagValue::Int(*number)),
        Value::Double(number) if number.is_finite() => ("float64", TagValue::Double(*number)),
        Value::Double(number) => ("float64", owned(values::odd(*number).to_owned())),
        Value::Bytes(bytes) => ("binary", owned(STANDARD.encode(bytes))),
        Value::Empty => ("string", TagValue::Text(Cow::Borrowed(""))),
        nested => ("string", owned(values::plain(nested).to_string())),
    };
    Tag { key: &attribute.key, kind, value }
}

fn log(event: &Event) -> Log<'_> {
    let named = event.attributes.iter().any(|attribute| attribute.key == "event");
    let name = (!named && !event.name.is_empty()).then(|| text("event", &event.name));
    Log {
        timestamp: event.time.0 / 1_000,
        fields: name.into_iter().chain(event.attributes.iter().map(tag)).collect(),
    }
}
