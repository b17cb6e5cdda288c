//! Gemini CLI's events: the telemetry page of its documentation, and payloads recorded from version 0.61.0.

use super::fields::Fields;
use super::{Call, Decision, Event, Said, Tool};

pub fn read(name: &str, fields: Fields<'_>) -> Option<Event> {
    let said = match name {
        "user_prompt" => Said::Prompt(fields.owned("prompt")),
        "api_request" => Said::Asked,
        "api_response" | "api_error" => Said::Call(call(name, fields)),
        "tool_call" if fields.text("decision") == Some("reject") => Said::Decision(Decision {
            tool: fields.owned("function_name")?,
            source: Some("user".to_owned()),
            ..Decision::default()
        }),
        "tool_call" => Said::Tool(tool(fields)?),
        _ => Said::Other,
    };
    let session = fields.owned("session.id")?;
    // A prompt's own id has the session's before it, and a number.
    let turn = fields.owned("prompt_id").filter(|turn| *turn != session);
    let duration = if matches!(said, Said::Call(_) | Said::Tool(_)) { fields.duration() } else { 0 };
    Some(Event { agent: "gemini-cli", session, turn, duration, said, ..Event::default() })
}

fn call(name: &str, fields: Fields<'_>) -> Call {
    // Thoughts are beside the output here.
    let thoughts = fields.count("thoughts_token_count");
    let output = fields.count("output_token_count");
    Call {
        provider: "gcp.gemini",
        model: fields.owned("model").unwrap_or_default(),
        tokens: [
            fields.count("input_token_count"),
            output.map(|output| output.saturating_add(thoughts.unwrap_or(0))),
            fields.count("cached_content_token_count"),
            None,
            thoughts,
        ],
        cost: None,
        first_token: None,
        failure: (name == "api_error").then(|| {
            fields.failure(&["error.type", "error_type", "status_code"], &["error.message", "error"])
        }),
    }
}

fn tool(fields: Fields<'_>) -> Option<Tool> {
    let failed = fields.truth("success") == Some(false);
    Some(Tool {
        name: fields.owned("function_name")?,
        call_id: None,
        arguments: fields.owned("function_args"),
        result: None,
        failure: failed.then(|| fields.failure(&["error.type", "error_type"], &["error.message", "error"])),
    })
}
