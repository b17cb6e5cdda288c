//! Being told to stop: by SIGTERM, or by Ctrl-C.

use tokio::signal::unix::{SignalKind, signal};

/// Waits until the program is told to stop.
pub async fn told() {
    let interrupt = tokio::signal::ctrl_c();
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        drop(interrupt.await);
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt => {}
    }
}
