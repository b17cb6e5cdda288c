//! What a span is in the run of an agent.

use crate::Meaning;

/// What a span is. The numbers are on the wire (the skeleton's `kind` column); never change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum NodeKind {
    #[default]
    Other = 0,
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
    Reranker = 14,
    Guardrail = 15,
    Approval = 16,
    Step = 17,
    Plan = 18,
    Mcp = 19,
}

/// What a span's attributes are asked for.
pub trait Attributes {
    /// The text of a string attribute.
    fn text(&self, key: &str) -> Option<&str>;
    /// Whether the span has an attribute of any type under this key.
    fn has(&self, key: &str) -> bool;
    /// Whether an attribute carries a meaning: [`Meaning::carrier`], or something faster.
    fn means(&self, meaning: Meaning) -> bool;
    /// OTLP's `SpanKind`: 4 producer, 5 consumer.
    fn span_kind(&self) -> i32;
}

/// Attributes that say a span's kind by a word of their convention.
const WORDS: [&str; 11] = [
    "openinference.span.kind",
    "traceloop.span.kind",
    "langfuse.observation.type",
    "mlflow.spanType",
    "langsmith.span.kind",
    "lmnr.span.type",
    "genkit:metadata:subtype",
    "span.type",
    "entity.type",
    "ext.node.kind",
    "node.kind",
];

/// Attributes whose presence tells a kind, besides those of meanings.
const TELLING: [&str; 15] = [
    "mcp.request.id",
    "mcp.response.value",
    "policy.decision",
    "policy.id",
    "policy.name",
    "approval.id",
    "approval.status",
    "db.system.name",
    "db.system",
    "messaging.system",
    "rpc.system",
    "rpc.system.name",
    "gen_ai.evaluation.name",
    "workflow.id",
    "node.id",
];

impl NodeKind {
    pub const ALL: [Self; 20] = [
        Self::Other,
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
        Self::Reranker,
        Self::Guardrail,
        Self::Approval,
        Self::Step,
        Self::Plan,
        Self::Mcp,
    ];

    /// The name in queries, answers and on the page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
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
            Self::Reranker => "reranker",
            Self::Guardrail => "guardrail",
            Self::Approval => "approval",
            Self::Step => "step",
            Self::Plan => "plan",
            Self::Mcp => "mcp",
        }
    }

    /// The kind of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What a span is: by its GenAI operation, then by the word that its convention has for it, then by the names it
    /// carries. A chain is not an agent, and neither is a prompt.
    #[must_use]
    pub fn classify(span: &dyn Attributes) -> Self {
        // The client's span is the call of a tool; the server's is how it was served.
        if span.span_kind() == 2 && span.means(Meaning::McpMethod) {
            return Self::Mcp;
        }
        let operation = OPERATIONS.iter().filter(|key| span.has(key)).find_map(|key| span.text(key));
        operation
            .and_then(Self::from_operation)
            .or_else(|| WORDS.iter().find_map(|key| Self::from_word(span.text(key)?)))
            .unwrap_or_else(|| Self::from_keys(span))
    }

    /// The attributes that [`Self::classify`] looks at.
    #[must_use]
    pub fn keys() -> Vec<&'static str> {
        let meanings = [Meaning::Tool, Meaning::HttpMethod, Meaning::RequestModel, Meaning::McpMethod];
        let named = meanings.into_iter().flat_map(Meaning::needed_keys);
        OPERATIONS.into_iter().chain(WORDS).chain(TELLING).chain(named).collect()
    }

    fn from_operation(operation: &str) -> Option<Self> {
        // The Vercel AI SDK's `operation.name` goes on with the name of the function.
        let operation = operation.split_whitespace().next()?;
        Some(match operation {
            "invoke_agent" | "create_agent" | "handle_conversation_turn" => Self::Agent,
            "plan" => Self::Plan,
            "invoke_workflow" => Self::Workflow,
            "chat" | "text_completion" | "generate_content" | "fetch_response" | "transcription"
            | "realtime_inference" => Self::Llm,
            "execute_tool" | "load_skill" => Self::Tool,
            "embeddings" => Self::Embedding,
            "retrieval" => Self::Retrieval,
            "rerank" | "ai.rerank.doRerank" => Self::Reranker,
            "apply_guardrail" => Self::Guardrail,
            "agent_step"
            | "execute_task"
            | "schedule_tool_calls"
            | "ai.embed"
            | "ai.embedMany"
            | "ai.rerank" => Self::Step,
            "evaluate" => Self::Evaluator,
            memory if memory.contains("memory") => Self::Memory,
            other => {
                let canonical = crate::table::value("gen_ai.operation.name", other)?;
                return if canonical == other { None } else { Self::from_operation(canonical) };
            }
        })
    }

    /// By a word of some convention; `None` for one that says nothing.
    fn from_word(word: &str) -> Option<Self> {
        // MLflow writes it as JSON; Claude Code with or without its name before it.
        let word = word.trim_matches('"').to_ascii_lowercase();
        Some(match word.strip_prefix("claude_code.").unwrap_or(&word) {
            "agent" | "interaction" => Self::Agent,
            "llm" | "chat_model" | "generation" | "model" | "background-model" | "llm_request" | "cached" => {
                Self::Llm
            }
            "tool" | "tool.v2" => Self::Tool,
            "retriever" | "retrieval" => Self::Retrieval,
            "reranker" => Self::Reranker,
            "embedding" | "embedder" => Self::Embedding,
            "guardrail" => Self::Guardrail,
            "policy" => Self::Policy,
            "evaluator" | "evaluation" => Self::Evaluator,
            "workflow" => Self::Workflow,
            "memory" => Self::Memory,
            "plan" | "planner" => Self::Plan,
            "human" | "approval" | "human_approval" | "tool.blocked_on_user" => Self::Approval,
            "chain" | "task" | "step" | "decision" | "branch" | "parser" | "executor" | "pipeline"
            | "tool.execution" | "hook" => Self::Step,
            _ => return None,
        })
    }

    fn from_keys(span: &dyn Attributes) -> Self {
        let has_any = |keys: &[&str]| keys.iter().any(|key| span.has(key));
        if has_any(&["policy.decision", "policy.id", "policy.name"]) {
            Self::Policy
        } else if has_any(&["approval.id", "approval.status"]) {
            Self::Approval
        } else if span.means(Meaning::Tool) {
            Self::Tool
        } else if span.means(Meaning::McpMethod) || has_any(&["mcp.request.id", "mcp.response.value"]) {
            Self::Mcp
        } else if has_any(&["db.system.name", "db.system"]) {
            Self::Db
        } else if span.has("messaging.system") || matches!(span.span_kind(), 4 | 5) {
            Self::Message
        } else if has_any(&["rpc.system", "rpc.system.name"]) {
            Self::Rpc
        } else if span.means(Meaning::HttpMethod) {
            Self::Http
        } else if span.means(Meaning::RequestModel) {
            Self::Llm
        } else if span.has("gen_ai.evaluation.name") {
            Self::Evaluator
        } else if span.has("node.id") {
            Self::Step
        } else if span.has("workflow.id") {
            Self::Workflow
        } else {
            Self::Other
        }
    }

    /// The meaning that says what a span of this kind is about.
    #[must_use]
    pub const fn subject(self) -> Option<Meaning> {
        Some(match self {
            Self::Agent | Self::Plan => Meaning::Agent,
            Self::Llm | Self::Embedding | Self::Reranker => Meaning::Model,
            Self::Tool => Meaning::Tool,
            Self::Retrieval => Meaning::DataSource,
            Self::Policy | Self::Guardrail => Meaning::Policy,
            Self::Message => Meaning::Destination,
            Self::Db => Meaning::Table,
            Self::Http => Meaning::Route,
            Self::Rpc => Meaning::RpcMethod,
            Self::Workflow => Meaning::Workflow,
            Self::Step => Meaning::Step,
            Self::Approval => Meaning::Approval,
            Self::Mcp => Meaning::McpMethod,
            Self::Other | Self::Memory | Self::Evaluator => return None,
        })
    }

    /// Whether a span of this kind asks a model, so that what it used is its own: agents, workflows and steps repeat what
    /// those below them used.
    #[must_use]
    pub const fn is_inference(self) -> bool {
        matches!(self, Self::Llm | Self::Embedding | Self::Reranker | Self::Retrieval)
    }
}

