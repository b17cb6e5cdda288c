//! What understanding costs: traces of model calls against the same traces whose spans say nothing of models. The
//! difference of the two, for each span, is the cost of kind, agent, usage and price.

use clew_engine::{open, prices::PriceTable};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use model::batch::Encoding;
use model::{Attribute, Signal, Span, SpanId, TenantId, Timestamp, TraceId, Value, otlp};
use query::Engine;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use storage::{Limits, Options, Storage};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const SPANS: u64 = 10_000;
const GENAI: TraceId = TraceId([1; 16]);
const PLAIN: TraceId = TraceId([2; 16]);

fn text(key: &str, value: &str) -> Attribute {
    Attribute::new(key, Value::String(value.to_owned()))
}

fn count(key: &str, value: u64) -> Attribute {
    Attribute::new(key, Value::Int(value.cast_signed()))
}

/// As many attributes in both traces.
fn attributes(trace: TraceId, number: u64) -> Vec<Attribute> {
    if trace == GENAI {
        return vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", "gpt-4o"),
            text("gen_ai.response.model", "gpt-4o-2024-08-06"),
            text("gen_ai.agent.name", "planner"),
            count("gen_ai.usage.input_tokens", 1_000 + number % 500),
            count("gen_ai.usage.output_tokens", number % 300),
            count("gen_ai.usage.cache_read.input_tokens", number % 700),
        ];
    }
    vec![
        text("app.region", "north"),
        text("app.shop", "books"),
        text("app.shelf", "poetry"),
        text("app.edition", "second"),
        text("app.keeper", "ann"),
        count("app.pages", 1_000 + number % 500),
        count("app.copies", number % 300),
        count("app.lent", number % 700),
    ]
}

fn span(trace: TraceId, number: u64) -> Span {
    Span {
        trace_id: trace,
        span_id: SpanId((number + 1).to_be_bytes()),
        parent_span_id: (number > 0).then(|| SpanId((number / 10 + 1).to_be_bytes())),
        name: format!("step {}", number % 40),
        kind: 1,
        start: Timestamp(1_760_000_000_000_000_000 + number * 1_000_000),
        end: Timestamp(1_760_000_000_500_000_000 + number * 1_000_000),
        attributes: attributes(trace, number),
        ..Span::default()
    }
}

async fn filled(directory: &tempfile::TempDir) -> Arc<dyn Engine> {
    let options = Options {
        directory: directory.path().to_owned(),
        blocks_url: None,
        max_age: Duration::from_secs(3_600),
        max_bytes: 1 << 40,
        of_signal: [Limits::default(); 3],
        seal_bytes: 1 << 40,
        seal_age: Duration::from_secs(3_600),
        hot_limit_bytes: 1 << 40,
        min_free_bytes: 0,
        sampling: None,
    };
    let storage = Storage::open(options).await.expect("an empty store opens");
    let running = storage.clone();
    #[expect(clippy::disallowed_methods, reason = "the bench is the supervisor")]
    drop(tokio::spawn(async move { running.run(CancellationToken::new()).await }));
    for trace in [GENAI, PLAIN] {
        let spans: Vec<Span> = (0..SPANS).map(|number| span(trace, number)).collect();
        let wire = otlp::encode_spans(&spans).into();
        let batch = otlp::decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, wire);
        storage.append(batch.expect("spans decode")).await.expect("spans are stored");
    }
    storage.seal().await.expect("spans are sealed");
    open(storage, PriceTable::default(), clew_engine::EngineOptions::default()).expect("the engine opens")
}

fn understanding(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let directory = tempfile::tempdir().expect("a directory is made");
    let engine = runtime.block_on(filled(&directory));
    let tenant = TenantId::default();
    let mut group = criterion.benchmark_group("understanding");
    group.throughput(Throughput::Elements(SPANS)).sample_size(20);
    for (name, trace) in [("genai", GENAI), ("plain", PLAIN)] {
        group.bench_function(BenchmarkId::new("skeleton", name), |bencher| {
            bencher.iter(|| black_box(runtime.block_on(engine.skeleton(&tenant, trace))));
        });
        group.bench_function(BenchmarkId::new("run", name), |bencher| {
            bencher.iter(|| black_box(runtime.block_on(engine.run(&tenant, trace))));
        });
    }
    group.finish();
}

criterion_group!(benches, understanding);
criterion_main!(benches);
