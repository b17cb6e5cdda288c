//! A client of chat completions, responses and embeddings, as `OpenAI` and many others offer them, whose calls are recorded
//! by themselves.
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

mod chat;
mod embeddings;
mod responses;
mod told;

pub use crate::model_api::{CallError, Stream};

use crate::model_api;
use crate::model_call::ModelCall;
use serde_json::{Value, json};

const CHAT: &str = "/chat/completions";
const RESPONSES: &str = "/responses";
const EMBEDDINGS: &str = "/embeddings";

/// The interface of chat completions, with what goes with it: responses and embeddings.
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

    /// Asks, and gives the answer when it is whole: a chat completion.
    ///
    /// # Errors
    /// When there is no answer, or none that can be understood.
    pub async fn chat(&self, request: &Value) -> Result<Value, CallError> {
        self.connection.answer(self.chat_call(request), CHAT, request, chat::answered).await
    }

    /// Asks, and gives the answer as it is made; its usage is asked for, too, unless the request says otherwise.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn stream(&self, request: &Value) -> Result<Stream, CallError> {
        let mut request = model_api::streaming(request);
        if let Some(fields) = request.as_object_mut() {
            let options = || json!({ "include_usage": true });
            fields.entry("stream_options").or_insert_with(options);
        }
        self.connection.stream(self.chat_call(&request), CHAT, &request, chat::Gathered::default()).await
    }

    /// Asks, and gives the answer when it is whole: a response. One that says of itself that it failed is an error.
    ///
    /// ```no_run
    /// # async fn ask(client: clew_sdk::openai::Client) -> Result<(), clew_sdk::openai::CallError> {
    /// use clew_sdk::serde_json::json;
    ///
    /// let request = json!({ "model": "gpt-5", "input": "How is the weather in Paris?", "reasoning": { "effort": "low" } });
    /// let answer = client.responses(&request).await?;
    /// let more = json!({ "model": "gpt-5", "input": "And tomorrow?", "previous_response_id": answer["id"] });
    /// let mut stream = client.responses_stream(&more).await?;
    /// while let Some(event) = stream.next().await? {
    ///     let word = event["delta"].as_str();
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no answer, or none that can be understood, or when it failed.
    pub async fn responses(&self, request: &Value) -> Result<Value, CallError> {
        self.connection.answer(self.responses_call(request), RESPONSES, request, responses::answered).await
    }

    /// Asks for a response, and gives it as it is made.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn responses_stream(&self, request: &Value) -> Result<Stream, CallError> {
        let request = model_api::streaming(request);
        let call = self.responses_call(&request);
        self.connection.stream(call, RESPONSES, &request, responses::Gathered::default()).await
    }

    /// Makes vectors of texts.
    ///
    /// ```no_run
    /// # async fn ask(client: clew_sdk::openai::Client) -> Result<(), clew_sdk::openai::CallError> {
    /// use clew_sdk::serde_json::json;
    ///
    /// let request = json!({ "model": "text-embedding-3-small", "input": ["sunny", "rainy"], "dimensions": 256 });
    /// let answer = client.embeddings(&request).await?;
    /// let vector = answer["data"][0]["embedding"].as_array();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no answer, or none that can be understood.
    pub async fn embeddings(&self, request: &Value) -> Result<Value, CallError> {
        let call = self.connection.call("embeddings", request).start();
        self.connection.answer(call, EMBEDDINGS, request, embeddings::answered).await
    }

    fn chat_call(&self, request: &Value) -> ModelCall {
        let call = self.connection.call("chat", request).with(|start| chat::settings(start, request)).start();
        chat::asked(&call, request);
        call
    }

    fn responses_call(&self, request: &Value) -> ModelCall {
        let mut start =
            self.connection.call("chat", request).with(|start| responses::settings(start, request));
        if let Some(id) = responses::conversation(request)
            && self.connection.conversation.is_none()
        {
            start = start.with(|start| start.conversation(id.to_owned()));
        }
        let call = start.start();
        responses::asked(&call, request);
        call
    }
}
