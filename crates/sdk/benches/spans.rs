//! What a span costs the thread that records it.

use clew_sdk::opentelemetry::Context;
use clew_sdk::{Exporter, sampling};
use criterion::{Criterion, criterion_group, criterion_main};
use std::collections::HashMap;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A receiver that reads and answers, and looks at nothing.
fn receiver() -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").ok()?;
    let address = listener.local_addr().ok()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    Some(format!("http://{address}"))
}

fn answer(mut stream: TcpStream) {
    let mut buffer = vec![0; 1 << 20];
    while let Some(mut left) = request_length(&mut stream, &mut buffer) {
        while left > 0 {
            let Ok(read @ 1..) = stream.read(&mut buffer) else { return };
            left = left.saturating_sub(read);
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

/// Reads the head of a request; how much of its body is still to come.
fn request_length(stream: &mut impl Read, buffer: &mut [u8]) -> Option<usize> {
    let mut filled = 0;
    loop {
        let read = stream.read(buffer.get_mut(filled..)?).ok().filter(|read| *read > 0)?;
        filled += read;
        let got = buffer.get(..filled)?;
        let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(got.get(..end)?).ok()?.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        return Some(length.trim().parse::<usize>().ok()?.saturating_sub(filled - end - 4));
    }
}

fn quiet() -> clew_sdk::Builder {
    clew_sdk::builder().service("bench").exporter(Exporter::None)
}

fn recorded(criterion: &mut Criterion) {
    let Some(endpoint) = receiver() else { return };
    let telemetry = clew_sdk::builder().service("bench").endpoint(endpoint).build();
    criterion.bench_function("recorded: start and end", |bench| {
        bench.iter(|| clew_sdk::span("step").start().end());
    });
    criterion.bench_function("recorded: start, 5 attributes, end", |bench| {
        bench.iter(|| {
            let span = clew_sdk::span("step").start();
            span.set("user.id", "user-123");
            span.set("batch.size", 20_i64);
            span.set("share", 0.5);
            span.set("cached", true);
            span.set("workflow.type", "batch");
            span.end();
        });
    });
    criterion.bench_function("recorded: model call", |bench| {
        bench.iter(|| {
            let call = clew_sdk::model_call("openai", "gpt-4o").temperature(0.7).start();
            call.usage(150, 200);
            call.finish_reason("stop");
            call.end();
        });
    });
    let span = clew_sdk::span("long").start();
    criterion.bench_function("recorded: one attribute", |bench| {
        // Beyond 128 it is only counted: a fresh span for each hundred.
        bench.iter_batched_ref(
            || clew_sdk::span("attributes").start(),
            |span| span.set("key", black_box(1_i64)),
            criterion::BatchSize::NumIterations(100),
        );
    });
    span.end();
    drop(telemetry);
}

fn unsampled(criterion: &mut Criterion) {
    let telemetry = quiet().sampler(sampling::parent_based(sampling::never())).build();
    criterion.bench_function("unsampled: root", |bench| bench.iter(|| clew_sdk::span("step").start().end()));
    let root = clew_sdk::span("root").start();
    let active = root.enter();
    criterion.bench_function("unsampled: child", |bench| bench.iter(|| clew_sdk::span("step").start().end()));
    criterion.bench_function("unsampled: child with 2 attributes", |bench| {
        bench.iter(|| clew_sdk::span("step").set("a", 1_i64).set("b", "c").start().end());
    });
    drop((active, telemetry));
}

fn carried(criterion: &mut Criterion) {
    let telemetry = quiet().build();
    let span = clew_sdk::span("step").start();
    let mut headers: HashMap<String, String> = HashMap::new();
    criterion.bench_function("inject", |bench| bench.iter(|| clew_sdk::inject(span.context(), &mut headers)));
    criterion.bench_function("extract", |bench| bench.iter(|| -> Context { clew_sdk::extract(&headers) }));
    drop(telemetry);
}

criterion_group!(benches, recorded, unsampled, carried);
criterion_main!(benches);
