//! A program that ends in the way it is told, right after its last span: nothing of it is lost.
//!
//! `cargo run -p clew-sdk --example exits_at_once -- returns`

use std::io::Write;
use std::time::Duration;

fn main() -> Result<(), clew_sdk::SetupError> {
    let how = std::env::args().nth(1).unwrap_or_else(|| "returns".to_owned());
    let telemetry = clew_sdk::builder().service("exits-at-once").version("1.0.0").build()?;
    let root = clew_sdk::span("run-agent-workflow").scope("main").start();
    let active = root.enter();
    for index in 0..700_i64 {
        clew_sdk::span("calculate-metrics").set("index", index).start().end();
    }
    drop(active);
    root.end();
    tracing::info!("done");
    match how.as_str() {
        "panics" => {
            // The guard outlives the panic, so that only the hook can have sent what arrives.
            let telemetry = std::mem::ManuallyDrop::new(telemetry);
            assert_eq!(telemetry.counts().created, 0, "a panic on purpose");
        }
        "waits" => {
            if tell("waiting\n").is_ok() {
                std::thread::park_timeout(Duration::from_secs(60));
            }
        }
        "ends by itself" => {
            drop(telemetry);
            return ends_by_itself();
        }
        _ => drop(telemetry),
    }
    Ok(())
}

/// A server that has a way to end of its own: it is asked by a signal, finishes, and returns.
fn ends_by_itself() -> Result<(), clew_sdk::SetupError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(clew_sdk::SetupError::Runtime)?;
    runtime.block_on(async {
        let telemetry = clew_sdk::builder().service("exits-at-once").build()?;
        let asked = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        if let (Ok(mut asked), Ok(())) = (asked, tell("waiting\n")) {
            asked.recv().await;
        }
        clew_sdk::span("goodbye").start().end();
        drop(telemetry);
        Ok(())
    })
}

/// Whoever reads this sends the signal.
fn tell(line: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(line.as_bytes())?;
    output.flush()
}
