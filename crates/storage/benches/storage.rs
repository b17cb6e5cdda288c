//! What storing costs: an append until it is fsynced and visible, a seal, a trace found in hot buffer and blocks.

use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use arrow::record_batch::RecordBatch;
use clew_storage::{Error, Options, Sampling, Storage};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use model::batch::Encoding;
use model::span::Status;
use model::{Attribute, Batch, Signal, Span, SpanId, TenantId, Timestamp, TraceId, Value, otlp, schema};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Spans of a request, and of a trace.
const REQUEST: u64 = 512;
const TRACE: u64 = 16;
/// Requests in a block.
const REQUESTS: u64 = 200;
/// OTLP's status code of an error.
const ERROR: i32 = 2;

fn text(key: &str, value: impl Into<String>) -> Attribute {
    Attribute::new(key, Value::String(value.into()))
}

fn count(key: &str, value: u64) -> Attribute {
    Attribute::new(key, Value::Int(value.cast_signed()))
}

/// A spread number, the same for the same input.
const fn spread(number: u64) -> u64 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

fn trace_id(number: u64) -> TraceId {
    TraceId((u128::from(spread(number + 1)) << 64 | u128::from(spread(!number))).to_be_bytes())
}

/// A model call; one in ten carries what was said.
fn span(number: u64) -> Span {
    let mut attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", ["gpt-4o", "gpt-4o-mini", "o3"][(number % 3) as usize]),
        text("gen_ai.response.id", format!("chatcmpl-{:032x}", spread(number))),
        text("gen_ai.conversation.id", format!("conversation-{:08}", number / 64)),
        text("gen_ai.agent.name", format!("agent-{}", spread(number / TRACE) % 20)),
        text("user.id", format!("user-{}", spread(number / TRACE) % 1_000)),
        text("session.id", format!("{:032x}", spread(number / 64))),
        text("deployment.environment.name", "production"),
        text("server.address", "api.example.com"),
        count("gen_ai.usage.input_tokens", 1_000 + spread(number) % 4_000),
        count("gen_ai.usage.output_tokens", spread(number) % 700),
        count("server.port", 443),
        Attribute::new("gen_ai.request.temperature", Value::Double(0.7)),
        Attribute::new("gen_ai.request.stream", Value::Bool(number.is_multiple_of(2))),
    ];
    if number.is_multiple_of(10) {
        let said: String =
            (0..40).map(|word| format!("word{} ", spread(number * 64 + word) % 5_000)).collect();
        attributes
            .push(text("gen_ai.input.messages", format!("[{{\"role\":\"user\",\"content\":\"{said}\"}}]")));
    }
    Span {
        trace_id: trace_id(number / TRACE),
        span_id: SpanId((number + 1).to_be_bytes()),
        parent_span_id: (!number.is_multiple_of(TRACE))
            .then(|| SpanId((number / TRACE * TRACE + 1).to_be_bytes())),
        name: format!("chat step {}", number % 40),
        kind: 3,
        start: Timestamp(1_760_000_000_000_000_000 + number * 1_000_000),
        end: Timestamp(1_760_000_000_000_000_000 + number * 1_000_000 + spread(number) % 2_000_000_000),
        attributes,
        // In one trace of a hundred, one span fails.
        status: Status {
            code: if number.is_multiple_of(100 * TRACE) { ERROR } else { 0 },
            ..Status::default()
        },
        ..Span::default()
    }
}

fn request(number: u64) -> Batch {
    let spans: Vec<Span> = (number * REQUEST..(number + 1) * REQUEST).map(span).collect();
    let wire = otlp::encode_spans(&spans).into();
    otlp::decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, wire)
        .expect("the request is well formed")
}

fn options(directory: &Path) -> Options {
    Options {
        directory: directory.to_owned(),
        blocks_url: None,
        max_age: Duration::from_secs(86_400),
        max_bytes: 1 << 40,
        of_signal: [clew_storage::Limits::default(); 3],
        seal_bytes: 1 << 40,
        seal_age: Duration::from_secs(86_400),
        hot_limit_bytes: 1 << 40,
        min_free_bytes: 0,
        sampling: None,
    }
}

/// A store that runs as long as this lives.
struct Running {
    runtime: Runtime,
    storage: Storage,
    shutdown: CancellationToken,
    running: Option<JoinHandle<Result<(), Error>>>,
    directory: Option<tempfile::TempDir>,
}

impl Running {
    fn new() -> Self {
        Self::over(tempfile::tempdir().expect("a temporary directory can be made"), None)
    }

    fn over(directory: tempfile::TempDir, sampling: Option<Sampling>) -> Self {
        let runtime = Runtime::new().expect("a runtime starts");
        let options = Options { sampling, ..options(directory.path()) };
        let storage = runtime.block_on(Storage::open(options)).expect("the directory opens");
        let shutdown = CancellationToken::new();
        let (runner, token) = (storage.clone(), shutdown.clone());
        let running = runtime.spawn(async move { runner.run(token).await });
        Self { runtime, storage, shutdown, running: Some(running), directory: Some(directory) }
    }

