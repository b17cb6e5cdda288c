//! Serves a router; each request is a span below what its headers say.

use crate::error::Error;
use crate::measures::Requests;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::HOST;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use clew_sdk::opentelemetry::trace::TraceContextExt;
use clew_sdk::opentelemetry::{Context, KeyValue};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serves until the process is told to stop, and finishes what is under way.
pub async fn serve(address: SocketAddr, router: Router) -> Result<(), Error> {
    let listener = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    let router =
        router.layer(from_fn_with_state(Requests::new(), observed)).layer(clew_sdk::http::server_layer());
    let router = router.route("/health", get(|| async { axum::Json("ok") }));
    axum::serve(listener, router).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

/// Ends when the process is told to stop.
pub async fn stopped() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminated.recv() => (),
        _ = tokio::signal::ctrl_c() => (),
    }
}

/// Counts requests; and their spans get the whole address, as AOB's guide wants it of servers.
async fn observed(State(requests): State<Requests>, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let url = format!("http://{host}{}", request.uri());
    Context::current().span().set_attribute(KeyValue::new("url.full", url));
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    requests.answered(method.as_str(), &path.unwrap_or_default(), status, began.elapsed());
    response
}
