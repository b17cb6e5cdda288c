//! Calls other services; each call is a span, and its context goes along.

use crate::error::Error;
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
        self.send(self.0.get(url.clone()), url).await
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
        self.send(request, url).await
    }

    /// Sends JSON as the one whose key this is.
    pub async fn post_as(&self, url: &Url, body: &Value, key: &str) -> Result<Answer, Error> {
        self.send(self.0.post(url.clone()).json(body).header("X-API-Key", key), url).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, url: &Url) -> Result<Answer, Error> {
        let unreachable = |source: reqwest::Error| Error::Unreachable { url: url.to_string(), source };
        // A large future: kept apart, it is not part of all those that wait for it.
        let response = Box::pin(clew_sdk::http::send(&self.0, request)).await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(unreachable)?;
        match serde_json::from_str(&text) {
            Ok(body) if status < 400 => Ok(Answer { status, body }),
            _ => Err(Error::Refused { url: url.to_string(), status, body: text }),
        }
    }
}
