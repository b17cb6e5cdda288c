//! Responses and embeddings: what a call tells, as it arrives.

use crate::agents::shown;
use crate::models::{Seen, said};
use crate::provider::Answer;
use clew_sdk::serde_json::{Value, from_slice, json};
use clew_sdk::{Content, openai};
use opentelemetry_proto::tonic::trace::v1::Span;

fn question() -> Value {
    json!({
        "model": "gpt-5", "max_output_tokens": 300, "temperature": 1.0, "reasoning": { "effort": "low" },
        "instructions": "be brief", "previous_response_id": "resp_0", "conversation": { "id": "conv_1" },
        "text": { "format": { "type": "json_schema", "name": "weather", "schema": {} } }, "service_tier": "flex",
        "input": [
            { "role": "user", "content": [
                { "type": "input_text", "text": "the weather here?" },
                { "type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low" },
                { "type": "input_file", "file_id": "file_1" },
            ] },
            { "type": "reasoning", "id": "rs_0", "summary": [{ "type": "summary_text", "text": "where?" }], "encrypted_content": "xyz" },
            { "type": "function_call", "id": "fc_0", "call_id": "call_0", "name": "where", "arguments": "{\"who\":\"me\"}" },
            { "type": "function_call_output", "call_id": "call_0", "output": "Paris" },
        ],
        "tools": [{ "type": "function", "name": "where", "parameters": {} }],
    })
}

fn output() -> Vec<Value> {
    vec![
        json!({ "id": "rs_1", "type": "reasoning", "summary": [{ "type": "summary_text", "text": "Paris, then." }] }),
        json!({ "id": "ws_1", "type": "web_search_call", "status": "completed", "action": { "type": "search", "query": "weather" } }),
        json!({ "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [{ "type": "output_text", "text": "I look: Grüße", "annotations": [] }] }),
        json!({ "id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "get_weather", "status": "completed",
            "arguments": "{\"city\":\"Paris\"}" }),
    ]
}

fn response(status: &str, output: &[Value]) -> Value {
    let usage = json!({
        "input_tokens": 1200, "input_tokens_details": { "cached_tokens": 1024 },
        "output_tokens": 40, "output_tokens_details": { "reasoning_tokens": 16 }, "total_tokens": 1240,
    });
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_764_000_000, "status": status, "error": null,
        "incomplete_details": null, "model": "gpt-5-2025-08-07", "output": output, "service_tier": "flex",
        "conversation": { "id": "conv_1" }, "usage": if status == "in_progress" { Value::Null } else { usage },
    })
}

fn lines(events: &[Value]) -> String {
    let numbered = events.iter().enumerate().map(|(number, event)| {
        let mut event = event.clone();
        event["sequence_number"] = number.into();
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
    });
    numbered.collect()
}

