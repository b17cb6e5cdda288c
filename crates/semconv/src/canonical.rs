//! Meanings, and the attribute names that carry them, most authoritative first.
//! Source: the OpenTelemetry GenAI semantic conventions, OpenInference, OpenLLMetry, Vercel AI SDK.

/// What an attribute says, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    Operation,
    Provider,
    /// The model that answered or, failing that, the one asked for.
    Model,
    Agent,
    Tool,
    ToolCallId,
    Conversation,
    User,
    InputTokens,
    OutputTokens,
    CachedTokens,
    /// US dollars.
    Cost,
    FinishReasons,
    /// Seconds.
    TimeToFirstToken,
    SystemMessages,
    InputMessages,
    OutputMessages,
    ToolDefinitions,
    ToolArguments,
    ToolResult,
    Workflow,
    Policy,
    PolicyDecision,
    DataSource,
    Destination,
    Table,
    Route,
    HttpMethod,
    RpcMethod,
}

impl Meaning {
    /// The attribute names that carry this meaning; the first that a span has wins.
    #[must_use]
    pub const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Operation => &["gen_ai.operation.name", "llm.request.type", "ai.operationId"],
            Self::Provider => &[
                "gen_ai.provider.name",
                "gen_ai.system",
                "llm.provider",
                "llm.system",
                "model.provider",
                "ai.model.provider",
            ],
            Self::Model => &[
                "gen_ai.response.model",
                "gen_ai.request.model",
                "llm.model_name",
                "llm.model",
                "embedding.model_name",
                "model.name",
                "ai.model.id",
            ],
            Self::Agent => &["gen_ai.agent.name", "agent.name", "gen_ai.agent.id", "agent.id"],
            Self::Tool => &["gen_ai.tool.name", "tool.name", "ai.toolCall.name", "mcp.tool.name"],
            Self::ToolCallId => &["gen_ai.tool.call.id", "tool_call.id", "ai.toolCall.id"],
            Self::Conversation => &["gen_ai.conversation.id", "session.id", "conversation.id"],
            Self::User => &["user.id", "enduser.id"],
            Self::InputTokens => &[
                "gen_ai.usage.input_tokens",
                "gen_ai.usage.prompt_tokens",
                "llm.token_count.prompt",
                "llm.usage.prompt_tokens",
                "model.tokens_input",
                "ai.usage.promptTokens",
            ],
            Self::OutputTokens => &[
                "gen_ai.usage.output_tokens",
                "gen_ai.usage.completion_tokens",
                "llm.token_count.completion",
                "llm.usage.completion_tokens",
                "model.tokens_output",
                "ai.usage.completionTokens",
            ],
            Self::CachedTokens => &[
                "gen_ai.usage.cache_read.input_tokens",
                "gen_ai.usage.cache_read_input_tokens",
                "llm.token_count.prompt_details.cache_read",
            ],
            Self::Cost => {
                &["gen_ai.usage.cost", "llm.cost.total", "model.cost_usd", "operation.cost", "cost_usd"]
            }
            Self::FinishReasons => &["gen_ai.response.finish_reasons", "gen_ai.response.finish_reason"],
            Self::TimeToFirstToken => &["gen_ai.response.time_to_first_chunk"],
            Self::SystemMessages => &["gen_ai.system_instructions"],
            Self::InputMessages => {
                &["gen_ai.input.messages", "input.value", "gen_ai.prompt", "ai.prompt.messages"]
            }
            Self::OutputMessages => {
                &["gen_ai.output.messages", "output.value", "gen_ai.completion", "ai.response.text"]
            }
            Self::ToolDefinitions => &["gen_ai.tool.definitions"],
            Self::ToolArguments => {
                &["gen_ai.tool.call.arguments", "tool.arguments", "tool.parameters", "ai.toolCall.args"]
            }
            Self::ToolResult => {
                &["gen_ai.tool.call.result", "tool.result", "tool.output", "ai.toolCall.result"]
            }
            Self::Workflow => &["gen_ai.workflow.name", "workflow.name", "workflow.id"],
            Self::Policy => &["policy.id", "policy.name", "gen_ai.guardrail.name"],
            Self::PolicyDecision => &["policy.decision"],
            Self::DataSource => &["gen_ai.data_source.id", "db.collection.name"],
            Self::Destination => &["messaging.destination.name", "messaging.destination"],
            Self::Table => &["db.collection.name", "db.sql.table", "db.namespace", "db.name"],
            Self::Route => &["http.route", "url.path", "http.target", "url.full", "http.url"],
            Self::HttpMethod => &["http.request.method", "http.method"],
            Self::RpcMethod => &["rpc.method", "rpc.service"],
        }
    }
}