/// Attributes that name the operation.
const OPERATIONS: [&str; 4] =
    ["gen_ai.operation.name", "llm.request.type", "ai.operationId", "operation.name"];

#[cfg(test)]
pub(crate) mod tests {
    use super::{Attributes, NodeKind};
    use crate::Meaning;

    pub(crate) struct Pairs(pub(crate) &'static [(&'static str, &'static str)], pub(crate) i32);

    impl Attributes for Pairs {
        fn text(&self, key: &str) -> Option<&str> {
            self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
        }
        fn has(&self, key: &str) -> bool {
            self.text(key).is_some()
        }
        fn means(&self, meaning: Meaning) -> bool {
            meaning.carrier(self).is_some()
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
        fn means(&self, meaning: Meaning) -> bool {
            meaning.carrier(self).is_some()
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
        check(&[("openinference.span.kind", "CHAIN")], 1, NodeKind::Step);
        check(&[("openinference.span.kind", "PROMPT")], 1, NodeKind::Other);
        check(&[("openinference.span.kind", "GUARDRAIL")], 1, NodeKind::Guardrail);
        check(&[("mlflow.spanType", "\"CHAT_MODEL\"")], 1, NodeKind::Llm);
        check(&[("traceloop.span.kind", "task")], 1, NodeKind::Step);
        check(&[("gen_ai.operation.name", "chat_streaming")], 1, NodeKind::Llm);
        check(&[("gen_ai.operation.name", "plan")], 1, NodeKind::Plan);
        check(&[("gen_ai.operation.name", "rerank")], 1, NodeKind::Reranker);
        check(&[("ai.operationId", "ai.generateText")], 1, NodeKind::Agent);
        check(&[("ai.operationId", "ai.toolCall")], 1, NodeKind::Tool);
        check(&[("mcp.method.name", "tools/list")], 3, NodeKind::Mcp);
        check(&[("mcp.method.name", "tools/call"), ("gen_ai.tool.name", "search")], 3, NodeKind::Tool);
        check(&[("mcp.method.name", "tools/call"), ("gen_ai.tool.name", "search")], 2, NodeKind::Mcp);
        check(&[("span.type", "tool.blocked_on_user")], 1, NodeKind::Approval);
        check(&[("node.id", "n3"), ("node.kind", "human")], 1, NodeKind::Approval);
        check(&[("node.id", "n1"), ("node.kind", "task")], 1, NodeKind::Step);
        check(&[("span.type", "llm_request")], 1, NodeKind::Llm);
        check(&[("policy.decision", "deny")], 1, NodeKind::Policy);
        check(&[("gen_ai.evaluation.name", "relevance")], 1, NodeKind::Evaluator);
        check(&[("db.system", "postgresql")], 3, NodeKind::Db);
        check(&[], 4, NodeKind::Message);
        check(&[("http.request.method", "GET")], 2, NodeKind::Http);
        check(&[("ai.operationId", "ai.generateText.doGenerate")], 1, NodeKind::Llm);
        check(&[], 1, NodeKind::Other);
    }
}
