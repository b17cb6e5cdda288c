//! A client for HTTP whose requests are spans, and which tells the other side whose they are.

use crate::failure::Failure;
use crate::names::Called;
use crate::observed::observe;
use clew_sdk::Span;
use clew_sdk::opentelemetry::trace::SpanKind;
use reqwest::{Client, Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Of what a server says when it refuses, how many characters are worth repeating.
const SAID: usize = 200;

/// One service that is spoken to.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    base: String,
    limit: Duration,
    called: Called,
}

impl Http {
    /// Of the service at this URL, which has this long for an answer.
    pub fn new(base: &str, limit: Duration, called: Called) -> Self {
        Self { client: Client::new(), base: base.trim_end_matches('/').to_owned(), limit, called }
    }

    /// Gets what is at the path.
    pub async fn get<A: DeserializeOwned>(
        &self,
        path: &'static str,
        query: &[(&str, &str)],
    ) -> Result<A, Failure> {
        let request = self.client.get(self.url(path)).query(query);
        self.send(path, request.build()).await
    }

    /// Posts to the path.
    pub async fn post<A: DeserializeOwned>(
        &self,
        path: &'static str,
        body: &(impl Serialize + Sync),
    ) -> Result<A, Failure> {
        let request = self.client.post(self.url(path)).json(body);
        self.send(path, request.build()).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send<A: DeserializeOwned>(
        &self,
        path: &'static str,
        request: Result<Request, reqwest::Error>,
    ) -> Result<A, Failure> {
        let request = request.map_err(|error| self.failure(&error))?;
        let span = self.span(&request, path);
        // In a box: the futures of a client are large, and many layers hold this one.
        observe(&span, Box::pin(self.exchange(&span, request))).await
    }

    fn span(&self, request: &Request, path: &'static str) -> Span {
        let (method, url) = (request.method(), request.url());
        let start = clew_sdk::span(format!("{method} {path}")).kind(SpanKind::Client);
        let start = start.set("http.request.method", method_name(method)).set("url.full", url.to_string());
        let start = start.set("url.template", path);
        let start = start.set("server.address", url.host_str().unwrap_or_default().to_owned());
        let port = url.port_or_known_default().unwrap_or_default();
        self.called.start(start.set("server.port", i64::from(port)))
    }

    async fn exchange<A: DeserializeOwned>(&self, span: &Span, mut request: Request) -> Result<A, Failure> {
        *request.timeout_mut() = Some(self.limit);
        clew_sdk::inject(span.context(), request.headers_mut());
        let answer = self.client.execute(request).await.map_err(|error| self.failure(&error))?;
        span.set("http.response.status_code", i64::from(answer.status().as_u16()));
        let answer = self.accepted(answer).await?;
        answer.json().await.map_err(|error| self.failure(&error))
    }

    async fn accepted(&self, answer: Response) -> Result<Response, Failure> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let said = answer.text().await.map_err(|error| self.failure(&error))?;
        let said = said.chars().take(SAID).collect();
        Err(Failure::Refused { target: self.base.clone(), status: status.as_u16(), said })
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let target = self.base.clone();
        if error.is_timeout() {
            return Failure::Timeout { target, limit: self.limit };
        }
        let reason = error.to_string();
        match error.is_decode() {
            true => Failure::Malformed { target, reason },
            false => Failure::Unreachable { target, reason },
        }
    }
}

fn method_name(method: &Method) -> &'static str {
    if *method == Method::POST { "POST" } else { "GET" }
}
