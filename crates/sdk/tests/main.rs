//! The library as a program uses it, against a receiver that listens.

mod agents;
mod context;
mod ends;
mod limits;
mod logs;
mod receiver;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Telemetry is the process's: one test at a time sets it up.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
