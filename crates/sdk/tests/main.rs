//! The library as a program uses it, against a receiver that listens.

#[cfg(test)]
mod agents;
#[cfg(test)]
mod context;
#[cfg(test)]
mod ends;
#[cfg(all(test, feature = "axum", feature = "reqwest", feature = "grpc"))]
mod http;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod tracing_spans;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Telemetry is the process's: one test at a time sets it up.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
