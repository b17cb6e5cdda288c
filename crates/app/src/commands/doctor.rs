//! `clew doctor`: looks at everything that commonly goes wrong, and says what to do about it.

use crate::client::{Client, Sampling, Status};
use crate::command_line::Doctor;
use crate::config::{Config, Effective, Environment};
use crate::disk;
use crate::failure::Failure;
use crate::port_holder;
use crate::terminal::{Output, Style, harmless};
use model::Timestamp;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Less than this free on the disk is worth a warning.
const LITTLE_SPACE: u64 = 1_000_000_000;
/// 2026-01-01: a clock that says less is wrong.
const EARLIEST: Timestamp = Timestamp(1_767_225_600_000_000_000);
/// 2100-01-01.
const LATEST: Timestamp = Timestamp(4_102_444_800_000_000_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Worth knowing; nothing to mend.
    Note,
    Bad,
}

struct Finding {
    about: &'static str,
    verdict: Verdict,
    what: String,
}

impl Finding {
    fn new(about: &'static str, verdict: Verdict, what: impl Into<String>) -> Self {
        Self { about, verdict, what: what.into() }
    }
}

pub async fn run(arguments: Doctor, environment: &Environment, output: &Output) -> Result<(), Failure> {
    let mut findings = vec![check_clock(Timestamp::now())];
    match Effective::load(&arguments.settings, environment) {
        Err(error) => findings.push(Finding::new("configuration", Verdict::Bad, error.to_string())),
        Ok(effective) => {
            findings.extend(check_configuration(&effective));
            let client = Client::new(&arguments.server.address)?;
            match status(&client).await {
                Ok(status) => findings.extend(check_running(&client, &status)),
                Err(why) => findings.extend(check_stopped(&effective.config, &why)),
            }
        }
    }
    report(&findings, arguments.json, output)
}

fn report(findings: &[Finding], as_json: bool, output: &Output) -> Result<(), Failure> {
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    if as_json {
        let rows: Vec<_> = findings
            .iter()
            .map(|finding| json!({"about": finding.about, "verdict": verdict(finding.verdict).0, "what": finding.what}))
            .collect();
        output.line(format!("{:#}", json!({"healthy": bad == 0, "findings": rows})))?;
    } else {
        for finding in findings {
            let (word, style) = verdict(finding.verdict);
            output.line(format!(
                "{}  {:<13}  {}",
                output.paint(style, &format!("{word:<4}")),
                finding.about,
                finding.what
            ))?;
        }
    }
    match bad {
        0 => Ok(()),
        1 => Err(anyhow::anyhow!("one thing needs mending").into()),
        bad => Err(anyhow::anyhow!("{bad} things need mending").into()),
    }
}

const fn verdict(verdict: Verdict) -> (&'static str, Style) {
    match verdict {
        Verdict::Good => ("good", Style::Good),
        Verdict::Note => ("note", Style::Accent),
        Verdict::Bad => ("bad", Style::Bad),
    }
}

async fn status(client: &Client) -> Result<Status, Failure> {
    let path = ["api", "v1", "status"];
    match tokio::time::timeout(Duration::from_secs(5), client.get(&path, &[])).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::Unreachable(format!("{} does not answer within 5 s", client.address()))),
    }
}

fn check_clock(now: Timestamp) -> Finding {
    if (EARLIEST..LATEST).contains(&now) {
        return Finding::new("clock", Verdict::Good, format!("it is {}", crate::terminal::local_time(now.0)));
    }
    let what = format!(
        "the clock says {}; set it, or traces are filed under the wrong time",
        crate::terminal::local_time(now.0)
    );
    Finding::new("clock", Verdict::Bad, what)
}

fn check_configuration(effective: &Effective) -> Vec<Finding> {
    let mut findings = vec![Finding::new("configuration", Verdict::Good, "all settings are right")];
    findings.extend(
        effective
            .warnings
            .iter()
            .map(|warning| Finding::new("configuration", Verdict::Note, warning.clone())),
    );
    let open = |address: &SocketAddr| !address.ip().is_loopback();
    let config = &effective.config;
    let needed = [config.otlp.grpc_address, config.otlp.http_address, config.query.address];
    let exposed = needed.into_iter().chain(config.prometheus.address).find(open);
    findings.extend(exposed.map(|address| {
        let what = format!("{address} can be reached from other machines, and nobody is asked who they are");
        Finding::new("configuration", Verdict::Note, what)
    }));
    findings
}

