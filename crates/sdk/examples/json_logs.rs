//! Log events as lines of JSON on the standard output, and as records that the receiver shows with their span.
//!
//! `cargo run -p clew-sdk --example json_logs`

fn main() -> Result<(), clew_sdk::SetupError> {
    let telemetry = clew_sdk::builder().service("json-logs").json_logs(true).build()?;
    tracing::info!("starting");
    let span = clew_sdk::span("ProcessUserQuery").start();
    let active = span.enter();
    tracing::info!(query_length = 5, "Processing query");
    tracing::error!(error = "no answer for ada@example.com", "Query processing failed");
    tracing::info!(result_size = 42_u64, "Query processed successfully");
    tracing::debug!("nobody asked for this");
    drop(active);
    span.end();
    drop(telemetry);
    Ok(())
}
