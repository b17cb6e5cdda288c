//! Whether the chat service is well: it needs the provider of models.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use reqwest::Url;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// How long the provider may take to accept a connection.
const LIMIT: Duration = Duration::from_secs(1);

/// What the service says of itself.
#[derive(Debug)]
pub struct Health {
    provider: Option<(String, u16)>,
    started: Instant,
    /// The provider has been there.
    was_up: AtomicBool,
}

/// How the provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// Not there yet: the service lives, and is not ready.
    Starting,
    Up,
    /// It was there and is lost: the service is ill.
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

impl Health {
    /// Of a service that needs the provider at this URL.
    pub fn new(provider: &str) -> Self {
        let url = Url::parse(provider).ok();
        let address = url.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
        Self { provider: address, started: Instant::now(), was_up: AtomicBool::new(false) }
    }

    /// Whether the service is well. Something that it waits for at the start is no illness.
    pub async fn healthy(&self) -> Response {
        let condition = self.condition().await;
        self.answer(condition, condition != Condition::Lost)
    }

    /// Whether the service can do its work now.
    pub async fn ready(&self) -> Response {
        let condition = self.condition().await;
        self.answer(condition, condition == Condition::Up)
    }

    async fn condition(&self) -> Condition {
        let Some((host, port)) = &self.provider else { return Condition::Starting };
        let connecting = TcpStream::connect((host.as_str(), *port));
        match tokio::time::timeout(LIMIT, connecting).await {
            Ok(Ok(_)) => {
                self.was_up.store(true, Ordering::Relaxed);
                Condition::Up
            }
            _ if self.was_up.load(Ordering::Relaxed) => Condition::Lost,
            _ => Condition::Starting,
        }
    }

    fn answer(&self, condition: Condition, good: bool) -> Response {
        let body = json!({
            "status": if good { "healthy" } else { "unhealthy" },
            "version": env!("CARGO_PKG_VERSION"),
            "uptime": self.started.elapsed().as_secs_f64(),
            "checks": [{"name": "provider", "status": condition.name()}],
        });
        (if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body)).into_response()
    }
}
