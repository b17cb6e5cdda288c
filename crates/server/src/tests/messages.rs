//! Messages of every convention in one form.

use super::fake::{span, text};
use super::{TRACE, get};
use model::span::Event;
use model::{Attribute, Span, Value};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value as Json, json};

async fn generation(span: Span) -> Json {
    get(&[span], &format!("/api/v1/traces/{TRACE}/spans/1")).await.json()["gen"].clone()
}

/// Checks one of the `messages` of a span with these attributes.
async fn check(attributes: &[(&str, Value)], field: &str, expect: Json) {
    let found = generation(span(1, attributes)).await;
    assert_eq!(found["messages"][field], expect, "{attributes:?}");
}

fn said(role: &str, content: &str) -> Json {
    json!([{"role": role, "parts": [{"type": "text", "content": content}]}])
}

#[tokio::test]
async fn opentelemetry_is_left_as_it_is() {
    let own = r#"[{"role":"user","parts":[{"type":"text","content":"hi","extra":1}],"name":"Ann"}]"#;
    let expect: Json = serde_json::from_str(own).unwrap();
    check(&[("gen_ai.input.messages", text(own)), ("input.value", text("no"))], "input", expect.clone())
        .await;
    let map = |pairs: Vec<(&str, Value)>| {
        Value::Map(pairs.into_iter().map(|(key, value)| Attribute::new(key, value)).collect())
    };
    let part = map(vec![("type", text("text")), ("content", text("hi")), ("extra", Value::Int(1))]);
    let message =
        map(vec![("role", text("user")), ("parts", Value::Array(vec![part])), ("name", text("Ann"))]);
    check(&[("gen_ai.input.messages", Value::Array(vec![message]))], "input", expect).await;
    let system = json!([{"type": "text", "content": "be kind"}]);
    check(&[("gen_ai.system_instructions", text(&system.to_string()))], "system", system.clone()).await;
    check(&[("gen_ai.system_instructions", text("be kind"))], "system", system).await;
}

