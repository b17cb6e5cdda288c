//! `clew bench ingest`: sends made-up work of agents to any OTLP/HTTP endpoint.

use crate::bench::{Load, Percentiles, Process, Sent, Usage, Workload};
use crate::client::{Client, Status};
use crate::command_line::BenchIngest;
use crate::failure::Failure;
use crate::terminal::{Output, bytes, count};
use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait at most for the server to come to rest.
const SETTLING: Duration = Duration::from_secs(60);

/// What is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    spans: u64,
    rejected: u64,
    reason: Option<String>,
    requests: u64,
    retries: u64,
    seconds: f64,
    spans_per_second: f64,
    wire_bytes_per_span: f64,
    latency_milliseconds: Percentiles,
    /// Of the server, until the last answer.
    processor_microseconds_per_span: Option<f64>,
    /// Of the server, until it came to rest: sealing and compaction are in it.
    processor_microseconds_per_span_at_rest: Option<f64>,
    peak_memory_bytes: Option<u64>,
    disk_bytes_per_span: Option<f64>,
}

/// What the server used and stored so far; what is not known is left out.
struct Before {
    process: Option<Process>,
    usage: Option<Usage>,
    disk: Option<u64>,
}

pub async fn run(arguments: BenchIngest, output: &Output) -> Result<(), Failure> {
    let load = load(&arguments)?;
    let api = Client::new(&arguments.server.address)?;
    let process = match arguments.pid {
        Some(id) => Some(Process { id }),
        None => reqwest::Url::parse(&load.url)
            .ok()
            .and_then(|url| url.port_or_known_default())
            .and_then(Process::listening_on),
    };
    let before =
        Before { usage: process.as_ref().and_then(Process::usage), disk: disk_bytes(&api).await, process };
    let sent = load.send(bar(arguments.spans)).await?;
    let report = report(&before, sent, &api).await;
    if arguments.json {
        output.line(serde_json::to_string(&report).context("writing JSON")?)?;
    } else {
        show(&report, output)?;
    }
    match report.rejected {
        0 => Ok(()),
        rejected => {
            let reason = report.reason.unwrap_or_default();
            Err(Failure::Failed(anyhow!("{} spans were refused: {reason}", count(rejected))))
        }
    }
}

fn load(arguments: &BenchIngest) -> Result<Load, Failure> {
    if !(0.0..=1.0).contains(&arguments.content) {
        return Err(Failure::Usage("--content is a part of the traces, from 0 to 1".to_owned()));
    }
    if arguments.rate.is_some_and(|rate| rate.is_nan() || rate <= 0.0) {
        return Err(Failure::Usage("--rate is a number of spans a second, above 0".to_owned()));
    }
    Ok(Load {
        url: format!("{}/v1/traces", arguments.endpoint.trim_end_matches('/')),
        workload: Workload { seed: arguments.seed, content: arguments.content },
        spans: arguments.spans,
        spans_per_request: arguments.spans_per_request.clamp(1, 20_000),
        connections: arguments.connections.clamp(1, 1_000),
        rate: arguments.rate,
    })
}

/// Shown on terminals only.
fn bar(spans: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} spans, {per_sec}, {eta} left");
    ProgressBar::new(spans).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn disk_bytes(api: &Client) -> Option<u64> {
    let status: Status = api.get(&["api", "v1", "status"], &[]).await.ok()?;
    Some(status.disk_bytes)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn report(before: &Before, sent: Sent, api: &Client) -> Report {
    let spans = sent.spans.max(1) as f64;
    let per_span = |usage: Option<Usage>| {
        let used = usage?.processor.saturating_sub(before.usage?.processor);
        Some(used.as_secs_f64() * 1e6 / spans)
    };
    let after = before.process.as_ref().and_then(Process::usage);
    let rested = rest(before.process.as_ref(), api).await;
    let disk = before.disk.zip(disk_bytes(api).await).map(|(before, after)| after.saturating_sub(before));
    let seconds = sent.elapsed.as_secs_f64();
    Report {
        spans: sent.spans,
        rejected: sent.rejected,
        reason: sent.reason,
        requests: sent.requests,
        retries: sent.retries,
        seconds,
        spans_per_second: sent.spans as f64 / seconds.max(1e-9),
        wire_bytes_per_span: sent.wire_bytes as f64 / spans,
        latency_milliseconds: sent.latencies.percentiles(),
        processor_microseconds_per_span: per_span(after),
        processor_microseconds_per_span_at_rest: per_span(rested),
        peak_memory_bytes: rested.map(|usage| usage.peak_memory),
        disk_bytes_per_span: disk.map(|bytes| bytes as f64 / spans),
    }
}

/// Waits until all is sealed, as far as the server tells, and it uses hardly any processor time.
async fn rest(process: Option<&Process>, api: &Client) -> Option<Usage> {
    let end = Instant::now() + SETTLING;
    let used = || process.and_then(Process::usage);
    let mut before = used();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = used();
        let idle = now.zip(before).is_none_or(|(now, before)| {
            now.processor.saturating_sub(before.processor) <= Duration::from_millis(30)
        });
        let status: Option<Status> = api.get(&["api", "v1", "status"], &[]).await.ok();
        let sealed = status.is_none_or(|status| status.hot_bytes == 0);
        if (idle && sealed) || Instant::now() > end {
            return now;
        }
        before = now;
    }
}

fn show(report: &Report, output: &Output) -> Result<(), Failure> {
    let known = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
    let micros = |value: Option<f64>| known(value.map(|value| format!("{value:.2} µs a span")));
    let lines = [
        format!(
            "sent        {} spans in {} requests, {:.1} s, {} spans/s, {:.0} bytes a span",
            count(report.spans),
            count(report.requests),
            report.seconds,
            whole(report.spans_per_second),
            report.wire_bytes_per_span,
        ),
        format!("answers     {}; {} asked to come later", report.latency_milliseconds.text(), report.retries),
        format!("processor   {} until the last answer", micros(report.processor_microseconds_per_span)),
        format!("            {} until at rest", micros(report.processor_microseconds_per_span_at_rest)),
        format!("memory      {} at most", known(report.peak_memory_bytes.map(bytes))),
        format!(
            "disk        {}",
            known(report.disk_bytes_per_span.map(|value| format!("{value:.1} bytes a span")))
        ),
    ];
    lines.iter().try_for_each(|line| output.line(line))?;
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and far below 2^53"
)]
fn whole(value: f64) -> String {
    count(value.round() as u64)
}
