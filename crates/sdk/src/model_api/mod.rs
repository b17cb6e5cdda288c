//! Providers' interfaces over HTTP, as far as they are alike: requests and attempts, settings, streams, errors.

mod error;
mod events;
mod streamed;
mod told;

pub use error::CallError;
pub(crate) use error::said_in;
pub use streamed::Stream;
pub(crate) use streamed::{Brought, Gathers, append, by_index};
pub(crate) use told::{asked, identified, parts};

use crate::http::send_again;
use crate::model_call::{ModelCall, ModelCallStart, call};
use crate::request_settings;
use crate::retry_after::retry_after;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use reqwest::Response;
use serde_json::Value;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::marker::PhantomData;
use std::time::Duration;

/// The first wait before a call is tried again, where the provider names none; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// A client of one provider, which is spoken to by the interface `A`. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Client<A> {
    pub(crate) connection: Connection,
    interface: PhantomData<A>,
}

impl<A> Client<A> {
    pub(crate) fn of(http: reqwest::Client, base: &str, provider: &'static str) -> Self {
        Self { connection: Connection::new(http, base, provider), interface: PhantomData }
    }

    /// Another header of all requests.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.connection.header(name, value.into());
        self
    }

    /// `gen_ai.provider.name`, where it is not the one whose interface this is: `groq`, `deepseek`, `mistral_ai` ...
    #[must_use]
    pub fn provider(mut self, name: &'static str) -> Self {
        self.connection.provider = name;
        self
    }

    /// How often a call is tried at most while the provider is busy (429 and 5xx) or out of reach: 3 times.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.connection.attempts = attempts;
        self
    }

    /// A provider that wants to be left alone for longer than this is not asked again: 30 s.
    #[must_use]
    pub fn longest_wait(mut self, wait: Duration) -> Self {
        self.connection.longest_wait = wait;
        self
    }

    /// `gen_ai.conversation.id` of all calls of this clone.
    #[must_use]
    pub fn conversation(mut self, id: impl Into<String>) -> Self {
        self.connection.conversation = Some(id.into());
        self
    }
}

/// Where and how a provider is asked.
#[derive(Clone)]
pub(crate) struct Connection {
    http: reqwest::Client,
    base: String,
    headers: Vec<(&'static str, String)>,
    pub(crate) provider: &'static str,
    pub(crate) attempts: u32,
    pub(crate) longest_wait: Duration,
    pub(crate) conversation: Option<String>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers hold the key.
        let mut shown = formatter.debug_struct("Connection");
        shown.field("base", &self.base).field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(http: reqwest::Client, base: &str, provider: &'static str) -> Self {
        Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            headers: Vec::new(),
            provider,
            attempts: 3,
            longest_wait: Duration::from_secs(30),
            conversation: None,
        }
    }

    /// Sets a header of all requests, in the place of one of the same name.
    pub(crate) fn header(&mut self, name: &'static str, value: String) {
        self.headers.retain(|(had, _)| !had.eq_ignore_ascii_case(name));
        self.headers.push((name, value));
    }

    /// The call that a request asks for, with what the request tells of it.
    pub(crate) fn call(&self, operation: &'static str, request: &Value) -> ModelCallStart {
        let start = call(operation, self.provider, request["model"].as_str().unwrap_or_default());
        let settings = request_settings::of(request);
        let mut start = start
            .with(|start| settings.into_iter().fold(start, |start, (name, value)| start.set(name, value)));
        if request["stream"] == true {
            start = start.stream();
        }
        if let Some((host, port)) = server(&self.base) {
            start = start.server(&host, port);
        }
        match &self.conversation {
            Some(conversation) => start.with(|start| start.conversation(conversation.clone())),
            None => start,
        }
    }

    /// The whole answer to a request; its call ends with it.
    pub(crate) async fn answer(
        &self,
        call: ModelCall,
        path: &str,
        request: &Value,
        record: impl FnOnce(&ModelCall, &Value),
    ) -> Result<Value, CallError> {
        let answer = call.within(async {
            let body = self.post(path, request).await?.bytes().await?;
            let answer = serde_json::from_slice(&body).map_err(CallError::NotUnderstood)?;
            record(&call, &answer);
            match said_in(&answer) {
                Some((kind, message)) => Err(CallError::Failed { kind, message }),
                None => Ok(answer),
            }
        });
        let answer = answer.await;
        if let Err(error) = &answer {
            error.tell(&call);
        }
        call.end();
        answer
    }

    /// The answer to a request as it is made; its call ends with it.
    pub(crate) async fn stream(
        &self,
        call: ModelCall,
        path: &str,
        request: &Value,
        gathered: impl Gathers + 'static,
    ) -> Result<Stream, CallError> {
        match call.within(self.post(path, request)).await {
            Ok(answer) => Ok(Stream::new(call, answer, Box::new(gathered))),
            Err(error) => {
                error.tell(&call);
                call.end();
                Err(error)
            }
        }
    }

