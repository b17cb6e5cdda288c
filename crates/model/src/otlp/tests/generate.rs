//! Arbitrary telemetry.

use crate::metric::{MetricKind, MetricPoint, Number};
use crate::otlp::value::put_attributes;
use crate::otlp::wire::{put_fixed64, put_message};
use crate::span::{Event, Link, Span, Status};
use crate::value::{Attribute, Resource, Scope, Value};
use crate::{LogRecord, SpanId, Timestamp, TraceId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use std::sync::Arc;

pub fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Empty),
        ".{0,12}".prop_map(Value::String),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(|bits| Value::Double(f64::from_bits(bits))),
        vec(any::<u8>(), 0..12).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((".{0,4}", inner), 0..4).prop_map(|pairs| {
                Value::Map(pairs.into_iter().map(|(key, value)| Attribute { key, value }).collect())
            }),
        ]
    })
}

pub fn attributes() -> impl Strategy<Value = Vec<Attribute>> {
    // Few keys, so that they come twice and with several types.
    vec(("[a-d]", value()).prop_map(|(key, value)| Attribute { key, value }), 0..6)
}

fn resource() -> impl Strategy<Value = Arc<Resource>> {
    (attributes(), 0..3u32, "[a-z]{0,3}").prop_map(|(attributes, dropped_attributes, schema_url)| {
        Arc::new(Resource { attributes, dropped_attributes, schema_url })
    })
}

fn scope() -> impl Strategy<Value = Arc<Scope>> {
    (".{0,5}", ".{0,5}", attributes(), 0..3u32, "[a-z]{0,3}").prop_map(
        |(name, version, attributes, dropped_attributes, schema_url)| {
            Arc::new(Scope { name, version, attributes, dropped_attributes, schema_url })
        },
    )
}

fn trace_id() -> impl Strategy<Value = TraceId> {
    (1..=u128::MAX).prop_map(|id| TraceId(id.to_be_bytes()))
}

fn span_id() -> impl Strategy<Value = SpanId> {
    (1..=u64::MAX).prop_map(|id| SpanId(id.to_be_bytes()))
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u64>(), ".{0,5}", attributes(), 0..3u32).prop_map(
        |(time, name, attributes, dropped_attributes)| Event {
            time: Timestamp(time),
            name,
            attributes,
            dropped_attributes,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    (trace_id(), span_id(), ".{0,5}", attributes(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes: 1,
            flags,
        },
    )
}

pub fn span() -> impl Strategy<Value = Span> {
    let ids = (trace_id(), span_id(), option::of(span_id()), any::<u64>(), any::<u64>(), any::<u32>());
    let lists = (attributes(), vec(event(), 0..3), vec(link(), 0..3));
    (resource(), scope(), ids, lists, ".{0,9}", 0..6i32, (0..3i32, ".{0,5}")).prop_map(
        |(resource, scope, ids, (attributes, events, links), name, kind, (code, message))| Span {
            resource,
            scope,
            trace_id: ids.0,
            span_id: ids.1,
            parent_span_id: ids.2,
            trace_state: name.clone(),
            flags: ids.5,
            name,
            kind,
            start: Timestamp(ids.3),
            end: Timestamp(ids.4),
            attributes,
            dropped_attributes: 2,
            events,
            dropped_events: 3,
            links,
            dropped_links: 4,
            status: Status { code, message },
        },
    )
}

pub fn log_record() -> impl Strategy<Value = LogRecord> {
    let ids = (option::of(trace_id()), option::of(span_id()), any::<u64>(), any::<u64>());
    (resource(), scope(), ids, attributes(), option::of(value()), 0..25i32, ".{0,5}").prop_map(
        |(resource, scope, (trace_id, span_id, time, observed), attributes, body, severity_number, text)| {
            LogRecord {
                resource,
                scope,
                time: Timestamp(time),
                observed_time: Timestamp(observed),
                severity_number,
                severity_text: text.clone(),
                event_name: text,
                body,
                attributes,
                dropped_attributes: 1,
                flags: 1,
                trace_id,
                span_id,
            }
        },
    )
}

/// A data point of any kind.
pub fn point() -> impl Strategy<Value = MetricPoint> {
    let number = prop_oneof![
        any::<i64>().prop_map(Number::Int),
        any::<u64>().prop_map(|bits| Number::Double(f64::from_bits(bits)))
    ];
    let kind = prop_oneof![
        Just(MetricKind::Gauge),
        Just(MetricKind::Sum),
        Just(MetricKind::Histogram),
        Just(MetricKind::ExponentialHistogram),
        Just(MetricKind::Summary),
    ];
    let numbers = (option::of(number), option::of(any::<u64>()), option::of(-1e9..1e9f64));
    let lists = (attributes(), attributes(), vec(any::<u64>(), 0..4));
    (resource(), scope(), kind, numbers, lists, 0..3i32, ".{1,9}").prop_map(
        |(
            resource,
            scope,
            kind,
            (number, count, sum),
            (attributes, exemplar, buckets),
            temporality,
            name,
        )| {
            let plain = matches!(kind, MetricKind::Gauge | MetricKind::Sum);
            let (count, sum) = if plain { (None, None) } else { (count, sum) };
            MetricPoint {
                resource,
                scope,
                description: name.clone(),
                unit: "1".to_owned(),
                name,
                kind,
                temporality: if matches!(kind, MetricKind::Gauge | MetricKind::Summary) {
                    0
                } else {
                    temporality
                },
                monotonic: kind == MetricKind::Sum && temporality == 2,
                attributes,
                start: Timestamp(1),
                time: Timestamp(2),
                flags: 1,
                number: number.filter(|_| plain),
                count,
                sum,
                wire: rest_of_point(kind, count, sum, &exemplar, &buckets),
            }
        },
    )
}

/// The fields of a point that have no columns, and count and sum.
fn rest_of_point(
    kind: MetricKind,
    count: Option<u64>,
    sum: Option<f64>,
    exemplar: &[Attribute],
    buckets: &[u64],
) -> Vec<u8> {
    let mut wire = Vec::new();
    if let Some(count) = count {
        put_fixed64(&mut wire, 4, count);
    }
    if let Some(sum) = sum {
        put_fixed64(&mut wire, 5, sum.to_bits());
    }
    let exemplars = match kind {
        MetricKind::Gauge | MetricKind::Sum => 5,
        MetricKind::Histogram => 8,
        MetricKind::ExponentialHistogram => 11,
        MetricKind::Summary => return wire,
    };
    if kind == MetricKind::Histogram {
        put_message(&mut wire, 6, |packed| {
            buckets.iter().for_each(|bucket| packed.extend_from_slice(&bucket.to_le_bytes()));
        });
    }
    if !exemplar.is_empty() {
        put_message(&mut wire, exemplars, |out| put_attributes(out, 7, exemplar));
    }
    wire
}
