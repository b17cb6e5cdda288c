//! `clew bench ingest`: sends made-up work of agents to any OTLP/HTTP endpoint.

use super::report::{Report, show};
use crate::bench::{Cut, Load, Requests, Server, Workload};
use crate::client::Client;
use crate::command_line::BenchIngest;
use crate::failure::Failure;
use crate::terminal::{Output, count};
use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use model::Timestamp;
use reqwest::Url;
use std::time::Duration;
use tokio::net::TcpStream;

const MAX_CONNECTIONS: u64 = 1_000;
const MAX_SPANS_PER_REQUEST: u64 = 20_000;

pub async fn run(arguments: BenchIngest, output: &Output) -> Result<(), Failure> {
    let load = load(&arguments)?;
    let api = Client::new(&arguments.server.address)?;
    check_reachable(&load.url).await?;
    let server = Server::behind(&load.url, &api, arguments.pid, arguments.data_directory.clone()).await?;
    let bar = bar(arguments.spans);
    bar.set_message("making requests");
    let requests = Requests::prepare(load.workload, load.cut).await?;
    let ahead = requests.made().await;
    bar.set_message("sending");
    bar.reset_eta();
    let before = server.now().await;
    let sent = load.send(requests, bar).await?;
    let answered = server.usage();
    let rested = server.rest().await;
    let report = Report::new(&arguments, (&server, before, answered, rested), sent, ahead);
    if arguments.json {
        output.line(serde_json::to_string(&report).context("writing JSON")?)?;
    } else {
        show(&report, output)?;
    }
    verdict(&report)
}

/// Every span must have been taken, and be there.
fn verdict(report: &Report) -> Result<(), Failure> {
    let reason = report.reason.as_deref().unwrap_or_default();
    if report.rejected > 0 || report.lost > 0 {
        return Err(Failure::Failed(anyhow!(
            "{} spans were refused and {} were lost: {reason}",
            count(report.rejected),
            count(report.lost)
        )));
    }
    match report.stored_spans {
        Some(stored) if stored < report.spans => Err(Failure::Failed(anyhow!(
            "{} spans were acknowledged, but only {} more are stored than before",
            count(report.spans),
            count(stored)
        ))),
        _ => Ok(()),
    }
}

fn load(arguments: &BenchIngest) -> Result<Load, Failure> {
    let usage = |message: &str| Err(Failure::Usage(message.to_owned()));
    if !(0.0..=1.0).contains(&arguments.content) {
        return usage("--content is a part of the model calls, from 0 to 1");
    }
    if arguments.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
        return usage("--rate is a number of spans a second, above 0");
    }
    if !(1..=MAX_CONNECTIONS).contains(&arguments.connections) {
        return usage("--connections is a number from 1 to 1000");
    }
    if !(1..=MAX_SPANS_PER_REQUEST).contains(&arguments.spans_per_request) {
        return usage("--spans-per-request is a number from 1 to 20000");
    }
    if arguments.spans == 0 {
        return usage("--spans is a number above 0");
    }
    // The run decides the ids, so that sending once more adds to what is stored.
    let run = Timestamp::now().0;
    Ok(Load {
        url: Client::new(&arguments.receiver.endpoint)?.below(&["v1", "traces"], &[]),
        workload: Workload { seed: arguments.seed, run, content: arguments.content },
        cut: Cut {
            spans: arguments.spans,
            spans_per_request: arguments.spans_per_request,
            rate: arguments.rate,
        },
        connections: arguments.connections,
    })
}

/// Tells before anything is made that nobody listens.
async fn check_reachable(url: &Url) -> Result<(), Failure> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let address = (host, url.port_or_known_default().unwrap_or(80));
    match tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(Failure::Unreachable(format!(
            "nothing takes in OTLP/HTTP at {url}; start `clew serve`, or name another address with --endpoint URL"
        ))),
    }
}

/// Shown on terminals only.
fn bar(spans: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg:<15} {bar:40} {human_pos}/{human_len} spans, {per_sec}, {eta} left",
    );
    ProgressBar::new(spans).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