    /// Asks until there is an answer, or until it is of no use to ask again.
    async fn post(&self, path: &str, request: &Value) -> Result<Response, CallError> {
        let body = request.to_string();
        let mut resent = 0;
        loop {
            let request = self.request(path, body.clone())?;
            let (wait, failure) = match send_again(&self.http, request, resent).await {
                Ok(answer) if answer.status().is_success() => return Ok(answer),
                Ok(answer) => {
                    (self.wait(answer.status(), answer.headers(), resent), CallError::of(answer).await)
                }
                // Nobody heard the request, so it does not count twice.
                Err(error) if error.is_connect() => (Some(backoff(resent)), error.into()),
                Err(error) => (None, error.into()),
            };
            resent += 1;
            match wait {
                Some(wait) if resent < self.attempts => tokio::time::sleep(wait).await,
                _ => return Err(failure),
            }
        }
    }

    fn request(&self, path: &str, body: String) -> Result<reqwest::RequestBuilder, CallError> {
        let mut request = self.http.post(format!("{}{path}", self.base));
        request = request.header(CONTENT_TYPE, "application/json").body(body);
        for (name, value) in &self.headers {
            let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| CallError::Header(name))?;
            value.set_sensitive(true);
            request = request.header(*name, value);
        }
        Ok(request)
    }

    /// How long to wait before a refused call is tried again; none if it would be refused again, or for too long.
    fn wait(&self, status: StatusCode, headers: &HeaderMap, resent: u32) -> Option<Duration> {
        let passes = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        if !passes && !status.is_server_error() {
            return None;
        }
        let told = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(retry_after);
        Some(told.unwrap_or_else(|| backoff(resent))).filter(|wait| *wait <= self.longest_wait)
    }
}

/// The same request, for an answer that is read as it is made.
pub(crate) fn streaming(request: &Value) -> Value {
    let mut request = request.clone();
    if let Some(fields) = request.as_object_mut() {
        fields.insert("stream".to_owned(), true.into());
    }
    request
}

/// Each wait is twice the one before, up to 8 s, and up to a quarter shorter by chance: clients that failed together do not
/// come back together.
fn backoff(resent: u32) -> Duration {
    let wait = FIRST_WAIT * 2_u32.pow(resent.min(4));
    let chance = u32::try_from(RandomState::new().hash_one(resent) % 1_000).unwrap_or_default();
    wait - wait / 4 * chance / 1_000
}

/// Host and port of an address.
fn server(base: &str) -> Option<(String, u16)> {
    let uri: http::Uri = base.parse().ok()?;
    let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    Some((uri.host()?.to_owned(), uri.port_u16().unwrap_or(usual)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_when_the_provider_says_so() {
        let connection = Connection::new(reqwest::Client::new(), "http://127.0.0.1:1/v1/", "openai");
        for (status, told, expected) in [
            (429, Some("2"), Some(2_000)),
            (503, Some("0.25"), Some(250)),
            (503, Some("3600"), None),
            (503, Some("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0)),
            (503, Some("Fri, 31 Dec 9999 23:59:59 GMT"), None),
            (400, Some("1"), None),
            (401, None, None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(told) = told {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(told));
            }
            let wait = connection.wait(StatusCode::from_u16(status).unwrap(), &headers, 0);
            assert_eq!(wait, expected.map(Duration::from_millis), "{status} {told:?}");
        }
        for (resent, longest) in [(0, 500), (1, 1_000), (3, 4_000), (30, 8_000)] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("soon"))]);
            let wait = connection.wait(StatusCode::BAD_GATEWAY, &headers, resent).unwrap();
            let longest = Duration::from_millis(longest);
            assert!(wait <= longest && wait >= longest / 4 * 3, "{wait:?} after {resent}");
        }
        assert_eq!(server("https://api.openai.com/v1"), Some(("api.openai.com".to_owned(), 443)));
        assert_eq!(server("http://127.0.0.1:8080"), Some(("127.0.0.1".to_owned(), 8080)));
    }

    #[test]
    fn keys_are_not_shown() {
        let mut connection = Connection::new(reqwest::Client::new(), "http://127.0.0.1:1", "openai");
        connection.header("authorization", "Bearer hunter2".to_owned());
        assert!(!format!("{connection:?}").contains("hunter2"));
        connection.header("authorization", "no\nheader".to_owned());
        let refused = connection.request("/", String::new());
        assert!(matches!(refused, Err(CallError::Header("authorization"))));
    }
}
