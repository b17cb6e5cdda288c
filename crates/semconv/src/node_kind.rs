//! What a span is in the run of an agent.

use crate::Meaning;

/// What a span is. The numbers are on the wire (the skeleton's `kind` column); never change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum NodeKind {
    #[default]
    Internal = 0,
    Agent = 1,
    Llm = 2,
    Tool = 3,
    Retrieval = 4,
    Policy = 5,
    Message = 6,
    Db = 7,
    Http = 8,
    Rpc = 9,
    Workflow = 10,
    Memory = 11,
    Evaluator = 12,
    Embedding = 13,
}

/// What [`NodeKind::classify`] looks at: a span's attributes and its OTLP `SpanKind`.
pub trait Attributes {
    /// The text of a string attribute.
    fn text(&self, key: &str) -> Option<&str>;
    /// Whether the span has an attribute of any type under this key.
    fn has(&self, key: &str) -> bool;
    /// OTLP's `SpanKind`: 4 producer, 5 consumer.
    fn span_kind(&self) -> i32;
}

impl NodeKind {
    pub const ALL: [Self; 14] = [
        Self::Internal,
        Self::Agent,
        Self::Llm,
        Self::Tool,
        Self::Retrieval,
        Self::Policy,
        Self::Message,
        Self::Db,
        Self::Http,
        Self::Rpc,
        Self::Workflow,
        Self::Memory,
        Self::Evaluator,
        Self::Embedding,
    ];

    /// The name in queries, answers and on the page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Agent => "agent",
            Self::Llm => "llm",
            Self::Tool => "tool",
            Self::Retrieval => "retrieval",
            Self::Policy => "policy",
            Self::Message => "message",
            Self::Db => "db",
            Self::Http => "http",
            Self::Rpc => "rpc",
            Self::Workflow => "workflow",
            Self::Memory => "memory",
            Self::Evaluator => "evaluator",
            Self::Embedding => "embedding",
        }
    }

    /// The kind of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What a span is: by its GenAI operation, then by OpenInference's kind, then by the names it carries. A chain is
    /// not an agent.
    #[must_use]
    pub fn classify(span: &dyn Attributes) -> Self {
        let operation = Meaning::Operation.keys().iter().find_map(|key| span.text(key));
        operation
            .and_then(Self::from_operation)
            .or_else(|| span.text("openinference.span.kind").and_then(Self::from_openinference))
            .or_else(|| span.text("traceloop.span.kind").and_then(Self::from_traceloop))
            .unwrap_or_else(|| Self::from_keys(span))
    }

    /// The attributes that [`Self::classify`] looks at.
    #[must_use]
    pub fn keys() -> Vec<&'static str> {
        let meanings = [Meaning::Operation, Meaning::Tool, Meaning::HttpMethod];
        let others = [
            "openinference.span.kind",
            "traceloop.span.kind",
            "policy.decision",
            "policy.id",
            "policy.name",
            "mcp.method.name",
            "db.system.name",
            "db.system",
            "messaging.system",
            "rpc.system",
            "rpc.system.name",
            "llm.model_name",
            "model.name",
            "llm.model",
            "workflow.id",
            "node.id",
        ];
        meanings.iter().flat_map(|meaning| meaning.keys()).copied().chain(others).collect()
    }

    fn from_operation(operation: &str) -> Option<Self> {
        Some(match operation {
            "invoke_agent" | "create_agent" | "plan" => Self::Agent,
            "invoke_workflow" => Self::Workflow,
            "chat" | "text_completion" | "completion" | "generate_content" | "fetch_response" => Self::Llm,
            "execute_tool" | "ai.toolCall" => Self::Tool,
            "embeddings" | "embedding" => Self::Embedding,
            "retrieval" | "rerank" => Self::Retrieval,
            "apply_guardrail" => Self::Policy,
            "evaluate" => Self::Evaluator,
            memory if memory.contains("memory") => Self::Memory,
            vercel if vercel.starts_with("ai.") && vercel.contains(".do") => Self::Llm,
            _ => return None,
        })
    }

    fn from_openinference(kind: &str) -> Option<Self> {
        Some(match kind.to_ascii_uppercase().as_str() {
            "AGENT" => Self::Agent,
            "LLM" => Self::Llm,
            "TOOL" => Self::Tool,
            "RETRIEVER" | "RERANKER" => Self::Retrieval,
            "EMBEDDING" => Self::Embedding,
            "GUARDRAIL" => Self::Policy,
            "EVALUATOR" => Self::Evaluator,
            "CHAIN" | "PROMPT" => Self::Internal,
            _ => return None,
        })
    }

    fn from_traceloop(kind: &str) -> Option<Self> {
        Some(match kind {
            "agent" => Self::Agent,
            "tool" => Self::Tool,
            "workflow" => Self::Workflow,
            "task" => Self::Internal,
            _ => return None,
        })
    }

    fn from_keys(span: &dyn Attributes) -> Self {
        let has_any = |meaning: Meaning| meaning.keys().iter().any(|key| span.has(key));
        if span.has("policy.decision") || span.has("policy.id") || span.has("policy.name") {
            Self::Policy
        } else if has_any(Meaning::Tool) || span.has("mcp.method.name") {
            Self::Tool
        } else if span.has("db.system.name") || span.has("db.system") {
            Self::Db
        } else if span.has("messaging.system") || matches!(span.span_kind(), 4 | 5) {
            Self::Message
        } else if span.has("rpc.system") || span.has("rpc.system.name") {
            Self::Rpc
        } else if has_any(Meaning::HttpMethod) {
            Self::Http
        } else if span.has("llm.model_name") || span.has("model.name") || span.has("llm.model") {
            Self::Llm
        } else if span.has("workflow.id") && !span.has("node.id") {
            Self::Workflow
        } else {
            Self::Internal
        }
    }

    /// The meaning that says what a span of this kind is about.
    #[must_use]
    pub const fn subject(self) -> Option<Meaning> {
        Some(match self {
            Self::Agent => Meaning::Agent,
            Self::Llm | Self::Embedding => Meaning::Model,
            Self::Tool => Meaning::Tool,
            Self::Retrieval => Meaning::DataSource,
            Self::Policy => Meaning::Policy,
            Self::Message => Meaning::Destination,
            Self::Db => Meaning::Table,
            Self::Http => Meaning::Route,
            Self::Rpc => Meaning::RpcMethod,
            Self::Workflow => Meaning::Workflow,
            Self::Internal | Self::Memory | Self::Evaluator => return None,
        })
    }

    /// Whether a span of this kind adds to token totals: agents and workflows repeat what their model calls say.
    #[must_use]
    pub const fn counts_tokens(self) -> bool {
        matches!(self, Self::Llm | Self::Embedding | Self::Retrieval)
    }
}

