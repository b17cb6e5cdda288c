//! A client of Anthropic's messages, whose calls are recorded by themselves.
//!
//! ```no_run
//! # async fn ask() -> Result<(), clew_sdk::anthropic::CallError> {
//! use clew_sdk::serde_json::json;
//!
//! let client = clew_sdk::anthropic::Client::new(reqwest::Client::new(), "https://api.anthropic.com/v1").key("sk-ant-...");
//! let request = json!({
//!     "model": "claude-sonnet-4-5",
//!     "max_tokens": 1024,
//!     "messages": [{ "role": "user", "content": "How is the weather in Paris?" }],
//! });
//! let answer = client.messages(&request).await?;
//! let text = answer["content"][0]["text"].as_str();
//!
//! let mut stream = client.stream(&request).await?;
//! while let Some(event) = stream.next().await? {
//!     let word = event["delta"]["text"].as_str();
//! }
//! # Ok(())
//! # }
//! ```

mod gathered;
mod said;

pub use crate::model_api::{CallError, Stream};

use crate::model_api;
use crate::model_call::ModelCall;
use gathered::Gathered;
use serde_json::Value;

const PATH: &str = "/messages";

/// The version of the interface that is asked for, unless the program sets the header itself.
const VERSION: &str = "2023-06-01";

/// The interface of messages.
#[derive(Debug, Clone, Copy)]
pub struct Messages;

/// A client of one provider. Clones share its connections.
pub type Client = model_api::Client<Messages>;

impl Client {
    /// Of the interface at this address, which ends with `/v1` usually. Time limits and TLS are the HTTP client's.
    #[must_use]
    pub fn new(http: reqwest::Client, base: &str) -> Self {
        Self::of(http, base, "anthropic").header("anthropic-version", VERSION)
    }

    /// The key that the provider knows the program by.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    /// Asks, and gives the answer when it is whole.
    ///
    /// # Errors
    /// When there is no answer, or none that can be understood.
    pub async fn messages(&self, request: &Value) -> Result<Value, CallError> {
        self.connection.answer(self.started(request), PATH, request, said::answered).await
    }

    /// Asks, and gives the answer as it is made.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn stream(&self, request: &Value) -> Result<Stream, CallError> {
        let request = model_api::streaming(request);
        self.connection.stream(self.started(&request), PATH, &request, Gathered::default()).await
    }

    fn started(&self, request: &Value) -> ModelCall {
        let call = self.connection.call("chat", request).start();
        said::asked(&call, request);
        call
    }
}
