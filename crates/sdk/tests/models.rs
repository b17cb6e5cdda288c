//! Clients of models' interfaces: what a call tells, as it arrives.

use crate::agents::{named, shown};
use crate::alone;
use crate::provider::{Answer, Provider};
use crate::receiver::{Got, Receiver, Refusing, metrics, spans, text};
use clew_sdk::openai::CallError;
use clew_sdk::serde_json::{Value, from_slice, from_str, json};
use clew_sdk::{Content, anthropic, openai};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::time::Duration;

/// What was recorded while something was asked, and what the provider was asked.
pub struct Seen {
    pub spans: Vec<Span>,
    pub asked: Vec<Got>,
    pub metrics: String,
}

impl Seen {
    pub fn while_asked(answers: Vec<Answer>, content: Content, ask: impl AsyncFnOnce(String)) -> Self {
        let _alone = alone();
        let receiver = Receiver::start();
        let provider = Provider::start(answers);
        let telemetry = clew_sdk::builder().service("models").endpoint(receiver.endpoint());
        let telemetry = telemetry.capture_content(content).build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(ask(provider.base()));
        drop(telemetry);
        let got = receiver.got();
        Self { spans: spans(&got), asked: provider.requests(), metrics: format!("{:?}", metrics(&got)) }
    }

    pub fn has(&self, name: &str, expected: &[(&str, &str)]) -> &Span {
        let span = named(&self.spans, name);
        for (key, value) in expected {
            assert_eq!(shown(&span.attributes, key).as_deref(), Some(*value), "{key} of {span:?}");
        }
        span
    }

    /// The requests over HTTP below a call, in their order.
    pub fn requests(&self, call: &Span) -> Vec<&Span> {
        let below = |span: &&Span| span.parent_span_id == call.span_id && span.trace_id == call.trace_id;
        let mut requests: Vec<_> = self.spans.iter().filter(below).collect();
        requests.sort_by_key(|span| span.start_time_unix_nano);
        requests
    }
}

pub fn said(span: &Span, key: &str) -> Value {
    from_str(text(&span.attributes, key).unwrap_or_else(|| panic!("no {key}: {span:?}"))).unwrap()
}

fn question() -> Value {
    json!({
        "model": "gpt-4o", "temperature": 0.7, "max_completion_tokens": 256, "stop": ["END"], "seed": 7, "n": 2,
        "reasoning_effort": "low", "response_format": { "type": "json_object" },
        "messages": [
            { "role": "developer", "content": "be brief" },
            { "role": "user", "content": [
                { "type": "text", "text": "the weather here?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
            ] },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "call_1", "type": "function", "function": { "name": "where", "arguments": "{\"who\":\"me\"}" } },
            ] },
            { "role": "tool", "tool_call_id": "call_1", "content": "Paris" },
        ],
        "tools": [{ "type": "function", "function": { "name": "where", "parameters": {} } }],
    })
}

fn answer() -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_1",
        "choices": [
            { "index": 0, "message": { "role": "assistant", "content": "Sunny." }, "finish_reason": "stop" },
            { "index": 1, "finish_reason": "tool_calls", "message": { "role": "assistant", "content": null, "tool_calls": [
                { "id": "call_2", "type": "function", "function": { "name": "get_weather", "arguments": "{\"city\":\"Paris\"}" } },
            ] } },
        ],
        "usage": {
            "prompt_tokens": 1200, "completion_tokens": 40, "prompt_tokens_details": { "cached_tokens": 1024 },
            "completion_tokens_details": { "reasoning_tokens": 16 },
        },
    })
}

