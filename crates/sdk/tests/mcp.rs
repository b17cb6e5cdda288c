//! Requests of MCP over a real pipe: a client's span, and below it the server's.

use crate::agents::{named, shown};
use crate::alone;
use crate::receiver::{Receiver, spans, text};
use clew_sdk::Content;
use clew_sdk::serde_json::{Value, from_slice, json};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::num::ParseIntError;

/// Answers each line with one, until there are no more.
fn answer(requests: PipeReader, mut answers: PipeWriter) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for line in BufReader::new(requests).lines() {
        let mut request: Value = from_slice(line.unwrap().as_bytes()).unwrap();
        let method = request["method"].as_str().unwrap().to_owned();
        let answered = clew_sdk::mcp::serve(&method, request["params"].take(), async |parameters| {
            clew_sdk::span("work").start().end();
            let failed = parameters["arguments"]["city"] == "Atlantis";
            if method == "prompts/get" {
                "no number".parse::<i64>().map(Value::from)
            } else {
                Ok(json!({ "isError": failed }))
            }
        });
        let answer = match runtime.block_on(answered) {
            Ok(result) => json!({ "result": result }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        writeln!(answers, "{answer}").unwrap();
    }
}

fn asked(requests: Vec<(&str, Value)>) {
    let (server_reads, mut writer) = std::io::pipe().unwrap();
    let (reader, server_writes) = std::io::pipe().unwrap();
    let server = std::thread::spawn(|| answer(server_reads, server_writes));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut reader = BufReader::new(reader);
    for (method, parameters) in requests {
        let sent = clew_sdk::mcp::call(method, parameters, async |parameters| {
            writeln!(writer, "{}", json!({ "method": method, "params": parameters })).unwrap();
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let mut answer: Value = from_slice(line.as_bytes()).unwrap();
            if answer["error"].is_null() {
                Ok(answer["result"].take())
            } else {
                Err("x".parse::<i64>().unwrap_err())
            }
        });
        let result: Result<Value, ParseIntError> = runtime.block_on(sent);
        assert_eq!(result.is_err(), method == "prompts/get");
    }
    drop(writer);
    server.join().unwrap();
}

#[test]
fn requests_are_recorded_on_both_sides_of_a_pipe() {
    let _alone = alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder().service("mcp").endpoint(receiver.endpoint());
    let telemetry = telemetry.capture_content(Content::On).build().unwrap();
    let weather = |city: &str| json!({ "name": "get_weather", "arguments": { "city": city }, "_meta": { "progressToken": 1 } });
    asked(vec![
        ("tools/call", weather("Paris")),
        ("resources/read", json!({ "uri": "file:///notes.txt" })),
        ("prompts/get", json!({ "name": "greeting" })),
        ("tools/list", Value::Null),
    ]);
    drop(telemetry);
    let spans = spans(&receiver.got());
    let of = |name: &str, kind: SpanKind| {
        spans
            .iter()
            .find(|span| span.name == name && span.kind == kind as i32)
            .unwrap_or_else(|| panic!("no {name}: {spans:?}"))
    };
    for (name, key, value, error) in [
        ("tools/call get_weather", "gen_ai.tool.name", "get_weather", None),
        ("resources/read", "mcp.resource.uri", "file:///notes.txt", None),
        ("prompts/get greeting", "gen_ai.prompt.name", "greeting", Some("ParseIntError")),
        ("tools/list", "mcp.method.name", "tools/list", None),
    ] {
        let (client, server) = (of(name, SpanKind::Client), of(name, SpanKind::Server));
        assert_eq!((&server.parent_span_id, &server.trace_id), (&client.span_id, &client.trace_id), "{name}");
        assert!(spans.iter().any(|span| span.name == "work" && span.parent_span_id == server.span_id));
        for span in [client, server] {
            assert_eq!(text(&span.attributes, key), Some(value));
            assert_eq!(shown(&span.attributes, "error.type").as_deref(), error);
        }
    }
    let tool = of("tools/call get_weather", SpanKind::Client);
    assert_eq!(text(&tool.attributes, "gen_ai.operation.name"), Some("execute_tool"));
    assert_eq!(text(&tool.attributes, "gen_ai.tool.call.arguments"), Some("{\"city\":\"Paris\"}"));
    assert_eq!(text(&tool.attributes, "gen_ai.tool.call.result"), Some("{\"isError\":false}"));
}

#[test]
fn what_tools_and_servers_refuse_is_a_failure() {
    let _alone = alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder().service("mcp").endpoint(receiver.endpoint()).build().unwrap();
    asked(vec![("tools/call", json!({ "name": "get_weather", "arguments": { "city": "Atlantis" } }))]);
    let tool = clew_sdk::tool("search").start();
    let mut parameters = json!({ "name": "search" });
    clew_sdk::mcp::tell(&tool, "tools/call", &parameters);
    clew_sdk::mcp::send(&tool, &mut parameters);
    assert!(parameters["_meta"]["traceparent"].as_str().unwrap().contains(&tool.trace_id().unwrap()));
    clew_sdk::mcp::refused(&tool, -32602, "unknown tool");
    tool.end();
    drop(telemetry);
    let spans = spans(&receiver.got());
    let failed = spans.iter().filter(|span| span.name == "tools/call get_weather");
    let failed: Vec<_> = failed
        .map(|span| (shown(&span.attributes, "error.type"), span.status.as_ref().unwrap().code))
        .collect();
    assert_eq!(failed, vec![(Some("tool_error".to_owned()), 2); 2]);
    let tool = named(&spans, "execute_tool search");
    for (key, value) in
        [("mcp.method.name", "tools/call"), ("error.type", "-32602"), ("rpc.response.status_code", "-32602")]
    {
        assert_eq!(text(&tool.attributes, key), Some(value));
    }
}
