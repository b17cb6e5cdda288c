//! Codex's events: the section on OpenTelemetry of its configuration's documentation, and payloads recorded from version
//! 0.169.0. It has no id of a turn; what it used comes with the end of the stream of an answer.

use super::fields::Fields;
use super::{Call, Decision, Event, Said, Tool};

pub fn read(name: &str, fields: Fields<'_>) -> Option<Event> {
    let (mut duration, mut said) = (0, Said::Other);
    match name {
        "user_prompt" => said = Said::Prompt(fields.owned("prompt").filter(|prompt| prompt != "[REDACTED]")),
        "api_request" | "websocket_request" => {
            duration = fields.duration();
            let failed = fields.text("error.message").is_some()
                || fields.count("http.response.status_code").is_some_and(|status| status >= 400);
            said = if failed { Said::Call(call(fields, true)) } else { Said::Asked };
        }
        // Of two that tell of the end, the first has no counts.
        "sse_event"
            if fields.text("event.kind") == Some("response.completed")
                && fields.count("input_token_count").is_some() =>
        {
            said = Said::Call(call(fields, false));
        }
        "sse_event" if fields.text("event.kind") == Some("response.failed") => {
            said = Said::Call(call(fields, true));
        }
        "tool_result" => {
            duration = fields.duration();
            said = Said::Tool(tool(fields)?);
        }
        "tool_decision" => {
            said = Said::Decision(Decision {
                tool: fields.owned("tool_name")?,
                call_id: fields.owned("call_id"),
                allowed: fields.text("decision").is_some_and(|decision| decision.starts_with("approved")),
                source: fields.owned("source"),
            });
        }
        _ => {}
    }
    Some(Event {
        agent: "codex",
        session: fields.owned("conversation.id")?,
        duration,
        said,
        ..Event::default()
    })
}

fn call(fields: Fields<'_>, failed: bool) -> Call {
    Call {
        provider: "openai",
        model: fields.owned("model").unwrap_or_default(),
        tokens: [
            fields.count("input_token_count"),
            fields.count("output_token_count"),
            fields.count("cached_token_count"),
            fields.count("cache_write_token_count"),
            fields.count("reasoning_token_count"),
        ],
        cost: None,
        first_token: fields.number("ttft_ms").map(|milliseconds| milliseconds / 1e3),
        failure: failed.then(|| fields.failure(&["http.response.status_code"], &["error.message"])),
    }
}

fn tool(fields: Fields<'_>) -> Option<Tool> {
    let failed = fields.truth("success") == Some(false);
    Some(Tool {
        name: fields.owned("tool_name")?,
        call_id: fields.owned("call_id"),
        arguments: fields.owned("arguments"),
        result: fields.owned("output"),
        failure: failed.then(|| fields.failure(&["error.type"], &["output"])),
    })
}