#[test]
fn a_call_of_chat_completions_tells_all_of_itself() {
    let busy = Answer::json("503 Service Unavailable", &json!({ "error": { "message": "busy" } }));
    let answers = vec![busy.header("retry-after: 0"), Answer::json("200 OK", &answer())];
    let seen = Seen::while_asked(answers, Content::On, async |base| {
        let client = openai::Client::new(reqwest::Client::new(), &base).key("hunter2").conversation("talk-1");
        assert_eq!(client.chat(&question()).await.unwrap(), answer());
    });
    let call = seen.has(
        "chat gpt-4o",
        &[
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.request.model", "gpt-4o"),
            ("gen_ai.request.temperature", "0.7"),
            ("gen_ai.request.max_tokens", "256"),
            ("gen_ai.request.stop_sequences", "[END]"),
            ("gen_ai.request.seed", "7"),
            ("gen_ai.request.choice.count", "2"),
            ("gen_ai.request.reasoning.level", "low"),
            ("gen_ai.output.type", "json"),
            ("gen_ai.conversation.id", "talk-1"),
            ("server.address", "127.0.0.1"),
            ("gen_ai.response.id", "chatcmpl-1"),
            ("gen_ai.response.model", "gpt-4o-2024-08-06"),
            ("gen_ai.response.finish_reasons", "[stop,tool_call]"),
            ("openai.response.system_fingerprint", "fp_1"),
            ("gen_ai.usage.input_tokens", "1200"),
            ("gen_ai.usage.cache_read.input_tokens", "1024"),
            ("gen_ai.usage.output_tokens", "40"),
            ("gen_ai.usage.reasoning.output_tokens", "16"),
        ],
    );
    assert_eq!(call.status.clone().unwrap_or_default().code, 0);
    assert_eq!(shown(&call.attributes, "gen_ai.request.stream"), None);

    let input = said(call, "gen_ai.input.messages");
    assert_eq!(input[0], json!({ "role": "system", "parts": [{ "type": "text", "content": "be brief" }] }));
    assert_eq!(input[1]["parts"][1]["mime_type"], "image/png");
    assert_eq!(input[2]["parts"][0]["arguments"], json!({ "who": "me" }));
    assert_eq!(
        input[3]["parts"],
        json!([{ "type": "tool_call_response", "id": "call_1", "response": "Paris" }])
    );
    let output = said(call, "gen_ai.output.messages");
    assert_eq!(
        (&output[0]["finish_reason"], &output[1]["parts"][0]["name"]),
        (&json!("stop"), &json!("get_weather"))
    );
    assert_eq!(said(call, "gen_ai.tool.definitions")[0]["function"]["name"], "where");

    let requests = seen.requests(call);
    let told: Vec<_> = requests
        .iter()
        .map(|span| {
            let told = ["http.response.status_code", "error.type", "http.request.resend_count"];
            (span.name.as_str(), told.map(|key| shown(&span.attributes, key).unwrap_or_default()))
        })
        .collect();
    let expected = [("POST", ["503", "503", ""]), ("POST", ["200", "", "1"])];
    assert_eq!(told, expected.map(|(name, told)| (name, told.map(str::to_owned))));
    for (request, span) in seen.asked.iter().zip(&requests) {
        assert_eq!(request.path, "/v1/chat/completions");
        let header = |name: &str| request.headers.iter().find(|(had, _)| had == name).map(|(_, value)| value);
        assert_eq!(header("authorization").unwrap(), "Bearer hunter2");
        let id: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(header("traceparent").unwrap().contains(&id));
        assert_eq!(from_slice::<Value>(&request.body).unwrap(), question());
    }
    for measured in ["gen_ai.client.operation.duration", "gen_ai.client.token.usage", "server.port"] {
        assert!(seen.metrics.contains(measured), "{measured}: {}", seen.metrics);
    }
    assert!(!seen.metrics.contains("hunter2") && !format!("{:?}", seen.spans).contains("hunter2"));
}

fn chunk(choices: &Value) -> String {
    let chunk = json!({ "id": "chatcmpl-2", "object": "chat.completion.chunk", "model": "gpt-4o-2024-08-06", "choices": choices, "usage": null });
    format!("data: {chunk}\n\n")
}

fn delta(delta: &Value) -> String {
    chunk(&json!([{ "index": 0, "delta": delta, "finish_reason": null }]))
}

fn chunks() -> Vec<String> {
    let call = |piece: &Value| delta(&json!({ "tool_calls": [piece] }));
    vec![
        delta(&json!({ "role": "assistant", "content": "" })),
        delta(&json!({ "content": "Grüße " })),
        delta(&json!({ "content": "aus Paris" })),
        call(
            &json!({ "index": 0, "id": "call_1", "type": "function", "function": { "name": "get_weather", "arguments": "" } }),
        ),
        call(&json!({ "index": 0, "function": { "arguments": "{\"city\":" } })),
        call(&json!({ "index": 0, "function": { "arguments": "\"Paris\"}" } })),
        chunk(&json!([{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }])),
    ]
}

fn usage_chunk() -> String {
    let usage = json!({ "prompt_tokens": 150, "completion_tokens": 200, "prompt_tokens_details": { "cached_tokens": 100 } });
    format!("data: {}\n\ndata: [DONE]\n\n", json!({ "id": "chatcmpl-2", "choices": [], "usage": usage }))
}