    /// Stops, and gives the directory for another.
    fn stop(mut self) -> tempfile::TempDir {
        self.shutdown.cancel();
        let running = self.running.take().expect("it is taken once");
        self.runtime.block_on(running).expect("it does not panic").expect("it ends well");
        self.directory.take().expect("it is taken once")
    }

    fn append(&self, requests: impl Iterator<Item = Batch>) {
        self.runtime.block_on(async {
            for result in join_all(requests.map(|batch| self.storage.append(batch))).await {
                result.expect("there is room");
            }
        });
    }

    fn seal(&self) {
        self.runtime.block_on(self.storage.seal()).expect("there is room");
    }

    fn find(&self, trace: TraceId) -> usize {
        let snapshot = self.storage.snapshot(&TenantId::default(), Signal::Traces);
        let mut rows = 0;
        for block in &snapshot.blocks {
            let found =
                self.runtime.block_on(block.read_trace(trace, None, None)).expect("the block is whole");
            rows += found.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>();
        }
        rows + snapshot
            .hot
            .iter()
            .filter_map(|batch| batch.trace_rows(trace))
            .map(|rows| rows.num_rows())
            .sum::<usize>()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Requests that wait together share a group, and its fsync.
fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append, fsynced, requests of 512 spans");
    for together in [1, 8, 32] {
        let store = Running::new();
        group.throughput(Throughput::Elements(REQUEST * together));
        group.bench_function(BenchmarkId::new("waiting together", together), |bencher| {
            bencher.iter_batched(
                || (0..together).map(request).collect::<Vec<_>>(),
                |requests| store.append(requests.into_iter()),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal");
    group.throughput(Throughput::Elements(REQUEST * REQUESTS)).sample_size(10);
    let filled = || {
        let store = Running::new();
        store.append((0..REQUESTS).map(request));
        store
    };
    let sample = filled();
    sample.seal();
    let bytes = sample.storage.usage().block_bytes / (REQUEST * REQUESTS);
    group.bench_function(format!("{} spans, {bytes} B/span on disk", REQUEST * REQUESTS), |bencher| {
        bencher.iter_batched(
            filled,
            |store| {
                store.seal();
                store
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// What seals in place of all spans a tenth of the traces, and those with an error: of spans that no block has, in a new
/// store, and in one that was opened over 20 blocks, which are asked.
fn seal_sampled(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal, of the traces a tenth and errors");
    group.throughput(Throughput::Elements(REQUEST * REQUESTS)).sample_size(10);
    let keeps = |rows: &RecordBatch| {
        let codes = rows.column_by_name(schema::STATUS_CODE).expect("spans have a status");
        codes.as_primitive::<Int32Type>().iter().map(|code| Some(code == Some(ERROR))).collect()
    };
    let sampling = Sampling { wait: Duration::from_secs(86_400), rest: 0.1, keeps: Arc::new(keeps) };
    let store = Running::new();
    for block in 0..20 {
        store.append((block * REQUESTS..(block + 1) * REQUESTS).map(request));
        store.seal();
    }
    let empty = tempfile::tempdir().expect("a temporary directory can be made");
    for (name, directory) in [("no blocks before", empty), ("20 blocks before", store.stop())] {
        let store = Running::over(directory, Some(sampling.clone()));
        let mut next = 20;
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    store.append((next * REQUESTS..(next + 1) * REQUESTS).map(request));
                    next += 1;
                },
                |()| store.seal(),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn lookup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("trace of 16 spans, all columns");
    let store = Running::new();
    store.append((0..REQUESTS).map(request));
    let traces = REQUEST * REQUESTS / TRACE;
    let mut next = 0;
    let mut any = move || {
        next += 1;
        trace_id(spread(next) % traces)
    };
    group.bench_function("hot", |bencher| bencher.iter(|| black_box(store.find(any()))));
    store.seal();
    assert_eq!(store.find(trace_id(5)), 16);
    group.bench_function("in one block of 102,400 spans", |bencher| {
        bencher.iter(|| black_box(store.find(any())));
    });
    for block in 1..20 {
        store.append((block * REQUESTS..(block + 1) * REQUESTS).map(request));
        store.seal();
    }
    group.bench_function("in 20 blocks", |bencher| bencher.iter(|| black_box(store.find(any()))));
    let mut missing = 0u64;
    group.bench_function("not there, 20 blocks", |bencher| {
        bencher.iter(|| {
            missing += 1;
            black_box(store.find(TraceId(u128::from(missing).to_be_bytes())))
        });
    });
    group.finish();
}

criterion_group!(benches, append, seal, seal_sampled, lookup);
criterion_main!(benches);
