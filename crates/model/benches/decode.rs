//! What decoding a request costs: 512 agent spans of 15 attributes each, in protobuf and in JSON.

use clew_model::batch::Encoding;
use clew_model::value::{Resource, Scope};
use clew_model::{Attribute, Signal, Span, SpanId, TenantId, Timestamp, TraceId, Value, otlp};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

const SPANS: u64 = 512;

fn text(key: &str, value: impl Into<String>) -> Attribute {
    Attribute::new(key, Value::String(value.into()))
}

/// A model call as GenAI conventions write it.
fn attributes(number: u64) -> Vec<Attribute> {
    let count = |key: &str, value: u64| Attribute::new(key, Value::Int(value.cast_signed()));
    vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o-2024-08-06"),
        text("gen_ai.response.model", "gpt-4o-2024-08-06"),
        text("gen_ai.response.id", format!("chatcmpl-{:032x}", u128::from(number) * 0x9e37_79b9_7f4a_7c15)),
        text("gen_ai.conversation.id", format!("conversation-{:08}", number / 16)),
        text("gen_ai.agent.name", "research-agent"),
        count("gen_ai.usage.input_tokens", 1_000 + number),
        count("gen_ai.usage.output_tokens", 200 + number % 100),
        Attribute::new("gen_ai.request.temperature", Value::Double(0.7)),
        count("gen_ai.request.max_tokens", 4_096),
        Attribute::new(
            "gen_ai.response.finish_reasons",
            Value::Array(vec![Value::String("stop".to_owned())]),
        ),
        text(
            "gen_ai.input.messages",
            format!("[{{'role':'user','content':'{}'}}]", "Find the sources and sum them up. ".repeat(7)),
        ),
        count("server.port", 443),
        Attribute::new("gen_ai.request.stream", Value::Bool(number.is_multiple_of(2))),
    ]
}

fn spans() -> Vec<Span> {
    let resource = Arc::new(Resource {
        attributes: vec![text("service.name", "research"), text("service.version", "1.4.2")],
        ..Resource::default()
    });
    let scope = Arc::new(Scope { name: "agent".to_owned(), ..Scope::default() });
    let span = |number: u64| Span {
        resource: Arc::clone(&resource),
        scope: Arc::clone(&scope),
        trace_id: TraceId((u128::from(number / 16 + 1) * 0x9e37_79b9_7f4a_7c15_f39c).to_be_bytes()),
        span_id: SpanId((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()),
        parent_span_id: (!number.is_multiple_of(16)).then_some(SpanId([7; 8])),
        name: "chat gpt-4o".to_owned(),
        kind: 3,
        start: Timestamp(1_760_000_000_000_000_000 + number * 1_000_000),
        end: Timestamp(1_760_000_001_000_000_000 + number * 1_000_000),
        attributes: attributes(number),
        ..Span::default()
    };
    (0..SPANS).map(span).collect()
}

/// The same spans as OTLP's JSON.
fn json(spans: &[Span]) -> String {
    let mut out = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"research"}}]},"scopeSpans":[{"scope":{"name":"agent"},"spans":["#.to_owned();
    for (place, span) in spans.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let Span { trace_id, span_id, name, .. } = span;
        let (start, end) = (span.start.0, span.end.0);
        let _ = write!(
            out,
            r#"{comma}{{"traceId":"{trace_id}","spanId":"{span_id}","name":"{name}","kind":3,"startTimeUnixNano":"{start}","endTimeUnixNano":"{end}","attributes":["#
        );
        for (place, Attribute { key, value }) in span.attributes.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let value = match value {
                Value::String(text) => format!(r#"{{"stringValue":"{text}"}}"#),
                Value::Int(number) => format!(r#"{{"intValue":"{number}"}}"#),
                Value::Double(number) => format!(r#"{{"doubleValue":{number}}}"#),
                Value::Bool(yes) => format!(r#"{{"boolValue":{yes}}}"#),
                _ => r#"{"arrayValue":{"values":[{"stringValue":"stop"}]}}"#.to_owned(),
            };
            let _ = write!(out, r#"{comma}{{"key":"{key}","value":{value}}}"#);
        }
        out.push_str("]}");
    }
    out.push_str("]}]}]}");
    out
}

fn decode(criterion: &mut Criterion) {
    let spans = spans();
    let mut group = criterion.benchmark_group("decode 512 spans");
    group.throughput(Throughput::Elements(SPANS));
    let wires =
        [(Encoding::Protobuf, otlp::encode_spans(&spans)), (Encoding::Json, json(&spans).into_bytes())];
    for (encoding, wire) in wires {
        let wire = bytes::Bytes::from(wire);
        let read = || otlp::decode(TenantId::default(), Signal::Traces, encoding, wire.clone());
        let batch = read().expect("the request is well formed");
        assert_eq!((batch.accepted, batch.rejected.count), (SPANS, 0));
        let memory: usize = batch.columns.iter().map(arrow::array::RecordBatch::get_array_memory_size).sum();
        let name = format!("{encoding:?}, {} wire and {} column B/span", wire.len() / 512, memory / 512);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(read())));
    }
    let columns = otlp::decode(
        TenantId::default(),
        Signal::Traces,
        Encoding::Protobuf,
        otlp::encode_spans(&spans).into(),
    )
    .expect("the request is well formed")
    .columns;
    group.bench_function("columns to owned spans", |bencher| {
        bencher.iter(|| otlp::spans(black_box(&columns[0])));
    });
    group.bench_function("owned spans to protobuf", |bencher| {
        bencher.iter(|| otlp::encode_spans(black_box(&spans)));
    });
}

criterion_group!(benches, decode);
criterion_main!(benches);