#[test]
fn a_stream_of_chat_completions_is_one_call() {
    let events = format!(": hello\n\n{}{}", chunks().concat(), usage_chunk());
    let seen = Seen::while_asked(
        vec![Answer::events(&events), Answer::events(&events)],
        Content::On,
        async |base| {
            let client = openai::Client::new(reqwest::Client::new(), &base).provider("groq");
            let request = json!({ "model": "gpt-4o", "messages": [] });
            let mut stream = client.stream(&request).await.unwrap();
            let mut text = String::new();
            while let Some(chunk) = stream.next().await.unwrap() {
                text.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
            }
            assert_eq!(text, "Grüße aus Paris");
            assert!(stream.next().await.unwrap().is_none());
            let whole = client.stream(&request).await.unwrap().whole().await.unwrap();
            assert_eq!(whole["choices"][0]["message"]["content"], "Grüße aus Paris");
            let function = &whole["choices"][0]["message"]["tool_calls"][0]["function"];
            assert_eq!(*function, json!({ "name": "get_weather", "arguments": "{\"city\":\"Paris\"}" }));
        },
    );
    let calls: Vec<_> = seen.spans.iter().filter(|span| span.name == "chat gpt-4o").collect();
    assert_eq!(calls.len(), 2);
    for call in calls {
        for (key, value) in [
            ("gen_ai.provider.name", "groq"),
            ("gen_ai.request.stream", "true"),
            ("gen_ai.response.id", "chatcmpl-2"),
            ("gen_ai.response.finish_reasons", "[tool_call]"),
            ("gen_ai.usage.input_tokens", "150"),
            ("gen_ai.usage.output_tokens", "200"),
            ("gen_ai.usage.cache_read.input_tokens", "100"),
        ] {
            assert_eq!(shown(&call.attributes, key).as_deref(), Some(value), "{key}");
        }
        let output = said(call, "gen_ai.output.messages");
        assert_eq!(output[0]["parts"][0]["content"], "Grüße aus Paris");
        assert_eq!(output[0]["parts"][1]["arguments"], json!({ "city": "Paris" }));
        let first = shown(&call.attributes, "gen_ai.response.time_to_first_chunk").unwrap();
        let first: f64 = first.parse().unwrap();
        let took = Duration::from_nanos(call.end_time_unix_nano - call.start_time_unix_nano);
        assert!(first > 0.0 && first < took.as_secs_f64(), "{first} of {took:?}");
        assert_eq!(seen.requests(call).len(), 1);
    }
    let asked: Value = from_slice(&seen.asked[0].body).unwrap();
    assert_eq!(asked["stream_options"], json!({ "include_usage": true }));
    assert!(seen.metrics.contains("time_to_first_chunk"));
}

#[test]
fn calls_that_fail_tell_why() {
    let refused = json!({ "error": { "type": "invalid_request_error", "code": "context_length_exceeded", "message": "too long" } });
    let failed = "data: {\"error\":{\"type\":\"server_error\",\"message\":\"lost\"}}\n\n";
    let hours = Answer::json("429 Too Many Requests", &json!({ "error": { "message": "tomorrow" } }));
    let busy = Answer::json("529 Overloaded", &json!({})).header("retry-after: 0");
    let answers = vec![
        Answer::json("400 Bad Request", &refused),
        hours.header("retry-after: 7200"),
        busy.clone(),
        busy,
        Answer::events(&chunks()[..2].concat()),
        Answer::events(&chunks()[..3].concat()).breaking(),
        Answer::events(&format!("{}{failed}", chunks()[0])),
        Answer::events("data: {oh\n\n"),
        Answer::json("200 OK", &json!("no object")),
    ];
    let expected = [
        "context_length_exceeded",
        "429",
        "529",
        "broken_off",
        "unreachable",
        "server_error",
        "not_understood",
    ];
    let seen = Seen::while_asked(answers, Content::Off, async |base| {
        let client = openai::Client::new(reqwest::Client::new(), &base).attempts(2);
        let request = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "hush" }] });
        for kind in expected.iter().take(3) {
            let error = client.chat(&request).await.unwrap_err();
            assert!(matches!(&error, CallError::Refused { .. }), "{error:?}");
            assert_eq!(error.kind(), *kind);
        }
        for kind in expected.iter().skip(3) {
            let error = client.stream(&request).await.unwrap().whole().await.unwrap_err();
            assert_eq!(error.kind(), *kind, "{error:?}");
        }
        assert_eq!(client.chat(&request).await.unwrap(), "no object");
    });
    let mut calls: Vec<_> = seen.spans.iter().filter(|span| span.name == "chat gpt-4o").collect();
    calls.sort_by_key(|span| span.start_time_unix_nano);
    let kinds: Vec<_> = calls.iter().filter_map(|call| shown(&call.attributes, "error.type")).collect();
    assert_eq!(kinds, expected);
    for call in &calls[..expected.len()] {
        assert_eq!(call.status.as_ref().unwrap().code, 2);
        assert_eq!(call.events[0].name, "exception");
    }
    assert_eq!(calls[0].status.as_ref().unwrap().message, "the provider refused with 400: too long");
    let requests: Vec<_> = calls.iter().map(|call| seen.requests(call).len()).collect();
    assert_eq!(requests, [1, 1, 2, 1, 1, 1, 1, 1]);
    // What came until it broke off is told all the same; what was said is not, for nobody asked for it.
    assert_eq!(shown(&calls[3].attributes, "gen_ai.response.id").as_deref(), Some("chatcmpl-2"));
    assert!(shown(&calls[3].attributes, "gen_ai.input.messages").is_none());
    assert!(!format!("{:?}", seen.spans).contains("hush"));
}

