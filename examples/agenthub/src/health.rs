//! `/health`, `/ready` and `/metrics` of a process.

use crate::error::Error;
use crate::metrics::Metrics;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How something is that a process needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Condition {
    /// Not there yet: the process lives, and is not ready.
    #[default]
    Starting,
    /// There.
    Up,
    /// It was there and is lost: the process is ill.
    Lost,
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "healthy",
            Self::Lost => "unhealthy",
        }
    }
}

/// What a process says of itself.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) service: &'static str,
    /// What it needs, by name.
    pub(crate) check: &'static str,
    pub(crate) condition: watch::Receiver<Condition>,
    pub(crate) metrics: Metrics,
}

#[derive(Debug, Clone)]
struct Page {
    health: Arc<Health>,
    started: Instant,
}

impl Health {
    /// Answers at this address until the shutdown.
    pub(crate) async fn serve(self, address: SocketAddr, shutdown: CancellationToken) -> Result<(), Error> {
        let listener =
            TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
        let page = Page { health: Arc::new(self), started: Instant::now() };
        let router = Router::new()
            .route("/health", get(health))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(page);
        let server = axum::serve(listener, router);
        Ok(server.with_graceful_shutdown(shutdown.cancelled_owned()).await?)
    }
}

/// Whether the process is well. Something that it waits for at the start is no illness.
async fn health(State(page): State<Page>) -> Response {
    let condition = *page.health.condition.borrow();
    answer(&page, condition, condition != Condition::Lost)
}

/// Whether the process can do its work now.
async fn ready(State(page): State<Page>) -> Response {
    let condition = *page.health.condition.borrow();
    answer(&page, condition, condition == Condition::Up)
}

fn answer(page: &Page, condition: Condition, good: bool) -> Response {
    let body = json!({
        "status": if good { "healthy" } else { "unhealthy" },
        "service": page.health.service,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime": page.started.elapsed().as_secs_f64(),
        "checks": [{"name": page.health.check, "status": condition.name()}],
    });
    (if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body)).into_response()
}

async fn metrics(State(page): State<Page>) -> Response {
    match page.health.metrics.text() {
        Ok(text) => ([("content-type", "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
