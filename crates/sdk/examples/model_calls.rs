//! Calls of models and requests, measured in two intervals; each measurement tells which call it is of. Prints the calls,
//! one a line: the interval, the trace, the span, its input tokens, and whether it is sampled.
//!
//! `cargo run -p clew-sdk --example model_calls`

use clew_sdk::opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use clew_sdk::opentelemetry::{Context, KeyValue, global};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = clew_sdk::builder().service("model-calls").build()?;
    let meter = global::meter("app");
    let latency = meter.f64_histogram("app.latency").with_unit("ms").build();
    let requests = meter.u64_counter("app.requests").build();
    let agent = clew_sdk::agent("planner").start();
    let mut output = std::io::stdout().lock();
    for interval in 1..=2 {
        for (sampled, input) in [(true, 10), (true, 20), (true, 2_000), (false, 100_000)] {
            let above = if sampled { agent.context().clone() } else { not_sampled() };
            let call =
                clew_sdk::model_call("openai", "gpt-4o").stream().with(|start| start.parent(&above)).start();
            call.first_token();
            call.usage(input, 20);
            call.end();
            let ids = call.context().span().span_context().clone();
            writeln!(output, "{interval} {} {} {input} {sampled}", ids.trace_id(), ids.span_id())?;
        }
        let _active = agent.enter();
        latency.record(7.0, &[KeyValue::new("route", "/chat"), KeyValue::new("method", "POST")]);
        requests.add(1, &[]);
        if interval == 1 {
            telemetry.flush();
        }
    }
    let ids = agent.context().span().span_context().clone();
    writeln!(output, "agent {} {}", ids.trace_id(), ids.span_id())?;
    tracing::info!(interval = 2, "done");
    agent.end();
    drop(telemetry);
    Ok(())
}

/// Below a span of another program that is not recorded.
fn not_sampled() -> Context {
    let (trace, span) = (TraceId::from(1_u128), SpanId::from(1_u64));
    let ids = SpanContext::new(trace, span, TraceFlags::default(), true, TraceState::default());
    Context::new().with_remote_span_context(ids)
}