#[test]
fn a_provider_out_of_reach_is_tried_again_and_told() {
    let seen = Seen::while_asked(Vec::new(), Content::Off, async |_| {
        let refusing = Refusing::new();
        let base = format!("http://{}/v1", refusing.address);
        let client = openai::Client::new(reqwest::Client::new(), &base).attempts(2);
        let error = client.chat(&json!({ "model": "gpt-4o" })).await.unwrap_err();
        assert!(matches!(error, CallError::Unreachable(_)), "{error:?}");
    });
    let call = seen.has("chat gpt-4o", &[("error.type", "unreachable")]);
    assert_eq!(seen.requests(call).len(), 2);
}

#[test]
fn calls_that_run_out_of_time_or_are_given_up_end() {
    let seen = Seen::while_asked(Vec::new(), Content::Off, async |_| {
        // It takes connections in, and answers none of them.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let short = reqwest::Client::builder().timeout(Duration::from_millis(100)).build().unwrap();
        let error = openai::Client::new(short, &base).chat(&json!({ "model": "slow" })).await.unwrap_err();
        assert_eq!(error.kind(), "timeout");
        drop(listener.accept().await.unwrap());
        let client = openai::Client::new(reqwest::Client::new(), &base);
        let request = json!({ "model": "given-up" });
        tokio::select! {
            answer = client.chat(&request) => panic!("{answer:?}"),
            connection = listener.accept() => drop(connection.unwrap()),
        }
    });
    let slow = seen.has("chat slow", &[("error.type", "timeout")]);
    // It may have been heard: it is not sent again.
    assert_eq!(seen.requests(slow).len(), 1);
    assert_eq!(seen.requests(seen.has("chat given-up", &[])).len(), 1);
}

#[test]
fn a_stream_that_nobody_reads_on_ends_its_call() {
    let events = format!("{}{}", chunks().concat(), usage_chunk());
    let seen = Seen::while_asked(vec![Answer::events(&events)], Content::On, async |base| {
        let client = openai::Client::new(reqwest::Client::new(), &base);
        let mut stream = client.stream(&json!({ "model": "gpt-4o" })).await.unwrap();
        for _ in 0..2 {
            assert!(stream.next().await.unwrap().is_some());
        }
    });
    let call = seen.has("chat gpt-4o", &[("gen_ai.response.id", "chatcmpl-2")]);
    assert_eq!(said(call, "gen_ai.output.messages")[0]["parts"][0]["content"], "Grüße ");
    assert_eq!(call.status.clone().unwrap_or_default().code, 0);
}

fn claude() -> Value {
    json!({
        "model": "claude-sonnet-4-5", "max_tokens": 1024, "top_k": 40, "stop_sequences": ["END"],
        "system": [{ "type": "text", "text": "be brief", "cache_control": { "type": "ephemeral" } }],
        "messages": [
            { "role": "user", "content": "the weather here?" },
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "toolu_1", "name": "where", "input": {} }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "toolu_1", "content": "Paris" }] },
        ],
        "tools": [{ "name": "where", "input_schema": {} }],
    })
}

fn message() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
        "content": [
            { "type": "thinking", "thinking": "Paris, then.", "signature": "abc" },
            { "type": "text", "text": "I look." },
            { "type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": { "city": "Paris" } },
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {
            "input_tokens": 12, "output_tokens": 40, "cache_read_input_tokens": 1024, "cache_creation_input_tokens": 100,
        },
    })
}