/// The answer as it is made, but for how it ends.
fn begun() -> Vec<Value> {
    let [thought, search, message, call] = <[Value; 4]>::try_from(output()).unwrap();
    let added = |place: u8, item: Value| json!({ "type": "response.output_item.added", "output_index": place, "item": item });
    let done = |place: u8, item: &Value| json!({ "type": "response.output_item.done", "output_index": place, "item": item });
    let text = |piece: &str| json!({ "type": "response.output_text.delta", "item_id": "msg_1", "output_index": 2, "content_index": 0, "delta": piece });
    vec![
        json!({ "type": "response.created", "response": response("in_progress", &[]) }),
        json!({ "type": "response.in_progress", "response": response("in_progress", &[]) }),
        added(0, json!({ "id": "rs_1", "type": "reasoning", "summary": [] })),
        json!({ "type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0 }),
        json!({ "type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "Paris, then." }),
        done(0, &thought),
        added(1, json!({ "id": "ws_1", "type": "web_search_call", "status": "in_progress" })),
        json!({ "type": "response.web_search_call.searching", "output_index": 1, "item_id": "ws_1" }),
        done(1, &search),
        added(
            2,
            json!({ "id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": [] }),
        ),
        text("I look: "),
        text("Grüße"),
        done(2, &message),
        added(
            3,
            json!({ "id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "" }),
        ),
        json!({ "type": "response.function_call_arguments.delta", "output_index": 3, "delta": "{\"city\":" }),
        json!({ "type": "response.function_call_arguments.delta", "output_index": 3, "delta": "\"Paris\"}" }),
        done(3, &call),
    ]
}

fn streamed(last: Value) -> String {
    lines(&[begun(), vec![last]].concat())
}

fn calls(seen: &Seen) -> Vec<&Span> {
    let mut calls: Vec<_> = seen.spans.iter().filter(|span| span.name == "chat gpt-5").collect();
    calls.sort_by_key(|span| span.start_time_unix_nano);
    calls
}

fn client(base: &str) -> openai::Client {
    openai::Client::new(reqwest::Client::new(), base).key("hunter2").attempts(1)
}

#[test]
fn responses_are_the_same_call_streamed_or_not() {
    let whole = response("completed", &output());
    let completed = streamed(json!({ "type": "response.completed", "response": whole }));
    let answers =
        vec![Answer::json("200 OK", &whole), Answer::events(&completed), Answer::events(&completed)];
    let seen = Seen::while_asked(answers, Content::On, async |base| {
        assert_eq!(client(&base).responses(&question()).await.unwrap(), response("completed", &output()));
        let mut stream = client(&base).responses_stream(&question()).await.unwrap();
        let mut text = String::new();
        while let Some(event) = stream.next().await.unwrap() {
            if event["type"] == "response.output_text.delta" {
                text.push_str(event["delta"].as_str().unwrap());
            }
        }
        assert_eq!(text, "I look: Grüße");
        let own = client(&base).conversation("talk-1");
        let whole = own.responses_stream(&question()).await.unwrap().whole().await.unwrap();
        assert_eq!(whole, response("completed", &output()));
    });
    let calls = calls(&seen);
    assert_eq!(calls.len(), 3);
    for (call, conversation) in calls.iter().zip(["conv_1", "conv_1", "talk-1"]) {
        for (key, value) in [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("openai.api.type", "responses"),
            ("gen_ai.conversation.id", conversation),
            ("gen_ai.request.max_tokens", "300"),
            ("gen_ai.request.reasoning.level", "low"),
            ("gen_ai.request.previous_response.id", "resp_0"),
            ("gen_ai.output.type", "json"),
            ("openai.request.service_tier", "flex"),
            ("openai.response.service_tier", "flex"),
            ("gen_ai.response.id", "resp_1"),
            ("gen_ai.response.model", "gpt-5-2025-08-07"),
            ("gen_ai.response.finish_reasons", "[tool_call]"),
            ("gen_ai.usage.input_tokens", "1200"),
            ("gen_ai.usage.cache_read.input_tokens", "1024"),
            ("gen_ai.usage.output_tokens", "40"),
            ("gen_ai.usage.reasoning.output_tokens", "16"),
        ] {
            assert_eq!(shown(&call.attributes, key).as_deref(), Some(value), "{key}");
        }
        assert_eq!(seen.requests(call).len(), 1);
        told(call);
    }
    let streams = calls.iter().map(|call| shown(&call.attributes, "gen_ai.response.time_to_first_chunk"));
    assert_eq!(streams.map(|first| first.is_some()).collect::<Vec<_>>(), [false, true, true]);
    assert!(seen.asked.iter().all(|request| request.path == "/v1/responses"));
    assert_eq!(from_slice::<Value>(&seen.asked[1].body).unwrap()["stream"], true);
}

/// What was said, in the conventions' form.
fn told(call: &Span) {
    assert_eq!(said(call, "gen_ai.system_instructions")[0]["content"], "be brief");
    assert_eq!(said(call, "gen_ai.tool.definitions")[0]["name"], "where");
    let input = said(call, "gen_ai.input.messages");
    let roles: Vec<_> = input.as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "assistant", "tool"]);
    assert_eq!(input[0]["parts"][0], json!({ "type": "text", "content": "the weather here?" }));
    assert_eq!(input[0]["parts"][1]["mime_type"], "image/png");
    assert_eq!(input[0]["parts"][2], json!({ "type": "file", "modality": "document", "file_id": "file_1" }));
    assert_eq!(input[1]["parts"], json!([{ "type": "reasoning", "content": "where?" }]));
    assert_eq!(input[2]["parts"][0]["arguments"], json!({ "who": "me" }));
    assert_eq!(
        input[3]["parts"],
        json!([{ "type": "tool_call_response", "id": "call_0", "response": "Paris" }])
    );
    let output = said(call, "gen_ai.output.messages");
    assert_eq!((&output[0]["role"], &output[0]["finish_reason"]), (&json!("assistant"), &json!("tool_call")));
    let parts = &output[0]["parts"];
    assert_eq!(parts[0], json!({ "type": "reasoning", "content": "Paris, then." }));
    assert_eq!(
        (&parts[1]["type"], &parts[1]["name"]),
        (&json!("server_tool_call"), &json!("web_search_call"))
    );
    assert_eq!(parts[2], json!({ "type": "text", "content": "I look: Grüße" }));
    assert_eq!((&parts[3]["id"], &parts[3]["arguments"]), (&json!("call_1"), &json!({ "city": "Paris" })));
}

#[test]
fn a_response_that_ends_too_early_says_why() {
    let mut cut = response("incomplete", &output()[..1]);
    cut["incomplete_details"] = json!({ "reason": "max_output_tokens" });
    let mut filtered = cut.clone();
    filtered["incomplete_details"] = json!({ "reason": "content_filter" });
    let answers = vec![
        Answer::json("200 OK", &cut),
        Answer::events(&streamed(json!({ "type": "response.incomplete", "response": filtered }))),
        Answer::json("200 OK", &response("completed", &output()[..3])),
    ];
    let seen = Seen::while_asked(answers, Content::Off, async |base| {
        assert_eq!(
            client(&base).responses(&json!({ "model": "gpt-5", "input": "hush" })).await.unwrap(),
            cut
        );
        let request = json!({ "model": "gpt-5", "input": "hush", "conversation": "conv_2" });
        let stream = client(&base).responses_stream(&request).await.unwrap();
        assert_eq!(stream.whole().await.unwrap(), filtered);
        client(&base).responses(&request).await.unwrap();
    });
    let calls = calls(&seen);
    for (call, (reason, conversation)) in calls.iter().zip([
        ("[length]", None),
        ("[content_filter]", Some("conv_2")),
        ("[stop]", Some("conv_2")),
    ]) {
        assert_eq!(shown(&call.attributes, "gen_ai.response.finish_reasons").as_deref(), Some(reason));
        assert_eq!(shown(&call.attributes, "gen_ai.conversation.id").as_deref(), conversation);
        assert_eq!(call.status.clone().unwrap_or_default().code, 0);
    }
    assert!(!format!("{:?}", seen.spans).contains("hush"));
}

#[test]
fn responses_that_fail_tell_why() {
    let mut failed = response("failed", &[]);
    failed["error"] = json!({ "code": "server_error", "message": "The model failed." });
    let last = json!({ "type": "response.failed", "response": failed });
    let error =
        json!({ "type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": null });
    let refused = json!({ "error": { "type": "invalid_request_error", "code": "previous_response_not_found", "message": "no resp_0" } });
    let answers = vec![
        Answer::json("400 Bad Request", &refused),
        Answer::json("200 OK", &failed),
        Answer::events(&streamed(last)),
        Answer::events(&lines(&[begun(), vec![error]].concat())),
        Answer::events(&lines(&begun()[..11])),
        Answer::events(&lines(&begun()[..15])).breaking(),
    ];
    let expected = [
        "previous_response_not_found",
        "server_error",
        "server_error",
        "rate_limit_exceeded",
        "broken_off",
        "unreachable",
    ];
    let seen = Seen::while_asked(answers, Content::On, async |base| {
        let request = json!({ "model": "gpt-5", "input": "hello" });
        for kind in &expected[..2] {
            assert_eq!(client(&base).responses(&request).await.unwrap_err().kind(), *kind);
        }
        for kind in &expected[2..] {
            let stream = client(&base).responses_stream(&request).await.unwrap();
            assert_eq!(stream.whole().await.unwrap_err().kind(), *kind);
        }
    });
    let calls = calls(&seen);
    let kinds: Vec<_> = calls.iter().map(|call| shown(&call.attributes, "error.type").unwrap()).collect();
    assert_eq!(kinds, expected);
    assert!(calls.iter().all(|call| call.status.as_ref().unwrap().code == 2));
    // What came until then is told: which answer, its tokens where it said, and what was said.
    for call in &calls[1..] {
        assert_eq!(shown(&call.attributes, "gen_ai.response.id").as_deref(), Some("resp_1"));
    }
    assert_eq!(shown(&calls[2].attributes, "gen_ai.usage.output_tokens").as_deref(), Some("40"));
    assert_eq!(said(calls[4], "gen_ai.output.messages")[0]["parts"][2]["content"], "I look: ");
    assert_eq!(said(calls[5], "gen_ai.output.messages")[0]["parts"][3]["arguments"], "{\"city\":");
}

#[test]
fn embeddings_are_calls_of_their_own() {
    let answer = |vector: Value| {
        json!({
            "object": "list", "data": [{ "object": "embedding", "index": 0, "embedding": vector }],
            "model": "text-embedding-3-small", "usage": { "prompt_tokens": 8, "total_tokens": 8 },
        })
    };
    let refused = json!({ "error": { "type": "invalid_request_error", "message": "too long" } });
    let answers = vec![
        Answer::json("200 OK", &answer(json!([0.1, 0.2, 0.3]))),
        Answer::json("200 OK", &answer(json!("AAAA"))),
        Answer::json("400 Bad Request", &refused),
    ];
    let seen = Seen::while_asked(answers, Content::On, async |base| {
        let mut request = json!({ "model": "text-embedding-3-small", "input": ["sunny", "rainy"] });
        let answer = client(&base).embeddings(&request).await.unwrap();
        assert_eq!(answer["data"][0]["embedding"][2], 0.3);
        request["encoding_format"] = "base64".into();
        request["dimensions"] = 256.into();
        client(&base).embeddings(&request).await.unwrap();
        assert!(client(&base).embeddings(&request).await.is_err());
    });
    let mut calls: Vec<_> =
        seen.spans.iter().filter(|span| span.name == "embeddings text-embedding-3-small").collect();
    calls.sort_by_key(|span| span.start_time_unix_nano);
    let keys = [
        "gen_ai.operation.name",
        "gen_ai.embeddings.dimension.count",
        "gen_ai.request.encoding_formats",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.response.model",
        "error.type",
    ];
    let told: Vec<_> =
        calls.iter().map(|call| keys.map(|key| shown(&call.attributes, key).unwrap_or_default())).collect();
    let model = "text-embedding-3-small";
    assert_eq!(told[0], ["embeddings", "3", "", "8", "", model, ""]);
    assert_eq!(told[1], ["embeddings", "256", "[base64]", "8", "", model, ""]);
    assert_eq!(told[2], ["embeddings", "256", "[base64]", "", "", "", "invalid_request_error"]);
    assert!(seen.asked.iter().all(|request| request.path == "/v1/embeddings"));
    assert!(seen.metrics.contains("\"embeddings\""), "{}", seen.metrics);
}
