//! What agents do, as spans in the names of OpenTelemetry's GenAI conventions.

use crate::content::{self, ARGUMENTS, DOCUMENTS, QUERY, RESULT};
use crate::names;
use crate::span::{Span, Start};
use opentelemetry::trace::SpanKind;
use opentelemetry::{KeyValue, StringValue};
use std::borrow::Cow;

/// The start of an operation, and what it is on.
pub(crate) fn operation(
    operation: &'static str,
    subject: &str,
    kind: SpanKind,
) -> (Start, Cow<'static, str>) {
    let (name, subject) = names::operation(operation, subject);
    (Start::new(name).kind(kind).set("gen_ai.operation.name", operation), subject)
}

fn named(done: &'static str, key: &'static str, subject: &str, kind: SpanKind) -> Start {
    let (start, subject) = operation(done, subject, kind);
    start.set(key, subject)
}

/// A run of an agent: `invoke_agent NAME`.
pub fn agent(name: &str) -> Start {
    named("invoke_agent", "gen_ai.agent.name", name, SpanKind::Internal)
}

/// The planning of an agent's next steps; the model call that plans is below it.
pub fn plan(agent: &str) -> Start {
    named("plan", "gen_ai.agent.name", agent, SpanKind::Internal)
}

/// A run of a workflow: `invoke_workflow NAME`.
pub fn workflow(name: &str) -> Start {
    named("invoke_workflow", "gen_ai.workflow.name", name, SpanKind::Internal)
}

/// A node of a workflow's graph.
pub fn node(id: &str) -> Start {
    Start::new(format!("node {id}")).set("node.id", id.to_owned())
}

/// A call of a tool: `execute_tool NAME`.
pub fn tool(name: &str) -> Start {
    named("execute_tool", "gen_ai.tool.name", name, SpanKind::Internal)
}

/// A search in a source of documents.
pub fn retrieval(source: &str) -> Start {
    named("retrieval", "gen_ai.data_source.id", source, SpanKind::Client)
}

/// Texts made into vectors.
pub fn embedding(provider: &'static str, model: &str) -> Start {
    named("embeddings", "gen_ai.request.model", model, SpanKind::Client).set("gen_ai.provider.name", provider)
}

/// A memory read or written: `search_memory`, `create_memory`, `update_memory`, `upsert_memory`, `delete_memory`.
pub fn memory(what: &'static str, store: &str) -> Start {
    operation(what, "", SpanKind::Internal).0.set("gen_ai.memory.store.id", names::name(store))
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
    let start = Start::new(names::operation(operation, destination).0).kind(kind);
    let start =
        start.set("messaging.system", system).set("messaging.destination.name", names::name(destination));
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

    /// `gen_ai.tool.type`: `function`, `extension` or `datastore`.
    pub fn tool_type(self, kind: &'static str) -> Self {
        self.set("gen_ai.tool.type", kind)
    }

    /// `gen_ai.tool.description`.
    pub fn description(self, text: impl Into<StringValue>) -> Self {
        self.set("gen_ai.tool.description", text.into())
    }

    /// What a tool is called with, if content is recorded.
    pub fn arguments(self, arguments: impl Into<serde_json::Value>) -> Self {
        self.content(ARGUMENTS, || arguments.into())
    }

    /// What is searched for, if content is recorded.
    pub fn query(self, text: impl Into<String>) -> Self {
        self.content(QUERY, || text.into().into())
    }

    /// Any attribute that holds what was said, if content is recorded; it is bounded and redacted.
    pub fn content(self, key: &'static str, said: impl FnOnce() -> serde_json::Value) -> Self {
        match content::recorded(said) {
            Some(text) => self.set(key, text),
            None => self,
        }
    }
}

impl Span {
    /// Any attribute that holds what was said, if content is recorded; it is bounded and redacted.
    pub fn content(&self, key: &'static str, said: impl FnOnce() -> serde_json::Value) {
        if self.is_recording()
            && let Some(text) = content::recorded(said)
        {
            self.set(key, text);
        }
    }

    /// What a tool is called with, if content is recorded.
    pub fn arguments(&self, arguments: impl Into<serde_json::Value>) {
        self.content(ARGUMENTS, || arguments.into());
    }

    /// What a tool answered, if content is recorded.
    pub fn result(&self, result: impl Into<serde_json::Value>) {
        self.content(RESULT, || result.into());
    }

    /// What a retrieval found: how many documents and, if content is recorded, which.
    pub fn documents(&self, documents: &[serde_json::Value]) {
        let count = i64::try_from(documents.len()).unwrap_or(i64::MAX);
        self.set("gen_ai.retrieval.document.count", count);
        self.content(DOCUMENTS, || documents.into());
    }

    /// What a policy decided, `allow` or `deny`, and by which rules.
    pub fn decide(
        &self,
        decision: impl Into<StringValue>,
        rules: impl IntoIterator<Item = impl Into<StringValue>>,
    ) {
        self.set("policy.decision", decision.into());
        self.set_list("policy.rules", rules);
    }

    /// What a person decided: `approved`, `rejected` or `expired`; and who, where that may be told.
    pub fn answered(&self, status: impl Into<StringValue>) {
        self.set("approval.status", status.into());
    }

    /// What an evaluation came to.
    pub fn score(&self, name: impl Into<StringValue>, value: f64, label: impl Into<StringValue>) {
        let about = vec![
            KeyValue::new("gen_ai.evaluation.name", name.into()),
            KeyValue::new("gen_ai.evaluation.score.value", value),
            KeyValue::new("gen_ai.evaluation.score.label", label.into()),
        ];
        self.event("gen_ai.evaluation.result", about);
    }
}
