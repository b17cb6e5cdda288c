//! Calls other services; each call is a span, and its context goes along.

use crate::error::Error;
use crate::telemetry;
use clew_sdk::Span;
use clew_sdk::opentelemetry::trace::SpanKind;
use reqwest::Url;
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// Sends JSON, gets JSON. Cheap to clone: connections are shared.
#[derive(Debug, Clone)]
pub struct HttpClient(reqwest::Client);

/// What a service answered, when it is not an error.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl HttpClient {
    /// A client with a limit on how long a call takes.
    pub fn new() -> Result<Self, Error> {
        let client = reqwest::Client::builder().timeout(PATIENCE).build();
        Ok(Self(client.map_err(|source| Error::Unreachable { url: "http".to_owned(), source })?))
    }

    /// Asks for JSON.
    pub async fn get(&self, url: &Url) -> Result<Answer, Error> {
        self.send(self.0.get(url.clone()), "GET", url).await
    }

    /// Sends JSON. The key tells a repeated request from a new one.
    pub async fn post(
        &self,
        url: &Url,
        body: &Value,
        idempotency_key: Option<&str>,
    ) -> Result<Answer, Error> {
        let request = self.0.post(url.clone()).json(body);
        let request = match idempotency_key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        self.send(request, "POST", url).await
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        method: &'static str,
        url: &Url,
    ) -> Result<Answer, Error> {
        let start = telemetry::span(method).kind(SpanKind::Client).scope("aob.http");
        let start = start.set("http.method", method).set("http.request.method", method);
        let start = start.set("http.url", url.to_string()).set("url.full", url.to_string());
        let start = start.set("server.address", url.host_str().unwrap_or_default().to_owned());
        let port = url.port_or_known_default().map_or(0, i64::from);
        let span = start.set("server.port", port).start();
        let headers = telemetry::headers_of(span.context());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        span.clone()
            .run(async {
                let answer = exchange(request, url, &span).await;
                if let Err(error) = &answer {
                    span.fail(error.kind(), error.to_string());
                }
                answer
            })
            .await
    }
}

async fn exchange(request: reqwest::RequestBuilder, url: &Url, span: &Span) -> Result<Answer, Error> {
    let unreachable = |source: reqwest::Error| Error::Unreachable { url: url.to_string(), source };
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status().as_u16();
    span.set("http.status_code", i64::from(status));
    span.set("http.response.status_code", i64::from(status));
    let text = response.text().await.map_err(unreachable)?;
    match serde_json::from_str(&text) {
        Ok(body) if status < 400 => Ok(Answer { status, body }),
        _ => Err(Error::Refused { url: url.to_string(), status, body: text }),
    }
}
