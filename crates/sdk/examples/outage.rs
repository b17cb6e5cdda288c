//! A program whose receiver is gone: it records many spans, waits for no one, and goes on when the receiver is back. Prints
//! what became of the spans and what memory they took.
//!
//! `cargo run --release -p clew-sdk --example outage`; a line on the standard input tells that the receiver is back

use std::io::{BufRead, Write};

const SPANS: i64 = 100_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = clew_sdk::builder().service("outage").build()?;
    let before = memory();
    for index in 0..SPANS {
        clew_sdk::agent("planner").set("index", index).start().end();
    }
    let after = memory();
    told("recorded", &telemetry, after.saturating_sub(before))?;
    telemetry.flush();
    told("flushed", &telemetry, after.saturating_sub(before))?;
    std::io::stdin().lock().read_line(&mut String::new())?;
    clew_sdk::span("found").start().end();
    telemetry.flush();
    told("found", &telemetry, 0)?;
    Ok(())
}

/// The most memory that this process had so far, in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    most.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn told(when: &str, telemetry: &clew_sdk::Telemetry, grown: u64) -> std::io::Result<()> {
    let clew_sdk::Counts { created, ended, exported, dropped, .. } = telemetry.counts();
    let line = serde_json::json!({
        "when": when, "created": created, "ended": ended, "exported": exported, "dropped": dropped, "grown_kib": grown,
    });
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}
