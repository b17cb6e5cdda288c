//! Claude Code's events: <https://code.claude.com/docs/en/monitoring-usage>, and payloads recorded from version 2.1.330.

use super::fields::Fields;
use super::{Call, Decision, Event, Helper, Said, Tool};

pub fn read(name: &str, fields: Fields<'_>) -> Option<Event> {
    let said = match name {
        "user_prompt" => Said::Prompt(fields.owned("prompt").filter(|prompt| prompt != "<REDACTED>")),
        "api_request" | "api_error" => Said::Call(call(name, fields)),
        "tool_result" => Said::Tool(tool(fields)?),
        "tool_decision" => Said::Decision(Decision {
            tool: fields.owned("tool_name")?,
            call_id: fields.owned("tool_use_id"),
            allowed: fields.text("decision") == Some("accept"),
            source: fields.owned("source"),
        }),
        "assistant_response" => {
            Said::Answer(fields.owned("response").filter(|answer| answer != "<REDACTED>")?)
        }
        _ => Said::Other,
    };
    let helper = fields.owned("agent_id").map(|id| Helper {
        id,
        name: fields.owned("agent.name").or_else(|| fields.owned("agent_type")),
        parent: fields.owned("parent_agent_id"),
    });
    Some(Event {
        agent: "claude-code",
        session: fields.owned("session.id")?,
        turn: fields.owned("prompt.id"),
        duration: if matches!(said, Said::Call(_) | Said::Tool(_)) { fields.duration() } else { 0 },
        helper,
        said,
        ..Event::default()
    })
}

fn call(name: &str, fields: Fields<'_>) -> Call {
    let (read, written) = (fields.count("cache_read_tokens"), fields.count("cache_creation_tokens"));
    // Anthropic's input leaves out what was cached.
    let cached = read.unwrap_or(0).saturating_add(written.unwrap_or(0));
    let input = fields.count("input_tokens").map(|input| input.saturating_add(cached));
    Call {
        provider: "anthropic",
        model: fields.owned("model").unwrap_or_default(),
        tokens: [input, fields.count("output_tokens"), read, written, None],
        cost: fields.number("cost_usd"),
        first_token: fields.number("ttft_ms").map(|milliseconds| milliseconds / 1e3),
        failure: (name == "api_error").then(|| fields.failure(&["status_code"], &["error"])),
    }
}

fn tool(fields: Fields<'_>) -> Option<Tool> {
    let failed = fields.truth("success") == Some(false);
    Some(Tool {
        name: fields.owned("tool_name")?,
        call_id: fields.owned("tool_use_id"),
        arguments: fields.owned("tool_input").or_else(|| fields.owned("tool_parameters")),
        result: None,
        failure: failed.then(|| fields.failure(&["error_type"], &["error"])),
    })
}
