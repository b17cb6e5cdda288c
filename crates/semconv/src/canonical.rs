//! Meanings: what a span says, whatever the attribute is called that says it.

use crate::node_kind::Attributes;
use crate::table::{self, Source};
use std::sync::LazyLock;

/// What an attribute says, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    Operation,
    Provider,
    /// The model that answered or, failing that, the one asked for.
    Model,
    /// The model asked for.
    RequestModel,
    Agent,
    Tool,
    ToolCallId,
    Conversation,
    User,
    /// As sent: with or without those that were cached, by convention; see [`crate::usage`].
    InputTokens,
    OutputTokens,
    CachedTokens,
    CacheWriteTokens,
    ReasoningTokens,
    AudioInputTokens,
    AudioOutputTokens,
    /// US dollars, as reported by the sender.
    Cost,
    FinishReasons,
    /// As sent; see [`crate::usage::seconds_to_first_token`].
    TimeToFirstToken,
    ResponseId,
    SystemMessages,
    InputMessages,
    OutputMessages,
    ToolDefinitions,
    ToolArguments,
    ToolResult,
    Workflow,
    WorkflowId,
    Step,
    Policy,
    PolicyDecision,
    Approval,
    DataSource,
    Destination,
    Table,
    Route,
    HttpMethod,
    RpcMethod,
    McpMethod,
}

impl Meaning {
    /// Every meaning, by its number.
    pub const ALL: [Self; 39] = [
        Self::Operation,
        Self::Provider,
        Self::Model,
        Self::RequestModel,
        Self::Agent,
        Self::Tool,
        Self::ToolCallId,
        Self::Conversation,
        Self::User,
        Self::InputTokens,
        Self::OutputTokens,
        Self::CachedTokens,
        Self::CacheWriteTokens,
        Self::ReasoningTokens,
        Self::AudioInputTokens,
        Self::AudioOutputTokens,
        Self::Cost,
        Self::FinishReasons,
        Self::TimeToFirstToken,
        Self::ResponseId,
        Self::SystemMessages,
        Self::InputMessages,
        Self::OutputMessages,
        Self::ToolDefinitions,
        Self::ToolArguments,
        Self::ToolResult,
        Self::Workflow,
        Self::WorkflowId,
        Self::Step,
        Self::Policy,
        Self::PolicyDecision,
        Self::Approval,
        Self::DataSource,
        Self::Destination,
        Self::Table,
        Self::Route,
        Self::HttpMethod,
        Self::RpcMethod,
        Self::McpMethod,
    ];

    /// The canonical attributes that carry it, in the table's names; the first that a span has wins.
    const fn canonical(self) -> &'static [&'static str] {
        match self {
            Self::Operation => &["gen_ai.operation.name"],
            Self::Provider => &["gen_ai.provider.name"],
            Self::Model => &["gen_ai.response.model", "gen_ai.request.model"],
            Self::RequestModel => &["gen_ai.request.model"],
            Self::Agent => &["gen_ai.agent.name", "gen_ai.agent.id"],
            Self::Tool => &["gen_ai.tool.name"],
            Self::ToolCallId => &["gen_ai.tool.call.id"],
            Self::Conversation => &["gen_ai.conversation.id"],
            Self::User => &["user.id"],
            Self::InputTokens => &["gen_ai.usage.input_tokens"],
            Self::OutputTokens => &["gen_ai.usage.output_tokens"],
            Self::CachedTokens => &["gen_ai.usage.cache_read.input_tokens"],
            Self::CacheWriteTokens => &["gen_ai.usage.cache_write.input_tokens"],
            Self::ReasoningTokens => &["gen_ai.usage.reasoning.output_tokens"],
            Self::AudioInputTokens => &["gen_ai.usage.audio.input_tokens"],
            Self::AudioOutputTokens => &["gen_ai.usage.audio.output_tokens"],
            Self::Cost => &["ext.cost.reported"],
            Self::FinishReasons => &["gen_ai.response.finish_reasons"],
            Self::TimeToFirstToken => &["gen_ai.response.time_to_first_chunk"],
            Self::ResponseId => &["gen_ai.response.id"],
            Self::SystemMessages => &["gen_ai.system_instructions"],
            Self::InputMessages => &["gen_ai.input.messages", "ext.input"],
            Self::OutputMessages => &["gen_ai.output.messages", "ext.output"],
            Self::ToolDefinitions => &["gen_ai.tool.definitions"],
            Self::ToolArguments => &["gen_ai.tool.call.arguments"],
            Self::ToolResult => &["gen_ai.tool.call.result"],
            Self::Workflow => &["gen_ai.workflow.name", "ext.workflow.id"],
            Self::WorkflowId => &["ext.workflow.id"],
            Self::Step => &["ext.graph.node.name", "ext.graph.node.id"],
            Self::Policy => &["ext.policy.id", "ext.policy.edge", "ext.policy.rules"],
            Self::PolicyDecision => &["ext.policy.decision"],
            Self::Approval => &["ext.approval.id", "ext.approval.status"],
            Self::DataSource => &["gen_ai.data_source.id", "db.collection.name"],
            Self::Destination => &["messaging.destination.name"],
            Self::Table => &["db.collection.name", "db.namespace"],
            Self::Route => &["http.route", "url.path", "url.full"],
            Self::HttpMethod => &["http.request.method"],
            Self::RpcMethod => &["rpc.method", "rpc.service"],
            Self::McpMethod => &["mcp.method.name"],
        }
    }

    /// Where this meaning may stand, most authoritative first; the first that a span has, and that counts, wins.
    #[must_use]
    pub fn sources(self) -> &'static [&'static Source] {
        SOURCES.get(self as usize).map_or(&[], |spelled| spelled.sources.as_slice())
    }

    /// The attributes that may carry it, in that order.
    #[must_use]
    pub fn keys(self) -> &'static [&'static str] {
        SOURCES.get(self as usize).map_or(&[], |spelled| spelled.keys.as_slice())
    }

    /// The attributes that must be known of a span to ask it for this meaning.
    pub fn needed_keys(self) -> impl Iterator<Item = &'static str> {
        let conditions = self.sources().iter().filter_map(|source| source.condition_key());
        self.keys().iter().copied().chain(conditions)
    }

    /// The attribute of a span that carries it.
    #[must_use]
    pub fn carrier(self, span: &dyn Attributes) -> Option<&'static Source> {
        let mut sources = self.sources().iter().copied();
        sources.find(|source| span.has(source.key) && source.counts(span))
    }
}

struct Spelled {
    sources: Vec<&'static Source>,
    keys: Vec<&'static str>,
}

/// By the number of the meaning.
static SOURCES: LazyLock<Vec<Spelled>> = LazyLock::new(|| Meaning::ALL.into_iter().map(spelled).collect());

fn spelled(meaning: Meaning) -> Spelled {
    let mut spelled = Spelled { sources: Vec::new(), keys: Vec::new() };
    for canonical in meaning.canonical() {
        let sources = table::sources(canonical);
        // What the table has no row for is spelled one way.
        if sources.is_empty() {
            spelled.keys.push(canonical);
            spelled.sources.push(Box::leak(Box::new(Source::own(canonical))));
        }
        for source in sources {
            spelled.sources.push(source);
            if !spelled.keys.contains(&source.key) {
                spelled.keys.push(source.key);
            }
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::Meaning;

    #[test]
    fn numbered_as_listed() {
        for (number, meaning) in Meaning::ALL.into_iter().enumerate() {
            assert_eq!(meaning as usize, number, "{meaning:?}");
            assert!(!meaning.keys().is_empty(), "{meaning:?}");
        }
    }
}
