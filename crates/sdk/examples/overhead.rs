//! What observing costs: the same program without spans, with the bare OpenTelemetry SDK, and with this library, at a
//! thousand runs a second. Prints processor time, memory and how long runs took.
//!
//! `cargo run --release -p clew-sdk --example overhead -- none|bare|clew [SECONDS]`

use opentelemetry::trace::{Span as _, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

const RUNS_A_SECOND: u32 = 1_000;
/// Model calls and tools of a run; with the run itself, six spans.
const STEPS: u32 = 5;

/// What each step would do: a little work of its own.
fn work(seed: u64) -> u64 {
    (0..2_000_u64).fold(seed, |sum, step| black_box(sum.rotate_left(5) ^ step))
}

fn plain(run: u64) -> u64 {
    (0..STEPS).fold(run, |sum, _| work(sum))
}

fn bare(tracer: &impl Tracer<Span: Send + Sync + 'static>, run: u64) -> u64 {
    let agent = Context::new().with_span(tracer.start_with_context("invoke_agent planner", &Context::new()));
    let sum = (0..STEPS).fold(run, |sum, _| {
        let mut step = tracer.start_with_context("chat gpt-4o", &agent);
        step.set_attribute(KeyValue::new("gen_ai.operation.name", "chat"));
        step.set_attribute(KeyValue::new("gen_ai.provider.name", "openai"));
        step.set_attribute(KeyValue::new("gen_ai.request.model", "gpt-4o"));
        step.set_attribute(KeyValue::new("gen_ai.usage.input_tokens", 150_i64));
        step.set_attribute(KeyValue::new("gen_ai.usage.output_tokens", 200_i64));
        let sum = work(sum);
        step.end();
        sum
    });
    agent.span().end();
    sum
}

fn observed(run: u64) -> u64 {
    let agent = clew_sdk::agent("planner").start();
    let active = agent.enter();
    let sum = (0..STEPS).fold(run, |sum, _| {
        let call = clew_sdk::model_call("openai", "gpt-4o").start();
        let sum = work(sum);
        call.usage(150, 200);
        call.end();
        sum
    });
    drop(active);
    agent.end();
    sum
}

/// Runs at a steady rate; how long each took.
fn at_rate(seconds: u64, mut run: impl FnMut(u64) -> u64) -> Vec<Duration> {
    let start = Instant::now();
    let mut took = Vec::new();
    for index in 0..seconds * u64::from(RUNS_A_SECOND) {
        let due = start + Duration::from_secs(index / 1_000) + Duration::from_millis(index % 1_000);
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left);
        }
        let began = Instant::now();
        black_box(run(index));
        took.push(began.elapsed());
    }
    took
}

/// Processor time of this process so far in milliseconds, and its memory in KiB.
fn used() -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some((ticks * 10, resident.split_whitespace().next()?.parse().ok()?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mode = std::env::args().nth(1).unwrap_or_else(|| "clew".to_owned());
    let seconds = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(20);
    let (mut took, used) = match mode.as_str() {
        "none" => (at_rate(seconds, plain), used()),
        "bare" => {
            let exporter = opentelemetry_otlp::SpanExporter::builder().with_http();
            let client = ureq_client();
            let exporter = opentelemetry_otlp::WithHttpConfig::with_http_client(exporter, client).build()?;
            let provider =
                opentelemetry_sdk::trace::SdkTracerProvider::builder().with_batch_exporter(exporter);
            let provider = provider.build();
            let tracer = provider.tracer("bare");
            let took = at_rate(seconds, |run| bare(&tracer, run));
            let used = used();
            provider.shutdown()?;
            (took, used)
        }
        _ => {
            let telemetry = clew_sdk::builder().service("overhead").build()?;
            let took = at_rate(seconds, observed);
            let used = used();
            drop(telemetry);
            (took, used)
        }
    };
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 1_000).copied().unwrap_or_default();
    let (processor, memory) = used.unwrap_or_default();
    let counts = clew_sdk::counts();
    let line = format!(
        "{mode}: processor {processor} ms, memory {memory} KiB, p50 {:?}, p99 {:?}, {counts:?}\n",
        at(500),
        at(990)
    );
    std::io::stdout().lock().write_all(line.as_bytes())?;
    Ok(())
}

/// The bare SDK brings no client that would do here: the plainest one.
fn ureq_client() -> Plain {
    Plain(ureq::Agent::new_with_defaults())
}

#[derive(Debug)]
struct Plain(ureq::Agent);

#[async_trait::async_trait]
impl opentelemetry_http::HttpClient for Plain {
    async fn send_bytes(
        &self,
        request: opentelemetry_http::Request<opentelemetry_http::Bytes>,
    ) -> Result<opentelemetry_http::Response<opentelemetry_http::Bytes>, opentelemetry_http::HttpError> {
        let (parts, body) = request.into_parts();
        let answer = self.0.run(opentelemetry_http::Request::from_parts(parts, body.to_vec()))?;
        let (parts, mut body) = answer.into_parts();
        Ok(opentelemetry_http::Response::from_parts(parts, body.read_to_vec()?.into()))
    }
}