#[cfg(test)]
mod tests {
    use super::{Attributes, NodeKind};

    struct Pairs(&'static [(&'static str, &'static str)], i32);

    impl Attributes for Pairs {
        fn text(&self, key: &str) -> Option<&str> {
            self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
        }
        fn has(&self, key: &str) -> bool {
            self.text(key).is_some()
        }
        fn span_kind(&self) -> i32 {
            self.1
        }
    }

    /// Notes what it is asked for.
    struct Asked(std::cell::RefCell<Vec<String>>);

    impl Attributes for Asked {
        fn text(&self, key: &str) -> Option<&str> {
            self.0.borrow_mut().push(key.to_owned());
            None
        }
        fn has(&self, key: &str) -> bool {
            self.text(key).is_some()
        }
        fn span_kind(&self) -> i32 {
            1
        }
    }

    #[test]
    fn all_that_is_looked_at_is_listed() {
        let asked = Asked(std::cell::RefCell::default());
        let _ = NodeKind::classify(&asked);
        let keys = NodeKind::keys();
        for key in asked.0.take().iter().map(String::as_str).chain(["node.id"]) {
            assert!(keys.contains(&key), "{key}");
        }
    }

    #[test]
    fn kinds_follow_the_most_telling_attribute() {
        let check = |pairs, span_kind, expect: NodeKind| {
            assert_eq!(NodeKind::classify(&Pairs(pairs, span_kind)), expect, "{pairs:?}");
        };
        check(&[("gen_ai.operation.name", "invoke_agent")], 1, NodeKind::Agent);
        check(&[("gen_ai.operation.name", "chat"), ("http.method", "POST")], 3, NodeKind::Llm);
        check(&[("gen_ai.operation.name", "search_memory")], 1, NodeKind::Memory);
        check(&[("openinference.span.kind", "CHAIN")], 1, NodeKind::Internal);
        check(&[("policy.decision", "deny")], 1, NodeKind::Policy);
        check(&[("db.system", "postgresql")], 3, NodeKind::Db);
        check(&[], 4, NodeKind::Message);
        check(&[("http.request.method", "GET")], 2, NodeKind::Http);
        check(&[("ai.operationId", "ai.generateText.doGenerate")], 1, NodeKind::Llm);
        check(&[], 1, NodeKind::Internal);
    }
}
