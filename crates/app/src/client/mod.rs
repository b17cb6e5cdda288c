//! Asks a running server over HTTP, for the commands that need one.

mod answers;
mod events;
mod skeleton;

pub use answers::{Fields, Sampling, Search, Status, Summary, Values};
pub use events::Events;
pub use skeleton::{Row, Skeleton};

use crate::failure::Failure;
use anyhow::Context;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use model::otlp::response::decode_response;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

const CONNECT_TIME: Duration = Duration::from_secs(5);

/// The API of one server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

/// What a receiver did with a request.
#[derive(Debug)]
pub enum Taken {
    Yes {
        rejected: u64,
        message: String,
    },
    /// It is full; ask again after this.
    Later(Duration),
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    message: String,
    at: Option<usize>,
}

impl Client {
    /// A client of the server at this address: `http://127.0.0.1:16686`, or without the scheme.
    pub fn new(address: &str) -> Result<Self, Failure> {
        // No limit on the whole answer: `clew tail` listens for hours.
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIME).no_proxy().build();
        Ok(Self { http: http.context("setting up the HTTP client")?, base: base_url(address)? })
    }

    /// The same server, asked for a tenant's telemetry.
    pub fn of_tenant(self, tenant: Option<&str>) -> Result<Self, Failure> {
        let Some(tenant) = tenant else { return Ok(self) };
        let value = HeaderValue::from_str(tenant)
            .map_err(|_| Failure::Usage(format!("{tenant:?} is not the name of a tenant")))?;
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-scope-orgid"), value)]);
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIME)
            .no_proxy()
            .default_headers(headers)
            .build();
        Ok(Self { http: http.context("setting up the HTTP client")?, ..self })
    }

    /// The address as a link, without a slash at its end.
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    pub const fn url(&self) -> &Url {
        &self.base
    }

    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        parameters: &[(&str, String)],
    ) -> Result<T, Failure> {
        let answer = self.send(self.http.get(self.below(path, parameters))).await?;
        Ok(answer.json().await.context("reading the server's answer")?)
    }

    pub async fn get_bytes(&self, path: &[&str]) -> Result<Vec<u8>, Failure> {
        let answer = self.send(self.http.get(self.below(path, &[]))).await?;
        Ok(answer.bytes().await.context("reading the server's answer")?.into())
    }

    pub async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        let answer = self.send(self.http.post(self.below(path, &[])).json(body)).await?;
        Ok(answer.json().await.context("reading the server's answer")?)
    }

    pub async fn delete(&self, path: &[&str]) -> Result<Value, Failure> {
        let answer = self.send(self.http.delete(self.below(path, &[]))).await?;
        Ok(answer.json().await.context("reading the server's answer")?)
    }

    /// Listens to what the server sees.
    pub async fn events(&self) -> Result<Events, Failure> {
        Ok(Events::new(self.send(self.http.get(self.below(&["api", "v1", "live"], &[]))).await?))
    }

    /// An answer that is too long to be kept, and what it lacks, if the server knows that.
    pub async fn stream(
        &self,
        path: &[&str],
        parameters: &[(&str, String)],
    ) -> Result<(impl Stream<Item = reqwest::Result<Bytes>> + Unpin + use<>, Option<String>), Failure> {
        let answer = self.send(self.http.get(self.below(path, parameters))).await?;
        let lacks = answer.headers().get("clew-incomplete").map(|reason| reason.to_str().unwrap_or_default());
        let lacks = lacks.map(str::to_owned);
        Ok((answer.bytes_stream().boxed(), lacks))
    }

    /// Sends an OTLP request in protobuf to a receiver that may be full.
    pub async fn try_export(&self, path: &str, wire: Vec<u8>) -> Result<Taken, Failure> {
        let answer = self.otlp(path, wire).send().await.map_err(|error| self.explain(&error))?;
        if matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            return Ok(Taken::Later(Duration::from_secs(after.unwrap_or(1))));
        }
        let answer = self.checked(answer).await?;
        let body = answer.bytes().await.context("reading the receiver's answer")?;
        let (rejected, message) = decode_response(&body).unwrap_or_default();
        Ok(Taken::Yes { rejected, message })
    }

    fn otlp(&self, path: &str, wire: Vec<u8>) -> reqwest::RequestBuilder {
        let segments: Vec<&str> = path.split('/').collect();
        let request = self.http.post(self.below(&segments, &[]));
        request.header("content-type", "application/x-protobuf").body(wire)
    }

    /// Sends an OTLP request in protobuf.
    pub async fn export(&self, path: &str, wire: Vec<u8>) -> Result<(), Failure> {
        self.send(self.otlp(path, wire)).await.map(|_| ())
    }

    /// The address of something below this one.
    pub fn below(&self, path: &[&str], parameters: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        url
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Failure> {
        let answer = request.send().await.map_err(|error| self.explain(&error))?;
        self.checked(answer).await
    }

    async fn checked(&self, answer: Response) -> Result<Response, Failure> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.unwrap_or_default();
        let detail = serde_json::from_str::<ErrorAnswer>(&text).map(|answer| answer.error);
        let detail = detail.unwrap_or(ErrorDetail { message: text.chars().take(500).collect(), at: None });
        let message =
            detail.at.map_or(detail.message.clone(), |at| format!("{} (at character {at})", detail.message));
        Err(match status {
            StatusCode::NOT_FOUND => Failure::NotFound(message),
            StatusCode::BAD_REQUEST => Failure::Usage(message),
            _ => Failure::Failed(anyhow::anyhow!("{} answered {status}: {message}", self.address())),
        })
    }

    fn explain(&self, error: &reqwest::Error) -> Failure {
        if error.is_connect() || error.is_timeout() {
            return Failure::Unreachable(format!(
                "no server answers at {}; start one with `clew serve`, or name another with --server URL (CLEW_SERVER)",
                self.address()
            ));
        }
        Failure::Unreachable(format!(
            "asking {} failed: {:#}",
            self.address(),
            anyhow::anyhow!("{}", root_cause(error))
        ))
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}

fn base_url(address: &str) -> Result<Url, Failure> {
    let whole = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let url = Url::parse(&whole).ok().filter(|url| url.scheme() == "http" && url.has_host());
    url.ok_or_else(|| {
        Failure::Usage(format!("`{address}` is not an address such as http://127.0.0.1:16686 (plain HTTP)"))
    })
}

#[cfg(test)]
mod tests {
    use super::Client;

    #[test]
    fn addresses_are_read_leniently() {
        let check = |text: &str, expect: Option<&str>| {
            let client = Client::new(text).ok();
            let url =
                client.map(|client| client.below(&["v1", "a b"], &[("q", "x&y".to_owned())]).to_string());
            assert_eq!(url.as_deref(), expect, "{text}");
        };
        check("http://127.0.0.1:16686", Some("http://127.0.0.1:16686/v1/a%20b?q=x%26y"));
        check("127.0.0.1:1", Some("http://127.0.0.1:1/v1/a%20b?q=x%26y"));
        check("http://host/below/", Some("http://host/below/v1/a%20b?q=x%26y"));
        check("https://host", None);
        check("http://", None);
    }
}
