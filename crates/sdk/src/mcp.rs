//! Requests of the Model Context Protocol, as clients send them and servers answer them, with the context in `_meta`.
//!
//! Parameters and results are JSON, so that any implementation will do: `rmcp`'s types become JSON by `serde_json::to_value`.
//!
//! ```
//! # async fn ask() -> Result<(), std::io::Error> {
//! # async fn send(_: serde_json::Value) -> Result<serde_json::Value, std::io::Error> { Ok(serde_json::Value::Null) }
//! use clew_sdk::serde_json::json;
//!
//! let parameters = json!({ "name": "get_weather", "arguments": { "city": "Paris" } });
//! let result = clew_sdk::mcp::call("tools/call", parameters, async |parameters| send(parameters).await).await?;
//! # Ok(())
//! # }
//! ```

use crate::carrier::{extract_mcp, inject_mcp};
use crate::span::{Span, Start};
use opentelemetry::trace::SpanKind;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::{Debug, Display};

/// The request that calls a tool.
const TOOL: &str = "tools/call";

/// A request to a server, below the span that is active: `tools/call NAME`. [`send`] writes its context into parameters.
pub fn client(method: &str, parameters: &Value) -> Start {
    request(method, parameters, SpanKind::Client)
}

/// A request from a client, below the span that its `_meta` names.
pub fn server(method: &str, parameters: &Value) -> Start {
    request(method, parameters, SpanKind::Server).parent(&extract_mcp(parameters))
}

/// Writes a span's context into the parameters that are sent.
pub fn send(span: &Span, parameters: &mut Value) {
    inject_mcp(span.context(), parameters);
}

/// Sends a request within a span; the parameters that `send` gets carry its context.
///
/// # Errors
/// What `send` says.
pub async fn call<E: Debug + Display>(
    method: &str,
    mut parameters: Value,
    send: impl AsyncFnOnce(Value) -> Result<Value, E>,
) -> Result<Value, E> {
    let span = client(method, &parameters).start();
    self::send(&span, &mut parameters);
    let result = span.within(send(parameters)).await;
    ended(&span, method, result)
}

/// Answers a request within a span, below the client's.
///
/// # Errors
/// What `answer` says.
pub async fn serve<E: Debug + Display>(
    method: &str,
    parameters: Value,
    answer: impl AsyncFnOnce(Value) -> Result<Value, E>,
) -> Result<Value, E> {
    let span = server(method, &parameters).start();
    let result = span.within(answer(parameters)).await;
    ended(&span, method, result)
}

/// Tells a span that there is already, of [`crate::tool()`] say, that its work is this request: one span then tells both.
pub fn tell(span: &Span, method: &str, parameters: &Value) {
    span.set("mcp.method.name", method.to_owned());
    if let Some((key, value)) = subject(method, parameters) {
        span.set(key, value.to_owned());
    }
}

/// Records a result: a tool says in it whether it failed.
pub fn answered(span: &Span, method: &str, result: &Value) {
    if method == TOOL {
        span.result(result.clone());
    }
    if result["isError"] == true {
        span.failed("tool_error");
    }
}

/// Records an error of JSON-RPC.
pub fn refused(span: &Span, code: i64, message: impl Into<Cow<'static, str>>) {
    span.set("rpc.response.status_code", code.to_string());
    span.fail(code.to_string(), message);
}

fn request(method: &str, parameters: &Value, kind: SpanKind) -> Start {
    let subject = subject(method, parameters);
    let name = match subject {
        // An address is not a name: there is no end to them.
        Some((key, value)) if key != "mcp.resource.uri" => format!("{method} {value}"),
        _ => method.to_owned(),
    };
    let mut start = Start::new(name).kind(kind).set("mcp.method.name", method.to_owned());
    if let Some((key, value)) = subject {
        start = start.set(key, value.to_owned());
    }
    if method == TOOL {
        start = start.set("gen_ai.operation.name", "execute_tool");
        if !parameters["arguments"].is_null() {
            start = start.arguments(parameters["arguments"].clone());
        }
    }
    start
}

/// What a request is about.
fn subject<'a>(method: &str, parameters: &'a Value) -> Option<(&'static str, &'a str)> {
    let (key, field) = match method {
        TOOL => ("gen_ai.tool.name", "name"),
        "prompts/get" => ("gen_ai.prompt.name", "name"),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => ("mcp.resource.uri", "uri"),
        _ => return None,
    };
    Some((key, parameters[field].as_str()?))
}

fn ended<E: Debug + Display>(span: &Span, method: &str, result: Result<Value, E>) -> Result<Value, E> {
    match &result {
        Ok(result) => answered(span, method, result),
        Err(error) => span.fail_said(error),
    }
    span.end();
    result
}
