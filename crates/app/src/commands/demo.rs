//! `clew demo`: sends made-up runs by OTLP/HTTP.

use crate::client::Client;
use crate::command_line::Demo;
use crate::config::Period;
use crate::demo::{Run, generate};
use crate::failure::Failure;
use crate::terminal::{Output, Style, count};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use indicatif::{ProgressBar, ProgressStyle};
use model::{Timestamp, otlp};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

const MAX_RATE: f64 = 1_000.0;

/// A program of `examples/` that runs agents.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum System {
    /// An agent with planner, tools, memory and retrieval, and a chat service
    Beluga,
    /// Agents that give each other tasks through a broker
    Agenthub,
    /// A workflow engine with policies and approvals
    Aob,
}

pub async fn run(arguments: Demo, output: &Output) -> Result<(), Failure> {
    let receiver = Client::new(&arguments.receiver.endpoint)?;
    let page = Client::new(&arguments.server.address)?;
    if let Some(system) = arguments.system {
        return run_system(system, &arguments.receiver.endpoint, page.address(), output).await;
    }
    // Runs without a seed differ, as their ids must.
    let seed = arguments.seed.unwrap_or_else(|| Timestamp::now().0 ^ u64::from(std::process::id()) << 48);
    if let (Some(rate), Some(duration)) = (arguments.rate, &arguments.duration) {
        return keep_sending(&receiver, seed, interval(rate)?, period(duration)?, output).await;
    }
    let run = generate(seed, Timestamp::now());
    send(&receiver, &run).await?;
    output.line(format!(
        "sent a run of two agents: {} spans, {} log records, {} metric points",
        run.spans.len(),
        run.logs.len(),
        run.metrics.len()
    ))?;
    let link = format!("{}/trace/{}", page.address(), run.trace_id);
    output.line(format!("look at it: {}", output.paint(Style::Accent, &link)))?;
    Ok(())
}

/// Lets a system of `examples/` do its work once, and says where to look at it.
async fn run_system(system: System, endpoint: &str, page: &str, output: &Output) -> Result<(), Failure> {
    let value = system.to_possible_value();
    let name = value.as_ref().map(PossibleValue::get_name).unwrap_or_default().to_owned();
    let beside = std::env::current_exe().ok().map(|program| program.with_file_name(&name));
    let program = beside.filter(|program| program.is_file()).unwrap_or_else(|| PathBuf::from(&name));
    let mut command = Command::new(&program);
    // Beluga's one run is its demonstration.
    let task = if matches!(system, System::Beluga) { "run" } else { "demo" };
    command.arg(task).env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    let done = tokio::task::spawn_blocking(move || command.status()).await.map_err(anyhow::Error::from)?;
    let status = done.map_err(|error| {
        Failure::NotFound(format!(
            "{name} is neither beside clew nor on the PATH ({error}): build it with `cargo build --release -p {name}`"
        ))
    })?;
    if !status.success() {
        return Err(Failure::Failed(anyhow::anyhow!("{name} ended with {status}")));
    }
    let link = format!("{page}/traces");
    output.line(format!("look at it: {}", output.paint(Style::Accent, &link)))?;
    Ok(())
}

async fn keep_sending(
    receiver: &Client,
    seed: u64,
    interval: Duration,
    duration: Duration,
    output: &Output,
) -> Result<(), Failure> {
    let planned = (duration.as_nanos() / interval.as_nanos().max(1)).max(1);
    let planned = u64::try_from(planned).unwrap_or(u64::MAX);
    let bar = ProgressBar::new(planned).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let end = Instant::now() + duration;
    let (mut sent, mut spans) = (0, 0);
    // As many as planned, unless the server is too slow for that.
    while sent < planned && Instant::now() < end {
        ticks.tick().await;
        let run = generate(seed.wrapping_add(sent), Timestamp::now());
        send(receiver, &run).await?;
        sent += 1;
        spans += run.spans.len() as u64;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(output.line(format!("sent {} runs, {} spans", count(sent), count(spans)))?)
}

async fn send(receiver: &Client, run: &Run) -> Result<(), Failure> {
    receiver.export("v1/traces", otlp::encode_spans(&run.spans)).await.map_err(teach)?;
    receiver.export("v1/logs", otlp::encode_log_records(&run.logs)).await.map_err(teach)?;
    receiver.export("v1/metrics", otlp::encode_metric_points(&run.metrics)).await.map_err(teach)
}

/// Here the address that was not reached is a receiver's, which another flag names.
fn teach(failure: Failure) -> Failure {
    match failure {
        Failure::Unreachable(message) => Failure::Unreachable(
            message.replace("--server URL (CLEW_SERVER)", "--endpoint URL (OTEL_EXPORTER_OTLP_ENDPOINT)"),
        ),
        Failure::NotFound(message) | Failure::Usage(message) => {
            Failure::Failed(anyhow::anyhow!("the receiver refused the run: {message}"))
        }
        other => other,
    }
}

fn interval(rate: f64) -> Result<Duration, Failure> {
    if rate > 0.0 && rate <= MAX_RATE {
        return Ok(Duration::from_secs_f64(1.0 / rate));
    }
    Err(Failure::Usage(format!(
        "--rate {rate} is wrong: expected runs per second, above 0 and at most {MAX_RATE}"
    )))
}

fn period(text: &str) -> Result<Duration, Failure> {
    let period = Period::parse(text).map(|period| period.0);
    period.ok_or_else(|| Failure::Usage(format!("--for {text} is wrong: expected {}", Period::EXPECTED)))
}
