//! A client of chat completions, as `OpenAI` and many others offer them, whose calls are recorded by themselves.
//!
//! ```no_run
//! # async fn ask() -> Result<(), clew_sdk::openai::CallError> {
//! use clew_sdk::serde_json::json;
//!
//! let client = clew_sdk::openai::Client::new(reqwest::Client::new(), "https://api.openai.com/v1").key("sk-...");
//! let request = json!({
//!     "model": "gpt-4o",
//!     "messages": [{ "role": "user", "content": "How is the weather in Paris?" }],
//! });
//! let answer = client.chat(&request).await?;
//! let text = answer["choices"][0]["message"]["content"].as_str();
//!
//! let mut stream = client.stream(&request).await?;
//! while let Some(chunk) = stream.next().await? {
//!     let word = chunk["choices"][0]["delta"]["content"].as_str();
//! }
//! # Ok(())
//! # }
//! ```

mod gathered;
mod said;

pub use crate::model_api::CallError;

use crate::model_api::{self, Streamed};
use crate::model_call::ModelCall;
use gathered::Gathered;
use serde_json::{Value, json};

const PATH: &str = "/chat/completions";

/// The interface of chat completions.
#[derive(Debug, Clone, Copy)]
pub struct ChatCompletions;

/// A client of one provider. Clones share its connections.
pub type Client = model_api::Client<ChatCompletions>;

impl Client {
    /// Of the interface at this address, which ends with `/v1` usually. Time limits and TLS are the HTTP client's.
    #[must_use]
    pub fn new(http: reqwest::Client, base: &str) -> Self {
        Self::of(http, base, "openai")
    }

    /// The key that the provider knows the program by.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", format!("Bearer {key}"))
    }

    /// Asks, and gives the answer when it is whole.
    ///
    /// # Errors
    /// When there is no answer, or none that can be understood.
    pub async fn chat(&self, request: &Value) -> Result<Value, CallError> {
        let call = self.started(request);
        let answer = self.connection.answer(&call, PATH, request).await;
        if let Ok(answer) = &answer {
            said::answered(&call, answer);
        }
        call.end();
        answer
    }

    /// Asks, and gives the answer as it is made; its usage is asked for, too, unless the request says otherwise.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn stream(&self, request: &Value) -> Result<Stream, CallError> {
        let mut request = request.clone();
        if let Some(fields) = request.as_object_mut() {
            fields.insert("stream".to_owned(), true.into());
            let options = || json!({ "include_usage": true });
            fields.entry("stream_options").or_insert_with(options);
        }
        let call = self.started(&request);
        Ok(Stream(self.connection.stream(call, PATH, &request).await?))
    }

    fn started(&self, request: &Value) -> ModelCall {
        let call = self.connection.call(request).with(|start| said::settings(start, request)).start();
        said::asked(&call, request);
        call
    }
}

/// An answer under way. The call ends with the answer's last chunk, or when this is dropped.
#[derive(Debug)]
pub struct Stream(Streamed<Gathered>);

impl Stream {
    /// The next chunk; none after the last.
    ///
    /// # Errors
    /// When the provider fails, or the answer breaks off.
    pub async fn next(&mut self) -> Result<Option<Value>, CallError> {
        self.0.next().await
    }

    /// Reads the rest, and gives the answer in the form that it has without streaming.
    ///
    /// # Errors
    /// When the provider fails, or the answer breaks off.
    pub async fn whole(mut self) -> Result<Value, CallError> {
        self.0.whole().await
    }
}
