//! The agent: plan, act, observe, and again, until there is an answer. Nothing in this file knows of tracing.

use crate::failure::Failure;
use crate::library::Retriever;
use crate::memory::Memory;
use crate::openai::{Message, ToolCall};
use crate::planner::{Planner, Step};
use crate::tools::Tool;
use async_trait::async_trait;
use std::sync::Arc;

/// How often it plans before it gives up.
const ROUNDS: usize = 10;
/// How many memories, and how many passages, it looks at.
const LOOKED_AT: usize = 3;

/// Does what it is asked.
#[async_trait]
pub trait Agent: Send + Sync {
    /// What it is called.
    fn name(&self) -> &str;

    /// Works on the input until there is an answer.
    async fn invoke(&self, input: &str) -> Result<Reply, Failure>;
}

/// What came of it.
#[derive(Debug)]
pub struct Reply {
    pub text: String,
    pub tokens: i64,
    pub tool_calls: i64,
}

/// An agent of parts.
pub struct Beluga {
    pub planner: Arc<dyn Planner>,
    pub tools: Vec<Arc<dyn Tool>>,
    pub memory: Arc<dyn Memory>,
    pub library: Option<Arc<dyn Retriever>>,
}

#[async_trait]
impl Agent for Beluga {
    fn name(&self) -> &str {
        "beluga"
    }

    async fn invoke(&self, input: &str) -> Result<Reply, Failure> {
        let mut conversation = vec![Message::system(self.instructions(input).await?), Message::user(input)];
        let mut tool_calls = 0;
        for _ in 0..ROUNDS {
            let (said, calls) = match self.planner.next(&conversation).await? {
                Step::Answer { text, tokens } => return Ok(Reply { text, tokens, tool_calls }),
                Step::Act { said, calls } => (said, calls),
            };
            conversation.push(said);
            for call in calls {
                // A tool that fails ends the run: what the model would say without it would be made up.
                let result = self.act(&call).await?;
                conversation.push(Message::tool(&call, result));
                tool_calls += 1;
            }
        }
        Err(Failure::Rounds(ROUNDS))
    }
}

impl Beluga {
    /// What the model is told before the input: what is remembered and what was read about it.
    async fn instructions(&self, input: &str) -> Result<String, Failure> {
        let mut lines = vec!["You are a helpful assistant.".to_owned()];
        lines.extend(self.memory.recall(input, LOOKED_AT).await?);
        if let Some(library) = &self.library {
            let passages = library.retrieve(input, LOOKED_AT).await?;
            lines.extend(passages.into_iter().map(|passage| passage.text.to_owned()));
        }
        Ok(lines.join("\n"))
    }

    async fn act(&self, call: &ToolCall) -> Result<String, Failure> {
        let name = &call.function.name;
        let Some(tool) = self.tools.iter().find(|tool| tool.definition().function.name == *name) else {
            return Err(Failure::UnknownTool(name.clone()));
        };
        tool.call(call).await
    }
}
