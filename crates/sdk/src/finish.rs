//! Why an answer of a model ended, in the conventions' words.

use serde_json::Value;

/// Why each answer ended, as far as any interface of a provider says it: chat completions, messages, responses, and those of
/// Gemini and Ollama.
pub(crate) fn reasons(answer: &Value) -> Vec<String> {
    let of = |list: &str, key: &str| -> Vec<String> {
        let answers = answer[list].as_array().into_iter().flatten();
        answers.filter_map(|answer| word(answer[key].as_str()?)).collect()
    };
    if answer["choices"].is_array() {
        return of("choices", "finish_reason");
    }
    if answer["candidates"].is_array() {
        return of("candidates", "finishReason");
    }
    let alone = ["stop_reason", "done_reason"].into_iter().find_map(|key| answer[key].as_str());
    alone.and_then(word).or_else(|| status(answer)).into_iter().collect()
}

/// The conventions' word for a provider's.
pub(crate) fn word(word: &str) -> Option<String> {
    Some(match word {
        "" => return None,
        "tool_calls" | "function_call" | "tool_use" => "tool_call".to_owned(),
        "end_turn" | "stop_sequence" => "stop".to_owned(),
        "max_tokens" | "max_output_tokens" | "model_context_window_exceeded" | "MAX_TOKENS" => {
            "length".to_owned()
        }
        "refusal" | "SAFETY" => "content_filter".to_owned(),
        // Gemini shouts.
        other => other.to_ascii_lowercase(),
    })
}

/// What the status of a response says; nothing while it goes on.
fn status(answer: &Value) -> Option<String> {
    let mut items = answer["output"].as_array()?.iter();
    match answer["status"].as_str()? {
        "completed" if items.any(is_call) => word("tool_use"),
        "completed" => word("end_turn"),
        "incomplete" => answer["incomplete_details"]["reason"].as_str().and_then(word),
        "failed" => word("error"),
        "cancelled" => word("cancelled"),
        _ => None,
    }
}

fn is_call(item: &Value) -> bool {
    matches!(item["type"].as_str(), Some("function_call" | "custom_tool_call"))
}

#[cfg(test)]
mod tests {
    use super::reasons;
    use serde_json::json;

    #[test]
    fn all_providers_say_why_they_end() {
        let call = json!([{ "type": "function_call" }]);
        for (answer, expected) in [
            (
                json!({ "choices": [{ "finish_reason": "stop" }, { "finish_reason": "tool_calls" }] }),
                "stop tool_call",
            ),
            (json!({ "choices": [{ "finish_reason": null }] }), ""),
            (
                json!({ "candidates": [{ "finishReason": "MAX_TOKENS" }, { "finishReason": "STOP" }] }),
                "length stop",
            ),
            (json!({ "stop_reason": "tool_use" }), "tool_call"),
            (json!({ "stop_reason": "refusal" }), "content_filter"),
            (json!({ "done_reason": "stop" }), "stop"),
            (json!({ "status": "completed", "output": [] }), "stop"),
            (json!({ "status": "completed", "output": call }), "tool_call"),
            (
                json!({ "status": "incomplete", "output": [], "incomplete_details": { "reason": "max_output_tokens" } }),
                "length",
            ),
            (json!({ "status": "failed", "output": [] }), "error"),
            (json!({ "status": "in_progress", "output": [] }), ""),
            (json!("no object"), ""),
        ] {
            assert_eq!(reasons(&answer).join(" "), expected, "{answer}");
        }
    }
}
