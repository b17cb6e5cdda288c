//! What agents do, as spans in the names of OpenTelemetry's GenAI conventions.

use crate::span::{Span, Start};
use opentelemetry::StringValue;
use opentelemetry::trace::SpanKind;
use std::ops::Deref;

fn operation(operation: &'static str, subject: &str, kind: SpanKind) -> Start {
    let name = if subject.is_empty() { operation.to_owned() } else { format!("{operation} {subject}") };
    Start::new(name).kind(kind).set("gen_ai.operation.name", operation)
}

/// A run of an agent: `invoke_agent NAME`.
pub fn agent(name: &str) -> Start {
    operation("invoke_agent", name, SpanKind::Internal).set("gen_ai.agent.name", name.to_owned())
}

/// The planning of an agent's next steps; the model call that plans is below it.
pub fn plan(agent: &str) -> Start {
    operation("plan", agent, SpanKind::Internal).set("gen_ai.agent.name", agent.to_owned())
}

/// A run of a workflow: `invoke_workflow NAME`.
pub fn workflow(name: &str) -> Start {
    operation("invoke_workflow", name, SpanKind::Internal).set("gen_ai.workflow.name", name.to_owned())
}

/// A node of a workflow's graph.
pub fn node(id: &str) -> Start {
    Start::new(format!("node {id}")).set("node.id", id.to_owned())
}

/// A call of a tool: `execute_tool NAME`.
pub fn tool(name: &str) -> Start {
    operation("execute_tool", name, SpanKind::Internal).set("gen_ai.tool.name", name.to_owned())
}

/// A search in a source of documents.
pub fn retrieval(source: &str) -> Start {
    operation("retrieval", source, SpanKind::Client).set("gen_ai.data_source.id", source.to_owned())
}

/// Texts made into vectors.
pub fn embedding(provider: &'static str, model: &str) -> Start {
    let start = operation("embeddings", model, SpanKind::Client).set("gen_ai.provider.name", provider);
    start.set("gen_ai.request.model", model.to_owned())
}

/// A memory read or written: `search_memory`, `create_memory`, `update_memory`, `upsert_memory`, `delete_memory`.
pub fn memory(what: &'static str, store: &str) -> Start {
    operation(what, "", SpanKind::Internal).set("gen_ai.memory.store.id", store.to_owned())
}

/// A policy that is asked for its decision.
pub fn policy(name: &str) -> Start {
    Start::new(format!("policy {name}")).set("policy.name", name.to_owned())
}

/// A person who is waited for.
pub fn approval(id: &str) -> Start {
    Start::new("approval").set("approval.id", id.to_owned()).set("approval.status", "waiting")
}

/// A judgement of an answer.
pub fn evaluation(name: &str) -> Start {
    Start::new(format!("evaluate {name}")).set("gen_ai.evaluation.name", name.to_owned())
}

fn message(operation: &'static str, system: &'static str, destination: &str, kind: SpanKind) -> Start {
    let start = Start::new(format!("{operation} {destination}")).kind(kind);
    let start =
        start.set("messaging.system", system).set("messaging.destination.name", destination.to_owned());
    start.set("messaging.operation.name", operation).set("messaging.operation.type", operation)
}

/// A message sent to others.
pub fn publish(system: &'static str, destination: &str) -> Start {
    message("send", system, destination, SpanKind::Producer)
}

/// Messages taken from a queue.
pub fn receive(system: &'static str, destination: &str) -> Start {
    message("receive", system, destination, SpanKind::Consumer)
}

/// A message worked on.
pub fn process(system: &'static str, destination: &str) -> Start {
    message("process", system, destination, SpanKind::Consumer)
}

impl Start {
    /// `gen_ai.tool.call.id`.
    pub fn call_id(self, id: impl Into<StringValue>) -> Self {
        self.set("gen_ai.tool.call.id", id.into())
    }
}

/// A call of a model: `chat MODEL`.
pub fn model_call(provider: &'static str, model: &str) -> ModelCallStart {
    let start = operation("chat", model, SpanKind::Client).set("gen_ai.provider.name", provider);
    ModelCallStart(start.set("gen_ai.request.model", model.to_owned()))
}

/// A call of a model that is about to be started.
#[derive(Debug, Clone)]
#[must_use = "a span is recorded once it is started"]
pub struct ModelCallStart(Start);

impl ModelCallStart {
    /// `gen_ai.request.temperature`.
    pub fn temperature(self, temperature: f64) -> Self {
        Self(self.0.set("gen_ai.request.temperature", temperature))
    }

    /// `gen_ai.request.max_tokens`.
    pub fn max_tokens(self, tokens: i64) -> Self {
        Self(self.0.set("gen_ai.request.max_tokens", tokens))
    }

    /// Any other attribute, scope, parent or link.
    pub fn with(self, more: impl FnOnce(Start) -> Start) -> Self {
        Self(more(self.0))
    }

    /// Starts it.
    #[must_use = "a span ends when it is dropped"]
    pub fn start(self) -> ModelCall {
        ModelCall(self.0.start())
    }
}

/// A call of a model that is under way.
#[derive(Debug, Clone)]
pub struct ModelCall(Span);

impl Deref for ModelCall {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.0
    }
}

impl ModelCall {
    /// Tokens: all of the input, cached ones among them; all of the output, reasoning among it.
    pub fn usage(&self, input: i64, output: i64) {
        self.set("gen_ai.usage.input_tokens", input);
        self.set("gen_ai.usage.output_tokens", output);
    }

    /// Of the input tokens, those that were read from the provider's cache.
    pub fn cached(&self, tokens: i64) {
        self.set("gen_ai.usage.cache_read.input_tokens", tokens);
    }

    /// The model that answered, when the provider says so.
    pub fn response_model(&self, model: impl Into<StringValue>) {
        self.set("gen_ai.response.model", model.into());
    }

    /// Why the answer ended: `stop`, `length`, `tool_call` ...
    pub fn finish_reason(&self, reason: impl Into<StringValue>) {
        self.set_list("gen_ai.response.finish_reasons", [reason]);
    }

    /// Lets a future run with this span active, and ends the span with it.
    pub async fn run<T>(self, future: impl Future<Output = T>) -> T {
        self.0.run(future).await
    }
}
