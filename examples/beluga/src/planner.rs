//! Decides what the agent does next: call tools, or answer.

use crate::failure::Failure;
use crate::model::Model;
use crate::openai::{Message, ToolCall, ToolDefinition};
use async_trait::async_trait;
use std::sync::Arc;

/// Looks at a conversation, and says how it goes on.
#[async_trait]
pub trait Planner: Send + Sync {
    /// The next step.
    async fn next(&self, conversation: &[Message]) -> Result<Step, Failure>;
}

/// What an agent does next.
#[derive(Debug)]
pub enum Step {
    /// It calls tools, because the model said this.
    Act { said: Message, calls: Vec<ToolCall> },
    /// It is done.
    Answer { text: String, tokens: i64 },
}

/// Lets the model decide.
pub struct ModelPlanner {
    pub model: Arc<dyn Model>,
    pub tools: Vec<ToolDefinition>,
}

#[async_trait]
impl Planner for ModelPlanner {
    async fn next(&self, conversation: &[Message]) -> Result<Step, Failure> {
        let answer = self.model.chat(conversation, &self.tools).await?;
        let calls = answer.message.tool_calls.clone();
        if calls.is_empty() {
            let text = answer.message.said().to_owned();
            return Ok(Step::Answer { text, tokens: answer.usage.completion_tokens });
        }
        Ok(Step::Act { said: answer.message, calls })
    }
}
