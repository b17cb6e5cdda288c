//! A program that ends in the way it is told, right after its last span: nothing of it is lost.
//!
//! `cargo run -p clew-sdk --example exits_at_once -- returns`

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
            use std::io::Write;
            let mut output = std::io::stdout().lock();
            // Whoever reads this sends the signal.
            if output.write_all(b"waiting\n").and_then(|()| output.flush()).is_ok() {
                std::thread::park_timeout(Duration::from_secs(60));
            }
        }
        _ => drop(telemetry),
    }
    Ok(())
}
