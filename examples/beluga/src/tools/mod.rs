//! What the agent can do beside talking.

mod calculator;
mod weather;

pub use calculator::Calculator;
pub use weather::{Report, Weather};

use crate::failure::Failure;
use crate::openai::{FunctionDefinition, ToolCall, ToolDefinition};
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Does one thing for the model.
#[async_trait]
pub trait Tool: Send + Sync {
    /// What the model is told of it.
    fn definition(&self) -> ToolDefinition;

    /// Does it, and says what came of it.
    async fn call(&self, call: &ToolCall) -> Result<String, Failure>;
}

/// A tool whose only argument is a text.
fn definition(name: &str, description: &str, argument: &str) -> ToolDefinition {
    let parameters: Value =
        json!({"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]});
    let (name, description) = (name.to_owned(), description.to_owned());
    ToolDefinition {
        kind: "function".to_owned(),
        function: FunctionDefinition { name, description, parameters },
    }
}

fn arguments<A: DeserializeOwned>(call: &ToolCall) -> Result<A, Failure> {
    serde_json::from_str(&call.function.arguments)
        .map_err(|error| Failure::Arguments { tool: call.function.name.clone(), reason: error.to_string() })
}