fn events() -> String {
    let mut begun = message();
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    begun["usage"]["output_tokens"] = 1.into();
    let start = |index: u8, block: Value| json!({ "type": "content_block_start", "index": index, "content_block": block });
    let delta =
        |index: u8, delta: Value| json!({ "type": "content_block_delta", "index": index, "delta": delta });
    let events = [
        json!({ "type": "message_start", "message": begun }),
        start(0, json!({ "type": "thinking", "thinking": "", "signature": "" })),
        json!({ "type": "ping" }),
        delta(0, json!({ "type": "thinking_delta", "thinking": "Paris, " })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "then." })),
        delta(0, json!({ "type": "signature_delta", "signature": "abc" })),
        json!({ "type": "content_block_stop", "index": 0 }),
        start(1, json!({ "type": "text", "text": "" })),
        delta(1, json!({ "type": "text_delta", "text": "I look." })),
        json!({ "type": "content_block_stop", "index": 1 }),
        start(2, json!({ "type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {} })),
        delta(2, json!({ "type": "input_json_delta", "partial_json": "{\"city\":" })),
        delta(2, json!({ "type": "input_json_delta", "partial_json": "\"Paris\"}" })),
        json!({ "type": "content_block_stop", "index": 2 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use", "stop_sequence": null }, "usage": { "output_tokens": 40 } }),
        json!({ "type": "message_stop" }),
    ];
    let lines =
        events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    lines.collect()
}

#[test]
fn messages_are_the_same_call_streamed_or_not() {
    let overloaded = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "later" } });
    let answers = vec![
        Answer::json("200 OK", &message()),
        Answer::json("529 Overloaded", &overloaded).header("retry-after: 0"),
        Answer::events(&events()),
        Answer::events(&format!("event: error\ndata: {overloaded}\n\n")),
    ];
    let seen = Seen::while_asked(answers, Content::On, async |base| {
        let client = anthropic::Client::new(reqwest::Client::new(), &base).key("hunter2");
        assert_eq!(client.messages(&claude()).await.unwrap(), message());
        assert_eq!(client.stream(&claude()).await.unwrap().whole().await.unwrap(), message());
        let error = client.stream(&claude()).await.unwrap().next().await.unwrap_err();
        assert_eq!(error.to_string(), "the provider failed while it answered: later");
    });
    let mut calls: Vec<_> = seen.spans.iter().filter(|span| span.name == "chat claude-sonnet-4-5").collect();
    calls.sort_by_key(|span| span.start_time_unix_nano);
    for (call, streamed, requests) in [(calls[0], None, 1), (calls[1], Some("true"), 2)] {
        for (key, value) in [
            ("gen_ai.provider.name", "anthropic"),
            ("gen_ai.request.max_tokens", "1024"),
            ("gen_ai.request.top_k", "40"),
            ("gen_ai.request.stop_sequences", "[END]"),
            ("gen_ai.response.id", "msg_1"),
            ("gen_ai.response.model", "claude-sonnet-4-5-20250929"),
            ("gen_ai.response.finish_reasons", "[tool_call]"),
            // The cached tokens are among them.
            ("gen_ai.usage.input_tokens", "1136"),
            ("gen_ai.usage.cache_read.input_tokens", "1024"),
            ("gen_ai.usage.cache_write.input_tokens", "100"),
            ("gen_ai.usage.output_tokens", "40"),
        ] {
            assert_eq!(shown(&call.attributes, key).as_deref(), Some(value), "{key}");
        }
        assert_eq!(shown(&call.attributes, "gen_ai.request.stream").as_deref(), streamed);
        let first = shown(&call.attributes, "gen_ai.response.time_to_first_chunk");
        assert_eq!(first.is_some(), streamed.is_some());
        assert_eq!(said(call, "gen_ai.system_instructions")[0]["content"], "be brief");
        let input = said(call, "gen_ai.input.messages");
        assert_eq!(input[2]["role"], "tool");
        assert_eq!(input[2]["parts"][0]["response"], "Paris");
        let output = said(call, "gen_ai.output.messages");
        let kinds: Vec<_> = output[0]["parts"].as_array().unwrap().iter().map(|part| &part["type"]).collect();
        assert_eq!(kinds, ["reasoning", "text", "tool_call"]);
        assert_eq!(output[0]["parts"][2]["arguments"], json!({ "city": "Paris" }));
        assert_eq!(seen.requests(call).len(), requests);
    }
    assert_eq!(shown(&calls[2].attributes, "error.type").as_deref(), Some("overloaded_error"));
    for request in &seen.asked {
        assert_eq!(request.path, "/v1/messages");
        let header = |name: &str| request.headers.iter().any(|(had, value)| had == name && !value.is_empty());
        assert!(header("x-api-key") && header("anthropic-version") && header("traceparent"));
    }
}
