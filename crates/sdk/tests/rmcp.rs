//! Requests of `rmcp`'s clients to its servers, as they arrive.

use crate::agents::{named, shown};
use crate::alone;
use crate::receiver::{Receiver, spans};
use clew_sdk::Content;
use clew_sdk::rmcp::{connect, traced};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, ListToolsResult,
    PaginatedRequestParams, ReadResourceRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer, ServiceError};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ServerHandler, ServiceExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// A server of one tool, which fails in all the ways that there are.
#[derive(Debug, Clone, Default)]
struct Weather {
    /// Told when a request hangs.
    hangs: Arc<Notify>,
}

impl ServerHandler for Weather {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_resources().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        clew_sdk::span("work").start().end();
        let city = request.arguments.unwrap_or_default().remove("city").unwrap_or_default();
        let answer = |text: &str| vec![ContentBlock::text(text)];
        match city.as_str().unwrap_or_default() {
            "Atlantis" => Ok(CallToolResult::error(answer("there is no such city")).into()),
            "Nowhere" => Err(ErrorData::invalid_params("unknown city", None)),
            "Hang" => {
                self.hangs.notify_one();
                std::future::pending().await
            }
            _ => Ok(CallToolResult::success(answer("sunny")).into()),
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        // Two pages of them.
        let mut page = ListToolsResult::default();
        page.tools.push(Tool::new("get_weather", "The weather of a city", Arc::default()));
        if request.and_then(|request| request.cursor).is_none() {
            page.next_cursor = Some("2".to_owned());
        }
        Ok(page)
    }
}

fn weather(city: &str) -> CallToolRequestParams {
    let arguments = clew_sdk::serde_json::json!({ "city": city });
    CallToolRequestParams::new("get_weather").with_arguments(arguments.as_object().cloned().unwrap())
}

/// What was recorded while something was done.
fn seen(work: impl AsyncFnOnce(&Receiver)) -> Vec<Span> {
    let _alone = alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder().service("rmcp").endpoint(receiver.endpoint());
    let telemetry = telemetry.capture_content(Content::On).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work(&receiver));
    drop(runtime);
    drop(telemetry);
    let mut spans = spans(&receiver.got());
    spans.sort_by_key(|span| span.start_time_unix_nano);
    spans
}

fn of<'a>(spans: &'a [Span], name: &str, kind: SpanKind) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name && span.kind == kind as i32).collect()
}

/// Asks for all that a test wants to see, below an agent.
async fn ask<S: rmcp::Service<rmcp::RoleClient>>(client: &clew_sdk::rmcp::Client<S>) {
    let answer = client.call_tool(weather("Paris")).await.unwrap();
    assert_eq!(answer.is_error, Some(false));
    assert_eq!(client.call_tool(weather("Atlantis")).await.unwrap().is_error, Some(true));
    let refused = client.call_tool(weather("Nowhere")).await.unwrap_err();
    assert!(matches!(refused, ServiceError::McpError(_)), "{refused:?}");
    let missing = client.read_resource(ReadResourceRequestParams::new("file:///notes.txt")).await;
    assert!(missing.is_err());
    assert_eq!(client.list_all_tools().await.unwrap().len(), 2);
}

/// What both sides tell of what [`ask`] asked.
fn check(spans: &[Span], transport: &str) {
    let agent = named(spans, "invoke_agent planner");
    let (clients, servers) = (
        of(spans, "tools/call get_weather", SpanKind::Client),
        of(spans, "tools/call get_weather", SpanKind::Server),
    );
    assert_eq!((clients.len(), servers.len()), (3, 3), "{spans:?}");
    let mut ids = Vec::new();
    for ((client, server), error) in
        clients.iter().zip(&servers).zip([None, Some("tool_error"), Some("-32602")])
    {
        assert_eq!((&client.parent_span_id, &client.trace_id), (&agent.span_id, &agent.trace_id));
        assert_eq!((&server.parent_span_id, &server.trace_id), (&client.span_id, &client.trace_id));
        assert!(spans.iter().any(|span| span.name == "work" && span.parent_span_id == server.span_id));
        let told = |key: &str| [client, server].map(|span| shown(&span.attributes, key));
        for (key, value) in [
            ("mcp.method.name", "tools/call"),
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", "get_weather"),
        ] {
            assert_eq!(told(key), [Some(value.to_owned()), Some(value.to_owned())], "{key}");
        }
        for key in ["jsonrpc.request.id", "mcp.protocol.version", "error.type", "rpc.response.status_code"] {
            let [client, server] = told(key);
            assert_eq!(client, server, "{key}");
        }
        assert!(told("mcp.protocol.version")[0].as_ref().is_some_and(|version| version.starts_with("20")));
        assert_eq!(told("error.type")[0].as_deref(), error);
        let failed = client.status.clone().unwrap_or_default().code;
        assert_eq!(failed, if error.is_some() { 2 } else { 0 });
        assert_eq!(
            told("network.transport")[0].as_deref(),
            Some(transport).filter(|known| !known.is_empty())
        );
        ids.extend(told("jsonrpc.request.id")[0].clone());
        let text = match error {
            None => "sunny",
            Some(_) => "there is no such city",
        };
        let results =
            told("gen_ai.tool.call.result").map(|result| result.is_some_and(|told| told.contains(text)));
        assert_eq!(results, [error != Some("-32602"); 2]);
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert_eq!(shown(&clients[0].attributes, "gen_ai.tool.call.arguments").unwrap(), "{\"city\":\"Paris\"}");
    for (name, count) in [("initialize", 1), ("tools/list", 2), ("resources/read", 1)] {
        for kind in [SpanKind::Client, SpanKind::Server] {
            let found = of(spans, name, kind);
            assert_eq!(found.len(), count, "{name} of {kind:?}");
            assert!(found.iter().all(|span| span.trace_id == agent.trace_id), "{name} of {kind:?}");
        }
    }
    let read = of(spans, "resources/read", SpanKind::Client)[0];
    assert_eq!(shown(&read.attributes, "mcp.resource.uri").as_deref(), Some("file:///notes.txt"));
    assert_eq!(shown(&read.attributes, "error.type").as_deref(), Some("-32601"));
}

#[test]
fn requests_over_a_pipe_are_recorded_on_both_sides() {
    let spans = seen(async |_| {
        let (here, there) = tokio::io::duplex(4096);
        let server =
            async { traced(Weather::default()).serve(there).await.unwrap().waiting().await.unwrap() };
        let asked = clew_sdk::agent("planner").start().run(async {
            let client = connect((), here).await.unwrap();
            ask(&client).await;
            client.into_inner().cancel().await.unwrap();
        });
        tokio::join!(server, asked);
    });
    check(&spans, "");
}

#[test]
#[ignore = "the server of the test below, in a process of its own"]
fn a_server_of_its_own() {
    let telemetry = clew_sdk::builder().service("weather").capture_content(Content::On).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = traced(Weather::default()).serve(rmcp::transport::stdio()).await.unwrap();
        server.waiting().await.unwrap();
    });
    drop(telemetry);
}

