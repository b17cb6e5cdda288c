//! What the spans of the agent's parts are called, and from which scope they come. The conventions' names unless a
//! program chose its own before there were any; `gen_ai.operation.name` says what a span is, whatever it is called.

use clew_sdk::opentelemetry::trace::TraceContextExt;
use clew_sdk::{Span, Start};

/// What one kind of span is called.
#[derive(Debug, Clone, Copy)]
pub struct Called {
    /// `None`: as the conventions call it.
    span: Option<&'static str>,
    scope: &'static str,
}

impl Called {
    const fn conventionally(scope: &'static str) -> Self {
        Self { span: None, scope }
    }

    const fn by(span: &'static str, scope: &'static str) -> Self {
        Self { span: Some(span), scope }
    }

    /// Starts a span that is called so.
    pub fn start(self, start: Start) -> Span {
        let span = start.scope(self.scope).start();
        self.rename(&span);
        span
    }

    /// The scope alone, for spans whose start is typed.
    pub fn scope(self) -> &'static str {
        self.scope
    }

    /// Gives a started span its name. Samplers have seen the convention's by then.
    pub fn rename(self, span: &Span) {
        if let Some(name) = self.span {
            span.context().span().update_name(name);
        }
    }
}

/// What the spans of all parts are called.
#[derive(Debug)]
pub struct Names {
    pub agent: Called,
    pub plan: Called,
    pub model: Called,
    /// The HTTP request of a model call.
    pub request: Called,
    pub embedding: Called,
    pub memory: Called,
    pub retrieval: Called,
    pub tool: Called,
}

/// As OpenTelemetry's GenAI conventions have it.
pub static CONVENTIONS: Names = Names {
    agent: Called::conventionally("beluga"),
    plan: Called::conventionally("beluga"),
    model: Called::conventionally("beluga"),
    request: Called::conventionally("beluga"),
    embedding: Called::conventionally("beluga"),
    memory: Called::conventionally("beluga"),
    retrieval: Called::conventionally("beluga"),
    tool: Called::conventionally("beluga"),
};

/// `API.HandleRequest` and what is below it.
pub static COMPONENTS: Names = Names {
    agent: Called::by("Agent.Process", "agent"),
    model: Called::by("LLM.Generate", "llm"),
    request: Called::by("OpenAI.APICall", "openai"),
    memory: Called::by("Memory.Retrieve", "memory"),
    tool: Called::by("Tool.Execute", "tool"),
    ..CONVENTIONS
};

/// `ProcessUserQuery` and what is below it.
pub static PACKAGES: Names = Names {
    model: Called::by("llm.Generate", "llms"),
    request: Called::by("openai.CreateChatCompletion", "openai"),
    memory: Called::by("memory.Retrieve", "memory"),
    ..CONVENTIONS
};

/// `handleChat` and what is below it.
pub static CHAT: Names = Names { model: Called::by("llm.generate", "llms"), ..CONVENTIONS };
