//! The library as a program uses it, against a receiver that listens.

#[cfg(test)]
mod agents;
#[cfg(test)]
mod context;
#[cfg(test)]
#[cfg(feature = "database")]
mod database;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod exemplars;
#[cfg(test)]
mod guide;
#[cfg(test)]
#[cfg(all(feature = "axum", feature = "reqwest", feature = "grpc"))]
mod http;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod logs;
#[cfg(test)]
#[cfg(feature = "macros")]
mod macros;
#[cfg(test)]
#[cfg(feature = "mcp")]
mod mcp;
#[cfg(test)]
#[cfg(all(feature = "openai", feature = "anthropic"))]
mod models;
#[cfg(test)]
mod outage;
#[cfg(test)]
#[cfg(all(feature = "sqlx-any", feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
mod postgresql;
#[cfg(test)]
#[cfg(all(feature = "openai", feature = "anthropic"))]
mod provider;
#[cfg(test)]
mod receiver;
#[cfg(test)]
#[cfg(all(feature = "openai", feature = "anthropic"))]
mod responses;
#[cfg(test)]
#[cfg(feature = "rmcp")]
mod rmcp;
#[cfg(test)]
mod sending;
#[cfg(test)]
#[cfg(all(feature = "sqlx-any", feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
mod sqlx;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tracing_spans;

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Telemetry is the process's: one test at a time sets it up.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program of `examples/`, built as it is now: Cargo builds examples only when all tests are run.
fn example(name: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", env!("CARGO_PKG_NAME"), "--example", name]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    assert!(cargo.status().is_ok_and(|status| status.success()), "the example {name} cannot be built");
    let here = std::env::current_exe().unwrap_or_default();
    let profile = here.parent().and_then(std::path::Path::parent).unwrap_or(&here);
    Command::new(profile.join("examples").join(name))
}
