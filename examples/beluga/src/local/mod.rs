//! Servers on this machine that Beluga needs: a provider of models that thinks without a model, and a weather API.

mod provider;
mod weather;

pub use provider::provider;
pub use weather::{Manner, weather};

use crate::failure::Failure;
use crate::stop;
use axum::Router;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A server that runs until this is dropped.
pub struct Serving {
    pub url: String,
    task: JoinSet<()>,
}

/// Starts a server beside what else the program does.
pub async fn serve(address: SocketAddr, router: Router) -> Result<Serving, Failure> {
    let failure =
        |error: std::io::Error| Failure::Listen { address: address.to_string(), reason: error.to_string() };
    let listener = TcpListener::bind(address).await.map_err(failure)?;
    let bound = listener.local_addr().map_err(failure)?;
    let mut task = JoinSet::new();
    task.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "a local server ended");
        }
    });
    Ok(Serving { url: format!("http://{bound}"), task })
}

impl Serving {
    /// Waits until it ends, or the program is told to stop.
    pub async fn ended(mut self) {
        tokio::select! {
            _ = self.task.join_next() => {}
            () = stop::told() => {}
        }
    }
}
