//! Spans as OTLP has them (`opentelemetry/proto/trace/v1/trace.proto`), written straight from what was recorded.

mod protobuf;
#[cfg(test)]
mod tests;

use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status, TraceState};
use opentelemetry::{Array, InstrumentationScope, Key, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use protobuf::{
    bytes, count, fixed32, fixed64, head, message, number, of_number, text, varint_length, with_length,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Of the flags of spans and links: whether it is known where the parent or the linked span is, and that it is in another process.
const KNOWS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// How long an `AnyValue` with a truth or a fraction is.
const OF_TRUTH: usize = 2;
const OF_FRACTION: usize = 9;

/// Spans of one scope, as fields of OTLP's `ScopeSpans`.
#[derive(Debug, Default)]
pub(crate) struct ScopeSpans {
    pub(crate) scope: InstrumentationScope,
    pub(crate) spans: Vec<u8>,
}

/// Appends a span, as a field of `ScopeSpans`.
pub(crate) fn span(buffer: &mut Vec<u8>, span: &SpanData) {
    message(buffer, 2, 2, |buffer| {
        bytes(buffer, 1, &span.span_context.trace_id().to_bytes());
        bytes(buffer, 2, &span.span_context.span_id().to_bytes());
        state(buffer, span.span_context.trace_state());
        if span.parent_span_id != SpanId::INVALID {
            bytes(buffer, 4, &span.parent_span_id.to_bytes());
        }
        text(buffer, 5, &span.name);
        number(buffer, 6, kind(&span.span_kind));
        moment(buffer, 7, span.start_time);
        moment(buffer, 8, span.end_time);
        span.attributes.iter().for_each(|each| attribute(buffer, 9, &each.key, &each.value));
        count(buffer, 10, span.dropped_attributes_count);
        span.events.iter().for_each(|each| event(buffer, each));
        count(buffer, 12, span.events.dropped_count);
        span.links.iter().for_each(|each| link(buffer, each));
        count(buffer, 14, span.links.dropped_count);
        message(buffer, 15, 1, |buffer| status(buffer, &span.status));
        fixed32(buffer, 16, flags(&span.span_context, span.parent_span_is_remote));
    });
}

/// Who sends, as a field of `ResourceSpans`.
pub(crate) fn resource(resource: &Resource) -> Vec<u8> {
    let mut buffer = Vec::new();
    message(&mut buffer, 1, 2, |buffer| {
        resource.iter().for_each(|(key, value)| attribute(buffer, 1, key, value));
    });
    buffer
}

/// Appends an `ExportTraceServiceRequest` with these spans.
pub(crate) fn request(buffer: &mut Vec<u8>, resource: &[u8], scopes: &[ScopeSpans]) {
    let room = varint_length(resource.len() + scopes.iter().map(|each| each.spans.len()).sum::<usize>());
    message(buffer, 1, room, |buffer| {
        buffer.extend_from_slice(resource);
        for each in scopes.iter().filter(|each| !each.spans.is_empty()) {
            message(buffer, 2, varint_length(each.spans.len()), |buffer| {
                message(buffer, 1, 1, |buffer| scope(buffer, &each.scope));
                buffer.extend_from_slice(&each.spans);
                text(buffer, 3, each.scope.schema_url().unwrap_or_default());
            });
        }
    });
}

fn scope(buffer: &mut Vec<u8>, scope: &InstrumentationScope) {
    text(buffer, 1, scope.name());
    text(buffer, 2, scope.version().unwrap_or_default());
    scope.attributes().for_each(|each| attribute(buffer, 3, &each.key, &each.value));
}

fn state(buffer: &mut Vec<u8>, state: &TraceState) {
    text(buffer, 3, &state.header());
}

fn kind(kind: &SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

/// Nanoseconds since 1970; what was before has none.
fn moment(buffer: &mut Vec<u8>, field: u32, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    if !since.is_zero() {
        let whole = since.as_secs().wrapping_mul(1_000_000_000);
        fixed64(buffer, field, whole.wrapping_add(since.subsec_nanos().into()));
    }
}

fn flags(context: &SpanContext, is_remote: bool) -> u32 {
    let remote = if is_remote { IS_REMOTE } else { 0 };
    u32::from(context.trace_flags().to_u8()) | KNOWS_REMOTE | remote
}

fn status(buffer: &mut Vec<u8>, status: &Status) {
    match status {
        Status::Unset => {}
        Status::Ok => number(buffer, 3, 1),
        Status::Error { description } => {
            text(buffer, 2, description);
            number(buffer, 3, 2);
        }
    }
}

fn event(buffer: &mut Vec<u8>, event: &Event) {
    message(buffer, 11, 1, |buffer| {
        moment(buffer, 1, event.timestamp);
        text(buffer, 2, &event.name);
        event.attributes.iter().for_each(|each| attribute(buffer, 3, &each.key, &each.value));
        count(buffer, 4, event.dropped_attributes_count);
    });
}

fn link(buffer: &mut Vec<u8>, link: &Link) {
    message(buffer, 13, 1, |buffer| {
        bytes(buffer, 1, &link.span_context.trace_id().to_bytes());
        bytes(buffer, 2, &link.span_context.span_id().to_bytes());
        state(buffer, link.span_context.trace_state());
        link.attributes.iter().for_each(|each| attribute(buffer, 4, &each.key, &each.value));
        count(buffer, 5, link.dropped_attributes_count);
        fixed32(buffer, 6, flags(&link.span_context, link.span_context.is_remote()));
    });
}

fn attribute(buffer: &mut Vec<u8>, field: u32, key: &Key, value: &Value) {
    let (key, inner) = (key.as_str(), any_length(value));
    let of_key = if key.is_empty() { 0 } else { with_length(key.len()) };
    head(buffer, field, of_key + with_length(inner));
    text(buffer, 1, key);
    head(buffer, 2, inner);
    any(buffer, value);
}

/// How long an `AnyValue` is.
fn any_length(value: &Value) -> usize {
    match value {
        Value::String(value) => with_length(value.as_str().len()),
        Value::Bool(_) => OF_TRUTH,
        Value::I64(value) => of_number(value.cast_unsigned()),
        Value::F64(_) => OF_FRACTION,
        Value::Array(array) => with_length(list_length(array)),
        // The interface may come to know more than OTLP's texts, truths, numbers and lists of them.
        _ => 0,
    }
}

fn list_length(array: &Array) -> usize {
    match array {
        Array::String(values) => {
            values.iter().map(|value| with_length(with_length(value.as_str().len()))).sum()
        }
        Array::Bool(values) => values.len() * with_length(OF_TRUTH),
        Array::I64(values) => values.iter().map(|value| with_length(of_number(value.cast_unsigned()))).sum(),
        Array::F64(values) => values.len() * with_length(OF_FRACTION),
        _ => 0,
    }
}

/// Appends an `AnyValue`, whatever it is empty: an empty text is a text.
fn any(buffer: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(value) => bytes(buffer, 1, value.as_str().as_bytes()),
        Value::Bool(value) => number(buffer, 2, (*value).into()),
        Value::I64(value) => number(buffer, 3, value.cast_unsigned()),
        Value::F64(value) => fixed64(buffer, 4, value.to_bits()),
        Value::Array(array) => {
            head(buffer, 5, list_length(array));
            list(buffer, array);
        }
        _ => {}
    }
}

fn list(buffer: &mut Vec<u8>, array: &Array) {
    match array {
        Array::String(values) => values.iter().for_each(|value| {
            head(buffer, 1, with_length(value.as_str().len()));
            bytes(buffer, 1, value.as_str().as_bytes());
        }),
        Array::Bool(values) => values.iter().for_each(|value| {
            head(buffer, 1, OF_TRUTH);
            number(buffer, 2, (*value).into());
        }),
        Array::I64(values) => values.iter().for_each(|value| {
            head(buffer, 1, of_number(value.cast_unsigned()));
            number(buffer, 3, value.cast_unsigned());
        }),
        Array::F64(values) => values.iter().for_each(|value| {
            head(buffer, 1, OF_FRACTION);
            fixed64(buffer, 4, value.to_bits());
        }),
        _ => {}
    }
}