#[test]
fn requests_to_another_process_are_recorded_in_both() {
    let spans = seen(async |receiver| {
        let mut server = tokio::process::Command::new(std::env::current_exe().unwrap());
        // What the test harness writes is no message, and passed over.
        server.args(["rmcp::a_server_of_its_own", "--exact", "--ignored", "--nocapture"]);
        server.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()).env("OTEL_BSP_SCHEDULE_DELAY", "50");
        let asked = clew_sdk::agent("planner").start().run(async {
            let client = connect((), TokioChildProcess::new(server).unwrap()).await.unwrap();
            ask(&client).await;
            let arrived = |got: &[_]| of(&spans(got), "tools/list", SpanKind::Server).len() == 2;
            receiver.wait(Duration::from_secs(60), arrived);
            client.into_inner().cancel().await.unwrap();
        });
        asked.await;
    });
    check(&spans, "pipe");
}

#[test]
fn requests_over_http_tell_their_session() {
    let spans = seen(async |_| {
        let service = StreamableHttpService::new(
            || Ok(traced(Weather::default())),
            Arc::new(LocalSessionManager::default()),
            StreamableHttpServerConfig::default(),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/mcp", listener.local_addr().unwrap());
        let server = axum::serve(listener, axum::Router::new().nest_service("/mcp", service));
        let asked = clew_sdk::agent("planner").start().run(async {
            let client = connect((), StreamableHttpClientTransport::from_uri(address)).await.unwrap();
            ask(&client).await;
            client.into_inner().cancel().await.unwrap();
        });
        tokio::select! {
            ended = server.into_future() => panic!("{ended:?}"),
            () = asked => {}
        }
    });
    check(&spans, "tcp");
    let servers = of(&spans, "tools/call get_weather", SpanKind::Server);
    let sessions: Vec<_> =
        servers.iter().map(|span| shown(&span.attributes, "mcp.session.id").unwrap_or_default()).collect();
    assert!(
        !sessions[0].is_empty() && sessions.iter().all(|session| *session == sessions[0]),
        "{sessions:?}"
    );
    assert_eq!(shown(&servers[0].attributes, "network.protocol.name").as_deref(), Some("http"));
}

#[test]
fn requests_that_nobody_answers_end() {
    let spans = seen(async |_| {
        let (here, there) = tokio::io::duplex(4096);
        let handler = Weather::default();
        let hangs = Arc::clone(&handler.hangs);
        let (server, client) = tokio::join!(traced(handler).serve(there), connect((), here));
        let (server, client) = (server.unwrap(), client.unwrap());
        // One is given up by who asked, the other by the end of the server.
        tokio::select! {
            answer = client.call_tool(weather("Hang")) => panic!("{answer:?}"),
            () = hangs.notified() => {}
        }
        let stopped = async {
            hangs.notified().await;
            server.cancel().await.unwrap();
        };
        let (answer, ()) = tokio::join!(client.call_tool(weather("Hang")), stopped);
        assert!(answer.is_err());
        assert!(client.call_tool(weather("Paris")).await.is_err());
        client.into_inner().cancel().await.unwrap();
    });
    let clients = of(&spans, "tools/call get_weather", SpanKind::Client);
    let errors: Vec<_> =
        clients.iter().map(|span| shown(&span.attributes, "error.type").unwrap_or_default()).collect();
    assert_eq!(errors[..2], ["cancelled", "closed"], "{errors:?}");
    assert!(clients.iter().all(|span| span.status.as_ref().is_some_and(|status| status.code == 2)));
}
