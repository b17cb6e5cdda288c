//! Spans of requests over HTTP: a tower layer for servers (axum, tonic) and what clients need.

use crate::carrier::{extract, inject};
use crate::span::{Span, Start};
use http::header::{HOST, USER_AGENT};
use http::{Request, Response, StatusCode, Version};
use opentelemetry::trace::SpanKind;
use pin_project_lite::pin_project;
use std::error::Error;
use std::pin::Pin;
use std::task::{self, Poll, ready};
use tower_layer::Layer;
use tower_service::Service;

/// A layer that records each request that a server answers, below the span that the request names.
#[must_use]
pub fn server_layer() -> ServerLayer {
    ServerLayer
}

/// See [`server_layer`].
#[derive(Debug, Clone, Copy)]
pub struct ServerLayer;

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server { inner }
    }
}

/// A server whose requests are recorded.
#[derive(Debug, Clone)]
pub struct Server<S> {
    inner: S,
}

impl<S, B, A> Service<Request<B>> for Server<S>
where
    S: Service<Request<B>, Response = Response<A>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Recorded<S::Future>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let grpc = is_grpc(&request);
        let span = server_span(&request, grpc);
        let _active = span.enter();
        let inner = self.inner.call(request);
        Recorded { inner, span: Some(span.clone()), grpc }
    }
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}

fn server_span<B>(request: &Request<B>, grpc: bool) -> Span {
    let route = route(request);
    let method = request.method().as_str().to_owned();
    let path = request.uri().path();
    let name = match (&route, grpc) {
        (_, true) => path.trim_start_matches('/').to_owned(),
        (Some(route), _) => format!("{method} {route}"),
        // A path is not a name: there is no end to them.
        (None, _) => method.clone(),
    };
    let mut start = Start::new(name).kind(SpanKind::Server).parent(&extract(request.headers()));
    start = if grpc { rpc(start, path) } else { start.set("http.request.method", method) };
    start = start.set("url.path", path.to_owned());
    start = start.set("url.scheme", request.uri().scheme_str().unwrap_or("http").to_owned());
    start = start.set("network.protocol.version", version(request.version()));
    if let Some(query) = request.uri().query() {
        start = start.set("url.query", query.to_owned());
    }
    if let Some(route) = route {
        start = start.set("http.route", route);
    }
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(agent) = header(USER_AGENT) {
        start = start.set("user_agent.original", agent.to_owned());
    }
    let host = request.uri().authority().map(http::uri::Authority::as_str).or(header(HOST));
    server(start, host.unwrap_or_default()).start()
}

/// `server.address` and `server.port` out of `host:port`.
fn server(start: Start, host: &str) -> Start {
    let Ok(authority) = host.parse::<http::uri::Authority>() else { return start };
    let start = start.set("server.address", authority.host().to_owned());
    match authority.port_u16() {
        Some(port) => start.set("server.port", i64::from(port)),
        None => start,
    }
}

/// `/package.Service/Method`.
fn rpc(start: Start, path: &str) -> Start {
    let method = path.trim_start_matches('/').to_owned();
    start.set("rpc.system.name", "grpc").set("rpc.method", method)
}

#[cfg(feature = "axum")]
fn route<B>(request: &Request<B>) -> Option<String> {
    request.extensions().get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned())
}

#[cfg(not(feature = "axum"))]
fn route<B>(_request: &Request<B>) -> Option<String> {
    None
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

pin_project! {
    /// An answer that is being made, with its span active.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Recorded<F> {
        #[pin]
        inner: F,
        span: Option<Span>,
        grpc: bool,
    }
}

impl<F, A, E> Future for Recorded<F>
where
    F: Future<Output = Result<Response<A>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let active = this.span.as_ref().map(Span::enter);
        let answer = ready!(this.inner.poll(context));
        drop(active);
        if let Some(span) = this.span.take() {
            match &answer {
                Ok(answer) => record_answer(&span, answer, *this.grpc),
                Err(_) => span.fail("_OTHER", "the service failed without an answer"),
            }
            span.end();
        }
        Poll::Ready(answer)
    }
}