#[tokio::test]
async fn numbered_attributes_become_messages() {
    let openinference = [
        ("llm.input_messages.0.message.role", text("user")),
        ("llm.input_messages.0.message.contents.0.message_content.type", text("text")),
        ("llm.input_messages.0.message.contents.0.message_content.text", text("look")),
        ("llm.input_messages.0.message.contents.1.message_content.type", text("image")),
        (
            "llm.input_messages.0.message.contents.1.message_content.image.image.url",
            text("https://x.example/a.png"),
        ),
        ("llm.input_messages.10.message.role", text("tool")),
        ("llm.input_messages.10.message.content", text("7")),
        ("llm.input_messages.10.message.tool_call_id", text("c1")),
        ("llm.input_messages.2.message.role", text("assistant")),
        ("llm.input_messages.2.message.tool_calls.0.tool_call.id", text("c1")),
        ("llm.input_messages.2.message.tool_calls.0.tool_call.function.name", text("add")),
        (
            "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments",
            text(r#"{"b":3,"a":9007199254740993}"#),
        ),
        ("input.value", text("ignored")),
    ];
    let expect = json!([
        {"role": "user", "parts": [{"type": "text", "content": "look"}, {"type": "uri", "modality": "image", "uri": "https://x.example/a.png"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "add", "arguments": {"b": 3, "a": "9007199254740993"}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "7"}]},
    ]);
    check(&openinference, "input", expect).await;
    let openllmetry = [
        ("gen_ai.completion.0.role", text("assistant")),
        ("gen_ai.completion.0.content", text("well")),
        ("gen_ai.completion.0.finish_reason", text("stop")),
        ("gen_ai.completion.0.tool_calls.0.name", text("add")),
        ("gen_ai.completion.0.tool_calls.0.arguments", text("not json")),
    ];
    let parts = json!([{"type": "text", "content": "well"}, {"type": "tool_call", "id": null, "name": "add", "arguments": "not json"}]);
    check(&openllmetry, "output", json!([{"role": "assistant", "parts": parts, "finish_reason": "stop"}]))
        .await;
}

#[tokio::test]
async fn plain_content_becomes_one_message() {
    check(&[("input.value", text("hello"))], "input", said("user", "hello")).await;
    check(&[("output.value", text("42"))], "output", said("assistant", "42")).await;
    check(&[("output.value", text("[broken"))], "output", said("assistant", "[broken")).await;
    check(&[("input.value", text(r#"{"question":"why"}"#))], "input", said("user", r#"{"question":"why"}"#))
        .await;
    check(&[("input.value", text(r#"["a"]"#))], "input", said("user", "a")).await;
    let chat = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
    check(&[("input.value", text(chat))], "input", said("user", "hi")).await;
    let chain = r#"{"messages":[[{"lc":1,"kwargs":{"content":"hi","type":"human"}}]]}"#;
    check(&[("input.value", text(chain))], "input", said("user", "hi")).await;
    check(&[], "input", Json::Null).await;
}

#[tokio::test]
async fn provider_parts_become_ours() {
    let anthropic = r#"[{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"tool_use","id":"t","name":"add","input":{"a":1}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"1"}]}]"#;
    let expect = json!([
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, {"type": "tool_call", "id": "t", "name": "add", "arguments": {"a": 1}}]},
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "t", "response": "1"}]},
    ]);
    check(&[("gen_ai.prompt", text(anthropic))], "input", expect).await;
    let calls = r#"[{"toolCallId":"t","toolName":"add","args":"{\"a\":1}"}]"#;
    let call = json!({"type": "tool_call", "id": "t", "name": "add", "arguments": {"a": 1}});
    let both = [("ai.response.text", text("so")), ("ai.response.toolCalls", text(calls))];
    let expect = json!([{"role": "assistant", "parts": [{"type": "text", "content": "so"}, call]}]);
    check(&both, "output", expect).await;
    check(&both[1..], "output", json!([{"role": "assistant", "parts": [call]}])).await;
}

#[tokio::test]
async fn events_become_messages() {
    let event = |name: &str, attributes: &[(&str, &str)]| Event {
        name: name.to_owned(),
        attributes: attributes.iter().map(|(key, value)| Attribute::new(*key, text(value))).collect(),
        ..Event::default()
    };
    let mut asked = span(1, &[]);
    asked.events = vec![
        event("gen_ai.system.message", &[("content", "be kind")]),
        event("gen_ai.user.message", &[("content", "hi")]),
        event("gen_ai.tool.message", &[("content", "7"), ("id", "c1")]),
        event("gen_ai.choice", &[("finish_reason", "stop"), ("message", r#"{"content":"yes"}"#)]),
        event("exception", &[("content", "no")]),
    ];
    let found = generation(asked).await;
    let input = json!([
        {"role": "system", "parts": [{"type": "text", "content": "be kind"}]},
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "7"}]},
    ]);
    assert_eq!(found["messages"]["input"], input);
    let output = json!([{"finish_reason": "stop", "role": "assistant", "parts": [{"type": "text", "content": "yes"}]}]);
    assert_eq!(found["messages"]["output"], output);
}

#[tokio::test]
async fn tools_have_arguments_and_results() {
    let tool = |key| [("gen_ai.operation.name", text("execute_tool")), (key, text(r#"{"z":1,"a":[2]}"#))];
    check(&tool("gen_ai.tool.call.arguments"), "toolArguments", json!({"z": 1, "a": [2]})).await;
    check(&tool("input.value"), "toolArguments", json!({"z": 1, "a": [2]})).await;
    check(&tool("input.value"), "input", Json::Null).await;
    check(&[("tool.result", text("fine"))], "toolResult", json!("fine")).await;
    let answer = get(&[span(1, &tool("tool.arguments"))], &format!("/api/v1/traces/{TRACE}/spans/1")).await;
    assert!(answer.text().contains(r#""toolArguments":{"z":1,"a":[2]}"#), "in the order sent");
}

#[tokio::test]
async fn long_content_is_fetched_on_its_own() {
    let long = "x".repeat(300_000);
    let cut = |field: &str, length: usize| json!({"truncated": true, "length": length, "field": field});
    check(&[("gen_ai.input.messages", text(&long))], "input", cut("gen_ai.input.messages", 300_000)).await;
    check(&[("tool.result", Value::Array(vec![text(&long)]))], "toolResult", cut("tool.result", 300_000))
        .await;
    let numbered = [("gen_ai.prompt.0.content", text(&long))];
    let found = generation(span(1, &numbered)).await["messages"]["input"].clone();
    assert_eq!((&found["truncated"], &found["field"]), (&json!(true), &json!("messages.input")));
    let whole =
        get(&[span(1, &numbered)], &format!("/api/v1/traces/{TRACE}/spans/1/body/messages.input")).await;
    assert_eq!(whole.json()[0]["parts"][0]["content"], long);
}

#[tokio::test]
async fn figures_are_read_whatever_their_type() {
    let found = generation(span(
        1,
        &[
            ("gen_ai.operation.name", text("chat")),
            ("gen_ai.request.model", text("gpt-4o")),
            ("gen_ai.usage.input_tokens", text("many")),
            ("gen_ai.usage.prompt_tokens", text("12")),
            ("gen_ai.usage.output_tokens", Value::Double(3.0)),
            ("gen_ai.usage.cost", Value::Double(f64::NAN)),
            ("gen_ai.response.finish_reasons", text(r#"["stop"]"#)),
            ("gen_ai.response.time_to_first_chunk", Value::Double(0.25)),
        ],
    ))
    .await;
    for (key, expect) in [
        ("operation", json!("chat")),
        ("model", json!("gpt-4o")),
        ("inputTokens", json!("12")),
        ("outputTokens", json!("3")),
        ("cachedTokens", Json::Null),
        ("cost", json!("NaN")),
        ("finishReasons", json!(["stop"])),
        ("timeToFirstTokenMs", json!(250.0)),
    ] {
        assert_eq!(found[key], expect, "{key}");
    }
}

#[tokio::test]
async fn hostile_content_is_answered() {
    let deep = "[".repeat(100_000);
    check(&[("input.value", text(&deep))], "input", said("user", &deep)).await;
    for content in [
        "",
        " ",
        "null",
        "[]",
        "[null]",
        "{}",
        "[[]]",
        "[[null]]",
        r#"[{"content":[null]}]"#,
        r#"{"lc":1,"kwargs":1}"#,
        "\u{0}\u{202e}",
    ] {
        for key in [
            "input.value",
            "output.value",
            "gen_ai.tool.definitions",
            "gen_ai.system_instructions",
            "ai.response.toolCalls",
        ] {
            generation(span(1, &[(key, text(content))])).await;
        }
    }
    for key in [
        "llm.input_messages.",
        "llm.input_messages..",
        "llm.input_messages.99999999999999999999.x",
        "gen_ai.prompt.0.tool_calls.x",
        "gen_ai.prompt.0.",
    ] {
        generation(span(1, &[(key, text("x"))])).await;
    }
}

/// JSON of any shape, made of what messages are made of.
fn anything() -> impl Strategy<Value = Json> {
    let words = prop_oneof![
        Just("user"),
        Just("assistant"),
        Just("tool"),
        Just("model"),
        Just("text"),
        Just("tool_call"),
        Just("tool_use"),
        Just("tool_call_response"),
        Just("tool_result"),
        Just("thinking"),
        Just("hi"),
        Just(""),
    ];
    let leaf = prop_oneof![
        words.prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<bool>().prop_map(Json::from),
        Just(Json::Null)
    ];
    let keys = prop_oneof![
        Just("role"),
        Just("type"),
        Just("parts"),
        Just("content"),
        Just("text"),
        Just("messages"),
        Just("kwargs"),
        Just("lc"),
        Just("tool_calls"),
        Just("tool_call_id"),
        Just("function"),
        Just("functionCall"),
        Just("name"),
        Just("arguments"),
        Just("id"),
        Just("result"),
        Just("input"),
        Just("thinking"),
        Just("args"),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::hash_map(keys.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    /// What is in our form stays as it is, and nothing panics.
    #[test]
    fn one_form_is_reached_at_once(content in anything()) {
        let once = crate::api::messages::parts::messages(content.clone(), "user");
        let twice = crate::api::messages::parts::messages(once.clone(), "user");
        prop_assert_eq!(once, twice, "{}", content);
    }
}
