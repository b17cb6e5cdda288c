//! What a measurement costs the thread that makes it.

use clew_sdk::opentelemetry::{KeyValue, global};
use clew_sdk::sampling;
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::io::Read;
use std::net::TcpListener;

/// Takes what is sent and never answers: measurements are sent once a minute at most.
fn receiver() -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").ok()?;
    let address = listener.local_addr().ok()?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = vec![0; 1 << 16];
            while matches!(stream.read(&mut buffer), Ok(1..)) {}
        }
    });
    Some(format!("http://{address}"))
}

fn measured(criterion: &mut Criterion) {
    let Some(endpoint) = receiver() else { return };
    let quiet = std::time::Duration::from_millis(100);
    let telemetry = clew_sdk::builder().service("bench").endpoint(endpoint).timeout(quiet);
    let telemetry = telemetry.sampler(sampling::parent_based(sampling::never())).build();
    let latency = global::meter("bench").f64_histogram("latency").build();
    let attributes = [
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.provider.name", "openai"),
        KeyValue::new("gen_ai.request.model", "gpt-4o"),
        KeyValue::new("gen_ai.token.type", "input"),
    ];
    criterion.bench_function("histogram: one measurement, 4 attributes", |bench| {
        bench.iter(|| latency.record(black_box(12.0), &attributes));
    });
    criterion.bench_function("histogram: one measurement, no attributes", |bench| {
        bench.iter(|| latency.record(black_box(12.0), &[]));
    });
    let context = sampled();
    let active = context.attach();
    criterion.bench_function("histogram: one measurement, 4 attributes, exemplar", |bench| {
        bench.iter(|| latency.record(black_box(12.0), &attributes));
    });
    drop(active);
    criterion.bench_function("model call that is not recorded: duration and tokens measured", |bench| {
        bench.iter(|| {
            let call = clew_sdk::model_call("openai", "gpt-4o").start();
            call.usage(150, 200);
            call.end();
        });
    });
    drop(telemetry);
}

/// Below a span of another program that is recorded.
fn sampled() -> clew_sdk::opentelemetry::Context {
    let headers =
        [("traceparent".to_owned(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned())];
    clew_sdk::extract(&std::collections::HashMap::from(headers))
}

criterion_group!(benches, measured);
criterion_main!(benches);
