//! What `clew bench ingest` tells.

use crate::bench::{Moment, Percentiles, Sent, Server, Usage};
use crate::command_line::BenchIngest;
use crate::failure::Failure;
use crate::terminal::{Output, bytes, count};
use serde::Serialize;

/// Figures, with what was asked for, so that they can be repeated. `null` is what is not known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub load: Asked,
    /// Acknowledged.
    pub spans: u64,
    /// Refused for good.
    pub rejected: u64,
    /// Neither acknowledged nor refused, or never sent because the server was gone.
    pub lost: u64,
    pub reason: Option<String>,
    pub requests: u64,
    pub retries: u64,
    pub broken_connections: u64,
    pub seconds: f64,
    pub spans_per_second: f64,
    pub wire_bytes_per_span: f64,
    pub latency_milliseconds: Percentiles,
    /// Requests that were made before the clock started.
    pub requests_made_ahead: u64,
    /// For how long connections waited on average for requests to be made: the server was not the slow one.
    pub starved_seconds: f64,
    /// Of this program while sending; the server's figures do not have it.
    pub own_processor_microseconds_per_span: Option<f64>,
    pub process: Option<Measured>,
    /// Of the server, until the last answer.
    pub processor_microseconds_per_span: Option<f64>,
    /// Of the server, until it came to rest: sealing and compaction are in it.
    pub processor_microseconds_per_span_at_rest: Option<f64>,
    /// Since the server started.
    pub peak_memory_bytes: Option<u64>,
    pub disk_bytes_per_span: Option<f64>,
    /// What was still in the log alone when the sizes were taken: with any, they are not those of sealed blocks.
    pub unsealed_bytes: Option<u64>,
    /// By how many spans more are stored.
    pub stored_spans: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    version: &'static str,
    endpoint: String,
    spans: u64,
    content: f64,
    connections: u64,
    spans_per_request: u64,
    rate: Option<f64>,
    seed: u64,
}

/// The process that was measured.
#[derive(Debug, Serialize)]
pub struct Measured {
    id: u32,
    name: String,
}

impl Report {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn new(
        asked: &BenchIngest,
        (server, before, answered, rested): (&Server, Moment, Option<Usage>, Moment),
        sent: Sent,
        requests_made_ahead: u64,
    ) -> Self {
        let spans = sent.spans.max(1) as f64;
        let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6 / spans;
        let since =
            |usage: Option<Usage>| usage.zip(before.usage).map(|(now, before)| micros(now.since(before)));
        let more = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        let seconds = sent.elapsed.as_secs_f64();
        Self {
            load: Asked::of(asked),
            spans: sent.spans,
            rejected: sent.rejected,
            lost: asked.spans.saturating_sub(sent.spans + sent.rejected),
            reason: sent.reason,
            requests: sent.requests,
            retries: sent.retries,
            broken_connections: sent.breaks,
            seconds,
            spans_per_second: sent.spans as f64 / seconds.max(1e-9),
            wire_bytes_per_span: sent.wire_bytes as f64 / sent.handed_out.max(1) as f64,
            latency_milliseconds: sent.latencies.percentiles(),
            requests_made_ahead,
            starved_seconds: sent.starved.as_secs_f64() / asked.connections.max(1) as f64,
            own_processor_microseconds_per_span: sent.own_processor.map(micros),
            process: server.process.as_ref().map(|it| Measured { id: it.id, name: it.name() }),
            processor_microseconds_per_span: since(answered),
            processor_microseconds_per_span_at_rest: since(rested.usage),
            peak_memory_bytes: rested.usage.map(|usage| usage.peak_memory),
            disk_bytes_per_span: more(rested.disk_bytes, before.disk_bytes).map(|it| it as f64 / spans),
            unsealed_bytes: rested.unsealed_bytes,
            stored_spans: more(rested.stored_spans, before.stored_spans),
        }
    }
}

impl Asked {
    fn of(asked: &BenchIngest) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            endpoint: asked.receiver.endpoint.clone(),
            spans: asked.spans,
            content: asked.content,
            connections: asked.connections,
            spans_per_request: asked.spans_per_request,
            rate: asked.rate,
            seed: asked.seed,
        }
    }
}

/// The report as a person reads it.
pub fn show(report: &Report, output: &Output) -> Result<(), Failure> {
    lines(report).iter().try_for_each(|line| output.line(line))?;
    Ok(())
}

fn lines(report: &Report) -> Vec<String> {
    let known = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
    let micros = |value: Option<f64>| known(value.map(|value| format!("{value:.2} µs a span")));
    let process = report.process.as_ref().map(|it| format!("{} (process {})", it.name, it.id));
    let unsealed = report.unsealed_bytes.filter(|bytes| *bytes > 0);
    let mut lines = vec![
        format!(
            "sent        {} spans in {} requests, {:.1} s, {} spans/s, {:.0} bytes a span",
            count(report.spans),
            count(report.requests),
            report.seconds,
            whole(report.spans_per_second),
            report.wire_bytes_per_span,
        ),
        format!(
            "            {} refused, {} lost, {} asked to come later, {} connections broken",
            count(report.rejected),
            count(report.lost),
            count(report.retries),
            count(report.broken_connections),
        ),
        format!("answers     {}", report.latency_milliseconds.text()),
        format!("server      {}", known(process)),
        format!("processor   {} until the last answer", micros(report.processor_microseconds_per_span)),
        format!("            {} until at rest", micros(report.processor_microseconds_per_span_at_rest)),
        format!("            {} of this program", micros(report.own_processor_microseconds_per_span)),
        format!(
            "memory      {} at most since the server started",
            known(report.peak_memory_bytes.map(bytes))
        ),
        format!(
            "disk        {}",
            known(report.disk_bytes_per_span.map(|it| format!("{it:.1} bytes a span")))
        ),
    ];
    lines.extend(unsealed.map(|unsealed| {
        format!(
            "            {} are not sealed yet: start the server with --storage-seal-age 5s",
            bytes(unsealed)
        )
    }));
    if report.load.rate.is_none() && report.starved_seconds > report.seconds / 20.0 {
        lines.push(format!(
            "note        {:.1} s were spent waiting for requests to be made, not for the server",
            report.starved_seconds
        ));
    }
    lines
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and far below 2^53"
)]
fn whole(value: f64) -> String {
    count(value.round() as u64)
}
