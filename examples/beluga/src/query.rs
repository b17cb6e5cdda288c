//! One query of a user: remembered things are looked up, the model answers, the answer is made presentable.

use crate::failure::Failure;
use crate::memory::Memory;
use crate::model::{Answer, Model};
use crate::observed::{count, observe};
use crate::openai::Message;
use clew_sdk::Span;
use std::sync::Arc;
use std::time::Instant;

/// How many memories it looks at.
const LOOKED_AT: usize = 3;

/// Works on queries.
pub struct Queries {
    pub model: Arc<dyn Model>,
    pub memory: Arc<dyn Memory>,
    /// The scope of its own spans.
    pub scope: &'static str,
}

impl Queries {
    /// Answers one query.
    pub async fn process(&self, query: &str) -> Result<String, Failure> {
        let start = clew_sdk::span("ProcessUserQuery").scope(self.scope).set("query.text", query.to_owned());
        let span = start.set("query.length", count(query.chars().count())).start();
        // In a box: the future of a whole query is large, and many layers hold this one.
        observe(&span, Box::pin(self.process_within(&span, query))).await
    }

    async fn process_within(&self, span: &Span, query: &str) -> Result<String, Failure> {
        span.event("starting_processing", Vec::new());
        tracing::info!(query_length = query.chars().count(), "Processing query");
        let began = Instant::now();
        let answer = self.ask(query).await.inspect_err(|failure| {
            tracing::error!(error = %failure, "Query processing failed");
        })?;
        let text = present(&answer).await;
        span.set("response.tokens", answer.usage.completion_tokens);
        span.set("processing.duration_ms", began.elapsed().as_secs_f64() * 1_000.0);
        span.event("processing_complete", Vec::new());
        tracing::info!(result_size = text.len(), "Query processed successfully");
        Ok(text)
    }

    async fn ask(&self, query: &str) -> Result<Answer, Failure> {
        let mut instructions = vec!["You are a helpful assistant.".to_owned()];
        instructions.extend(self.memory.recall(query, LOOKED_AT).await?);
        let messages = [Message::system(instructions.join("\n")), Message::user(query)];
        self.model.chat(&messages, &[]).await
    }
}

async fn present(answer: &Answer) -> String {
    let span = clew_sdk::span("formatResponse").scope("myapp").start();
    span.run(async { answer.message.said().trim().to_owned() }).await
}