fn record_answer<A>(span: &Span, answer: &Response<A>, grpc: bool) {
    let status = answer.status();
    if grpc {
        let code = answer.headers().get("grpc-status").and_then(|value| value.to_str().ok());
        let code = code.unwrap_or("0").to_owned();
        span.set("rpc.response.status_code", code.clone());
        if !matches!(code.as_str(), "0" | "1" | "3" | "5" | "6" | "7" | "9" | "11" | "16") {
            span.failed(code);
        }
        return;
    }
    span.set("http.response.status_code", i64::from(status.as_u16()));
    // What a client did wrong is no failure of the server.
    if status.is_server_error() {
        span.failed(status.as_str().to_owned());
    }
}

/// The span of a request to another program; it is not active. The request's headers carry its context.
#[must_use = "a span ends when it is dropped"]
pub fn client_span<B>(request: &mut Request<B>) -> Span {
    let uri = request.uri().clone();
    let method = request.method().as_str().to_owned();
    client(&method, &uri, request.headers_mut())
}

fn client(method: &str, uri: &http::Uri, headers: &mut http::HeaderMap) -> Span {
    let start = Start::new(method.to_owned()).kind(SpanKind::Client);
    let start = start.set("http.request.method", method.to_owned()).set("url.full", address(uri));
    let span = server(start, uri.authority().map_or("", http::uri::Authority::as_str)).start();
    inject(span.context(), headers);
    span
}

/// The whole address, without what may be secret in it: who asks, and what stands after `?`.
fn address(uri: &http::Uri) -> String {
    let host = uri.authority().map_or("", http::uri::Authority::as_str);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let query = if uri.query().is_some() { "?REDACTED" } else { "" };
    match uri.scheme_str() {
        Some(scheme) => format!("{scheme}://{host}{}{query}", uri.path()),
        None => format!("{}{query}", uri.path()),
    }
}

/// Records what another program answered, and ends the span.
pub fn client_answered(span: &Span, status: StatusCode) {
    span.set("http.response.status_code", i64::from(status.as_u16()));
    if status.is_client_error() || status.is_server_error() {
        span.failed(status.as_str().to_owned());
    }
    span.end();
}

/// Records that there was no answer, and ends the span: a time that ran out is `timeout`.
pub fn client_failed(span: &Span, error: &(dyn Error + 'static)) {
    let mut cause = Some(error);
    let mut timeout = false;
    while let Some(error) = cause {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        timeout |= kind == Some(std::io::ErrorKind::TimedOut) || error.to_string().contains("timed out");
        cause = error.source();
    }
    let (error_type, message) = crate::span::described(error);
    span.fail(if timeout { "timeout".to_owned() } else { error_type }, message);
    span.end();
}

/// Sends a request of reqwest below the span that is active, with a span of its own and its context in the headers.
///
/// # Errors
/// What reqwest's client says.
#[cfg(feature = "reqwest")]
pub async fn send(
    client: &reqwest::Client,
    request: reqwest::RequestBuilder,
) -> Result<reqwest::Response, reqwest::Error> {
    send_again(client, request, 0).await
}

/// As [`send`], after the request was sent so many times already.
#[cfg(feature = "reqwest")]
pub(crate) async fn send_again(
    client: &reqwest::Client,
    request: reqwest::RequestBuilder,
    resent: u32,
) -> Result<reqwest::Response, reqwest::Error> {
    let mut request = request.build()?;
    let uri = http::Uri::try_from(request.url().as_str()).unwrap_or_default();
    let method = request.method().as_str().to_owned();
    let span = self::client(&method, &uri, request.headers_mut());
    if resent > 0 {
        span.set("http.request.resend_count", i64::from(resent));
    }
    let answer = crate::within(span.context().clone(), client.execute(request)).await;
    match &answer {
        Ok(answer) => client_answered(&span, answer.status()),
        Err(error) if error.is_timeout() => {
            span.fail("timeout", "no answer in time");
            span.end();
        }
        Err(error) => client_failed(&span, error),
    }
    answer
}
