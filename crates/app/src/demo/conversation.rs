//! What an agent and its model say to each other, in the message form of OpenTelemetry's GenAI conventions.

use serde_json::{Value, json};

/// The messages so far: each model call is sent all of them.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    messages: Vec<Value>,
}

/// A tool that the model asks for.
#[derive(Debug, Clone)]
pub struct ToolCall {
    pub id: String,
    pub name: &'static str,
    pub arguments: Value,
}

impl Conversation {
    pub fn user(text: &str) -> Self {
        Self { messages: vec![json!({"role": "user", "parts": [{"type": "text", "content": text}]})] }
    }

    pub fn add(&mut self, message: Value) {
        self.messages.push(message);
    }

    pub fn tool_result(&mut self, call: &ToolCall, result: &Value) {
        self.add(json!({"role": "tool", "parts": [{"type": "tool_call_response", "id": call.id, "response": result}]}));
    }

    pub fn to_json(&self) -> String {
        json!(self.messages).to_string()
    }
}

/// The model answers with text, and is done.
pub fn says(content: &str) -> Value {
    json!({"role": "assistant", "parts": [{"type": "text", "content": content}], "finish_reason": "stop"})
}

/// The model thinks aloud and asks for tools.
pub fn calls(thought: &str, calls: &[&ToolCall]) -> Value {
    let mut parts = vec![json!({"type": "text", "content": thought})];
    parts.extend(calls.iter().map(
        |call| json!({"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}),
    ));
    json!({"role": "assistant", "parts": parts, "finish_reason": "tool_call"})
}

/// The definition of a tool whose parameters are all texts.
pub fn tool(name: &str, description: &str, parameters: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> =
        parameters.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
    json!({"type": "function", "name": name, "description": description,
           "parameters": {"type": "object", "properties": properties, "required": parameters}})
}
