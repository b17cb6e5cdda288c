//! About how much memory items take.

use model::{Attribute, LogRecord, MetricPoint, Span, Value};
use std::mem::size_of;

const fn bytes_of(length: usize) -> u64 {
    length as u64
}

/// What a value has beside itself.
fn value(of: &Value) -> u64 {
    match of {
        Value::String(text) => bytes_of(text.capacity()),
        Value::Bytes(bytes) => bytes_of(bytes.capacity()),
        Value::Array(values) => values.iter().map(|inner| bytes_of(size_of::<Value>()) + value(inner)).sum(),
        Value::Map(inner) => attributes(inner),
        _ => 0,
    }
}

fn attributes(attributes: &[Attribute]) -> u64 {
    let own = bytes_of(size_of::<Attribute>());
    attributes
        .iter()
        .map(|attribute| own + bytes_of(attribute.key.capacity()) + value(&attribute.value))
        .sum()
}

/// Without its resource and scope, which others share.
pub fn span(span: &Span) -> u64 {
    let events = span
        .events
        .iter()
        .map(|event| bytes_of(size_of_val(event) + event.name.capacity()) + attributes(&event.attributes));
    let links = span
        .links
        .iter()
        .map(|link| bytes_of(size_of_val(link) + link.trace_state.capacity()) + attributes(&link.attributes));
    let texts = span.name.capacity() + span.trace_state.capacity() + span.status.message.capacity();
    bytes_of(size_of_val(span) + texts)
        + attributes(&span.attributes)
        + events.sum::<u64>()
        + links.sum::<u64>()
}

/// Likewise.
pub fn log_record(record: &LogRecord) -> u64 {
    let texts = record.severity_text.capacity() + record.event_name.capacity();
    bytes_of(size_of_val(record) + texts)
        + record.body.as_ref().map_or(0, value)
        + attributes(&record.attributes)
}

/// Likewise.
pub fn metric_point(point: &MetricPoint) -> u64 {
    let texts = point.name.capacity() + point.description.capacity() + point.unit.capacity();
    bytes_of(size_of_val(point) + texts + point.wire.capacity()) + attributes(&point.attributes)
}
