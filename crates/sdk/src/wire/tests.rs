//! Spans of any kind are written as OpenTelemetry's own messages have them.

use super::{ScopeSpans, request, resource, span};
use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn text() -> impl Strategy<Value = String> {
    // Lengths around those at which a length takes another byte.
    prop_oneof![
        Just(String::new()),
        ".{0,20}",
        (100_usize..140).prop_map(|length| "x".repeat(length)),
        (16_300_usize..16_400).prop_map(|length| "é".repeat(length / 2)),
    ]
}

fn array() -> impl Strategy<Value = Array> {
    prop_oneof![
        vec(any::<bool>(), 0..4).prop_map(Array::Bool),
        vec(any::<i64>(), 0..4).prop_map(Array::I64),
        vec(any::<f64>(), 0..4).prop_map(Array::F64),
        vec(text().prop_map(StringValue::from), 0..4).prop_map(Array::String),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        any::<f64>().prop_map(Value::F64),
        text().prop_map(|text| Value::String(text.into())),
        array().prop_map(Value::Array),
    ]
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((text(), value()).prop_map(|(key, value)| KeyValue::new(key, value)), 0..6)
}

fn time() -> impl Strategy<Value = SystemTime> {
    prop_oneof![
        Just(UNIX_EPOCH),
        Just(UNIX_EPOCH - Duration::from_secs(9)),
        any::<u32>().prop_map(|seconds| UNIX_EPOCH + Duration::new(seconds.into(), seconds % 1_000_000_000)),
    ]
}

fn context() -> impl Strategy<Value = SpanContext> {
    let state = prop_oneof![
        Just(TraceState::default()),
        Just(TraceState::from_key_value([("ot", "th:8"), ("other", "1")]).unwrap()),
    ];
    (any::<u128>(), any::<u64>(), any::<u8>(), any::<bool>(), state).prop_map(
        |(trace, span, flags, remote, state)| {
            SpanContext::new(TraceId::from(trace), SpanId::from(span), TraceFlags::new(flags), remote, state)
        },
    )
}

fn events() -> impl Strategy<Value = SpanEvents> {
    let event = (text(), time(), attributes(), any::<u32>())
        .prop_map(|(name, time, attributes, dropped)| Event::new(name, time, attributes, dropped));
    (vec(event, 0..3), any::<u32>()).prop_map(|(events, dropped)| {
        let mut all = SpanEvents::default();
        (all.events, all.dropped_count) = (events, dropped);
        all
    })
}

fn links() -> impl Strategy<Value = SpanLinks> {
    let link = (context(), attributes(), any::<u32>())
        .prop_map(|(context, attributes, dropped)| Link::new(context, attributes, dropped));
    (vec(link, 0..3), any::<u32>()).prop_map(|(links, dropped)| {
        let mut all = SpanLinks::default();
        (all.links, all.dropped_count) = (links, dropped);
        all
    })
}

fn kind() -> impl Strategy<Value = SpanKind> {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    prop::sample::select(vec![Client, Consumer, Internal, Producer, Server])
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Status::Unset), Just(Status::Ok), text().prop_map(Status::error)]
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    let named = |name: &'static str| InstrumentationScope::builder(name);
    let whole = named("whole").with_version("1").with_schema_url("https://example.com/schema");
    prop::sample::select(vec![
        named("").build(),
        named("plain").build(),
        whole.with_attributes([KeyValue::new("feature", "metrics"), KeyValue::new("level", 3_i64)]).build(),
    ])
}

prop_compose! {
    fn recorded()(
        (span_context, parent_span_is_remote, parent, instrumentation_scope) in
            (context(), any::<bool>(), prop_oneof![Just(0_u64), any::<u64>()], scope()),
        (name, span_kind, start_time, end_time) in (text(), kind(), time(), time()),
        (attributes, dropped_attributes_count) in (attributes(), any::<u32>()),
        (events, links, status) in (events(), links(), status()),
    ) -> SpanData {
        let (name, parent_span_id) = (name.into(), SpanId::from(parent));
        SpanData {
            span_context, parent_span_id, parent_span_is_remote, span_kind, name, start_time, end_time, attributes,
            dropped_attributes_count, events, links, status, instrumentation_scope,
        }
    }
}

/// Grouped by scope in the order of their first spans, as the queue does it.
fn written(spans: &[SpanData], of: &Resource) -> Vec<u8> {
    let mut scopes: Vec<ScopeSpans> = Vec::new();
    for each in spans {
        let known = scopes.iter().position(|had| had.scope == each.instrumentation_scope);
        let place = known.unwrap_or_else(|| {
            scopes.push(ScopeSpans { scope: each.instrumentation_scope.clone(), spans: Vec::new() });
            scopes.len() - 1
        });
        span(&mut scopes[place].spans, each);
    }
    let mut buffer = Vec::new();
    request(&mut buffer, &resource(of), &scopes);
    buffer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn spans_are_written_as_opentelemetry_has_them(spans in vec(recorded(), 1..5), said in attributes()) {
        let of = Resource::builder_empty().with_attributes(said).build();
        let expected = ExportTraceServiceRequest {
            resource_spans: group_spans_by_resource_and_scope(spans.clone(), &ResourceAttributesWithSchema::from(&of)),
        };
        // By bytes, for which all that is not a number is the same; and in the shortest form.
        prop_assert_eq!(written(&spans, &of), expected.encode_to_vec());
    }
}

#[test]
fn no_spans_are_an_empty_request_of_the_resource() {
    let of = Resource::builder_empty().build();
    let decoded = ExportTraceServiceRequest::decode(written(&[], &of).as_slice()).unwrap();
    assert_eq!(decoded.resource_spans.len(), 1);
    assert!(decoded.resource_spans[0].scope_spans.is_empty());
}