fn check_running(client: &Client, status: &Status) -> Vec<Finding> {
    let page = if status.page_built { "" } else { ", built without the page" };
    let mut findings = vec![Finding::new(
        "server",
        Verdict::Good,
        format!("clew {} answers at {}{page}", status.version, client.address()),
    )];
    findings.push(match status.health.as_str() {
        "ok" | "degraded" => Finding::new("health", Verdict::Good, "telemetry is taken in"),
        "backPressure" => {
            Finding::new("health", Verdict::Bad, "senders are told to wait: more arrives than can be stored")
        }
        other => {
            Finding::new("health", Verdict::Bad, format!("telemetry is turned away ({})", harmless(other)))
        }
    });
    findings.extend(status.problems.iter().map(|problem| {
        let verdict = if problem.severity == "notice" { Verdict::Note } else { Verdict::Bad };
        Finding::new("storage", verdict, harmless(&problem.message))
    }));
    for receiver in &status.receivers {
        let verdict = if receiver.accepting { Verdict::Good } else { Verdict::Bad };
        let what = if receiver.accepting { "listens on" } else { "does not accept on" };
        findings.push(Finding::new(
            "port",
            verdict,
            format!("{} {what} {}", receiver.name, receiver.address),
        ));
    }
    findings.push(space(
        status.disk_free_bytes,
        &format!("telemetry takes {} MB", status.disk_bytes / 1_000_000),
    ));
    findings.extend(status.sampling.as_ref().map(sampled));
    findings.extend(status.events.iter().filter(|event| event.outcome != "stored").take(5).map(|event| {
        let arrow = if event.hint.is_empty() { "" } else { ": " };
        Finding::new("received", Verdict::Note, harmless(&format!("{}{arrow}{}", event.summary, event.hint)))
    }));
    findings
}

/// Not all that was sent is there to be found.
fn sampled(sampling: &Sampling) -> Finding {
    let Sampling { rest, keep, wait, kept_traces, dropped_traces, early_traces, .. } = sampling;
    let kept = if keep.is_empty() { String::new() } else { format!("those with `{}` and ", harmless(keep)) };
    let early = match early_traces {
        0 => String::new(),
        early => format!("; {early} of them decided before their time"),
    };
    let what = format!(
        "of traces older than {wait}, {kept}{rest} of all are kept: {kept_traces} kept and {dropped_traces} dropped since the start{early}"
    );
    Finding::new("sampling", Verdict::Note, what)
}

/// Without a server: would one start?
fn check_stopped(config: &Config, why: &Failure) -> Vec<Finding> {
    let mut findings = vec![Finding::new("server", Verdict::Bad, why.to_string())];
    let ports = [
        ("otlp.grpc-address", config.otlp.grpc_address),
        ("otlp.http-address", config.otlp.http_address),
        ("query.address", config.query.address),
    ];
    findings.extend(ports.map(|(key, address)| check_port(key, address)));
    findings.extend(config.prometheus.address.map(|address| {
        let finding = check_port("prometheus.address", address);
        // Without it, Prometheus' API is on the page's port alone.
        let is_good = finding.verdict == Verdict::Good;
        Finding { verdict: if is_good { Verdict::Good } else { Verdict::Note }, ..finding }
    }));
    findings.extend(check_directory(&config.storage.directory));
    findings
}

fn check_port(key: &str, address: SocketAddr) -> Finding {
    match std::net::TcpListener::bind(address) {
        Ok(_) => Finding::new("port", Verdict::Good, format!("{address} is free")),
        Err(error) => {
            let holder = port_holder::find(address.port())
                .map_or_else(String::new, |holder| format!(", held by {holder}"));
            Finding::new("port", Verdict::Bad, format!("{address} cannot be used{holder} ({key}): {error}"))
        }
    }
}

fn check_directory(directory: &Path) -> Vec<Finding> {
    let Some(existing) = disk::nearest_existing(directory) else {
        let what = format!("no part of {} exists", directory.display());
        return vec![Finding::new("storage", Verdict::Bad, what)];
    };
    let writable = rustix::fs::access(&existing, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    let mut findings = vec![match writable {
        Ok(()) => Finding::new("storage", Verdict::Good, format!("{} can be written", directory.display())),
        Err(error) => Finding::new(
            "storage",
            Verdict::Bad,
            format!("{} cannot be written: {error}", existing.display()),
        ),
    }];
    if let Some(free) = disk::free_bytes(&existing) {
        findings.push(space(free, &format!("on the disk of {}", existing.display())));
    }
    findings
}

fn space(free: u64, detail: &str) -> Finding {
    let verdict = if free < LITTLE_SPACE { Verdict::Bad } else { Verdict::Good };
    let advice = if free < LITTLE_SPACE { "; free some, or lower storage.max-bytes" } else { "" };
    Finding::new("disk", verdict, format!("{:.1} GB free, {detail}{advice}", gigabytes(free)))
}

#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::{Verdict, check_clock, check_directory, check_port, space};
    use model::Timestamp;

    #[test]
    fn what_is_wrong_is_seen() {
        assert_eq!(check_clock(Timestamp(0)).verdict, Verdict::Bad);
        assert_eq!(check_clock(Timestamp(1_800_000_000_000_000_000)).verdict, Verdict::Good);
        assert_eq!(space(1, "").verdict, Verdict::Bad);
        assert_eq!(space(1 << 40, "").verdict, Verdict::Good);
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let finding = check_port("query.address", holder.local_addr().unwrap());
        assert!(
            finding.verdict == Verdict::Bad && finding.what.contains("query.address"),
            "{}",
            finding.what
        );
        let directory = tempfile::tempdir().unwrap();
        let findings = check_directory(&directory.path().join("not/yet"));
        assert!(
            findings.iter().any(|finding| finding.about == "storage" && finding.verdict == Verdict::Good)
        );
    }
}
