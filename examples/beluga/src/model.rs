//! The model, and the embedder beside it: what they do, and a provider that does it over HTTP.

use crate::failure::Failure;
use crate::http::Http;
use crate::openai::{
    ChatRequest, ChatResponse, EmbeddingRequest, EmbeddingResponse, Message, ToolDefinition, Usage,
};
use async_trait::async_trait;

/// Answers conversations.
#[async_trait]
pub trait Model: Send + Sync {
    /// With what it is asked.
    fn settings(&self) -> &Settings;

    /// Answers, or says which tools it wants called first.
    async fn chat(&self, messages: &[Message], tools: &[ToolDefinition]) -> Result<Answer, Failure>;
}

/// How a model is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub provider: &'static str,
    pub model: String,
    pub temperature: f64,
    pub max_tokens: i64,
}

/// What a model answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub id: String,
    pub model: String,
    pub message: Message,
    pub finish_reason: String,
    pub usage: Usage,
}

/// Turns texts into vectors.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// Whose it is, and what it is called.
    fn model(&self) -> (&'static str, &str);

    /// A vector for each text.
    async fn embed(&self, texts: Vec<String>) -> Result<Embedded, Failure>;
}

/// Vectors, in the order of the texts.
#[derive(Debug, Clone)]
pub struct Embedded {
    pub vectors: Vec<Vec<f32>>,
    pub tokens: i64,
}

/// A model behind chat completions over HTTP.
#[derive(Debug)]
pub struct OpenAi {
    pub http: Http,
    pub settings: Settings,
}

#[async_trait]
impl Model for OpenAi {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    async fn chat(&self, messages: &[Message], tools: &[ToolDefinition]) -> Result<Answer, Failure> {
        let request = ChatRequest {
            model: self.settings.model.clone(),
            messages: messages.to_vec(),
            tools: tools.to_vec(),
            temperature: Some(self.settings.temperature),
            max_tokens: Some(self.settings.max_tokens),
        };
        let response: ChatResponse = self.http.post("/v1/chat/completions", &request).await?;
        let Some(choice) = response.choices.into_iter().next() else {
            let (target, reason) = (response.model, "it has no choices".to_owned());
            return Err(Failure::Malformed { target, reason });
        };
        let (id, model, usage) = (response.id, response.model, response.usage);
        Ok(Answer { id, model, message: choice.message, finish_reason: choice.finish_reason, usage })
    }
}

/// An embedder behind embeddings over HTTP.
#[derive(Debug)]
pub struct OpenAiEmbedder {
    pub http: Http,
    pub model: String,
}

#[async_trait]
impl Embedder for OpenAiEmbedder {
    fn model(&self) -> (&'static str, &str) {
        ("openai", &self.model)
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Embedded, Failure> {
        let request = EmbeddingRequest { model: self.model.clone(), input: texts };
        let response: EmbeddingResponse = self.http.post("/v1/embeddings", &request).await?;
        let vectors = response.data.into_iter().map(|each| each.embedding).collect();
        Ok(Embedded { vectors, tokens: response.usage.prompt_tokens })
    }
}
