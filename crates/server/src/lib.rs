//! Who may ask, over what: our API, Jaeger's JSON, Prometheus' API, live events, the page. `docs/api.md` is the contract.

mod answers;
mod api;
mod computing;
mod error;
mod extract;
mod jaeger;
mod page;
pub mod ports;
mod prometheus;
mod security;
mod tenant;

#[cfg(test)]
mod tests;

pub use ports::{ApplicationStatus, Ports};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};

/// The most bytes of a question.
const REQUEST_BYTES: usize = 1 << 20;

/// Everything on the page's port. `allowed_hosts` are names, besides loopback's, under which the page may be asked for;
/// `*` is any.
pub fn router(ports: Ports, allowed_hosts: Vec<String>) -> Router {
    let hosts = std::sync::Arc::new(allowed_hosts);
    Router::new()
        .nest("/api/v1", api::router())
        .nest("/api", jaeger::router())
        .nest("/prometheus", prometheus::router())
        .merge(page::router())
        .with_state(api::State::new(ports))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES))
        .layer(from_fn_with_state(hosts, security::guard))
        .layer(from_fn(security::headers))
}

/// Everything on Prometheus' port, likewise.
pub fn prometheus_router(ports: Ports, allowed_hosts: Vec<String>) -> Router {
    let hosts = std::sync::Arc::new(allowed_hosts);
    prometheus::router()
        .with_state(api::State::new(ports))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES))
        .layer(from_fn_with_state(hosts, security::guard))
        .layer(from_fn(security::headers))
}
