//! Serves a router; each request is a span below what its headers say.

use crate::error::Error;
use crate::telemetry::{self, Headers};
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{HOST, USER_AGENT};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use clew_sdk::opentelemetry::trace::SpanKind;
use clew_sdk::{Span, Start};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serves until the process is told to stop, and finishes what is under way.
pub async fn serve(address: SocketAddr, router: Router) -> Result<(), Error> {
    let listener = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    let router =
        router.layer(axum::middleware::from_fn(traced)).route("/health", get(|| async { axum::Json("ok") }));
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

async fn traced(request: Request, next: Next) -> Response {
    let span = described(&request).start();
    span.clone()
        .run(async {
            let response = next.run(request).await;
            answered(&span, response.status().as_u16());
            response
        })
        .await
}

fn described(request: &Request) -> Start {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let headers: Headers = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let parent = telemetry::context_of(&headers);
    let method = request.method().as_str();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let url = format!("http://{}{}", header(HOST), request.uri());
    let start = telemetry::span_below(format!("{method} {route}").trim().to_owned(), &parent);
    let start = start.kind(SpanKind::Server).scope("aob.http").set("http.route", route.to_owned());
    let start = start.set("url.path", request.uri().path().to_owned()).set("url.scheme", "http");
    let start = start.set("http.method", method.to_owned()).set("http.request.method", method.to_owned());
    let start = start.set("http.url", url.clone()).set("url.full", url);
    let agent = header(USER_AGENT).to_owned();
    start.set("http.user_agent", agent.clone()).set("user_agent.original", agent)
}

fn answered(span: &Span, status: u16) {
    span.set("http.status_code", i64::from(status));
    span.set("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.fail(status.to_string(), format!("answered with {status}"));
    }
}
