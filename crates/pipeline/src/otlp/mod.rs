//! OTLP over HTTP and gRPC, both on any port: what a request is, is told from its path and content type.

mod body;
mod cors;
mod grpc;
mod http;
mod path;
mod tenant;

use crate::Intake;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use std::sync::Arc;

/// A port's intake and the protocol that its name promises; the other is taken with a hint.
#[derive(Clone)]
pub struct Port {
    pub intake: Arc<Intake>,
    /// `OTLP/gRPC` or `OTLP/HTTP`.
    pub name: &'static str,
}

/// Answers everything on a port of ours.
pub fn router(port: Port) -> Router {
    Router::new().fallback(answer).with_state(port)
}

/// Answers OTLP/HTTP's own paths, to be merged into another router.
pub fn page_router(intake: Arc<Intake>) -> Router {
    let port = Port { intake, name: "OTLP/HTTP" };
    let paths = ["/v1/traces", "/v1/logs", "/v1/metrics"];
    paths.into_iter().fold(Router::new(), |router, path| router.route(path, any(answer))).with_state(port)
}

async fn answer(State(port): State<Port>, request: Request) -> Response {
    let content_type = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    if content_type.is_some_and(|content_type| content_type.starts_with("application/grpc")) {
        grpc::answer(&port, request).await
    } else {
        http::answer(&port, request).await
    }
}
