//! Requests between programs: an axum server, reqwest's client, tonic's metadata.

use crate::alone;
use crate::receiver::{Receiver, spans, text};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use std::future::IntoFuture;
use std::time::Duration;

async fn served(act: impl AsyncFnOnce(String)) {
    let weather = get(|| async {
        clew_sdk::tool("get_weather").start().end();
        "sunny"
    });
    let router = Router::new()
        .route("/weather/{city}", weather)
        .route("/broken", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/hangs", get(std::future::pending::<&'static str>))
        .layer(clew_sdk::http::server_layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let ended = async { stopped.await.unwrap_or_default() };
    let server = axum::serve(listener, router).with_graceful_shutdown(ended).into_future();
    let (served, ()) = tokio::join!(server, async {
        act(format!("http://{address}")).await;
        stop.send(()).unwrap();
    });
    served.unwrap();
}

fn number(span: &Span, key: &str) -> Option<i64> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::IntValue(number) => Some(*number),
        _ => None,
    }
}

fn of(spans: &[Span], kind: SpanKind, path: &str) -> Span {
    let key = if kind == SpanKind::Server { "url.path" } else { "url.full" };
    let found = spans.iter().find(|span| {
        span.kind == kind as i32 && text(&span.attributes, key).is_some_and(|value| value.contains(path))
    });
    found.unwrap_or_else(|| panic!("no {kind:?} of {path}: {spans:?}")).clone()
}

async fn ask(base: String) {
    let client = reqwest::Client::builder().user_agent("test/1").build().unwrap();
    let root = clew_sdk::agent("planner").start();
    root.run(async {
        for path in ["/weather/Paris?key=secret", "/broken", "/nowhere"] {
            clew_sdk::http::send(&client, client.get(format!("{base}{path}"))).await.unwrap();
        }
        let hangs = client.get(format!("{base}/hangs")).timeout(Duration::from_millis(300));
        assert!(clew_sdk::http::send(&client, hangs).await.is_err());
    })
    .await;
    let joined = client.get(format!("{base}/weather/joined"));
    let joined = joined.header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_eq!(joined.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "current_thread")]
#[expect(clippy::await_holding_lock, reason = "one test at a time has the process's telemetry")]
async fn requests_are_recorded_on_both_sides() {
    let _alone = alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder().service("http").endpoint(receiver.endpoint()).old_names(true);
    let telemetry = telemetry.build().unwrap();
    served(ask).await;
    drop(telemetry);
    let spans = spans(&receiver.got());

    let client = of(&spans, SpanKind::Client, "/weather/Paris");
    let server = of(&spans, SpanKind::Server, "/weather/Paris");
    assert_eq!((&server.parent_span_id, &server.trace_id), (&client.span_id, &client.trace_id));
    assert_eq!((client.name.as_str(), server.name.as_str()), ("GET", "GET /weather/{city}"));
    assert!(text(&client.attributes, "url.full").unwrap().ends_with("/weather/Paris?REDACTED"));
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.method", "GET"),
        ("http.url", "/weather/Paris"),
        ("http.route", "/weather/{city}"),
        ("user_agent.original", "test/1"),
        ("server.address", "127.0.0.1"),
    ] {
        assert_eq!(text(&server.attributes, key), Some(value), "{key}");
    }
    assert_eq!(number(&server, "http.response.status_code"), Some(200));
    assert_eq!(number(&server, "http.status_code"), Some(200));
    assert!(number(&server, "server.port").is_some());
    let tool = spans.iter().find(|span| span.parent_span_id == server.span_id).unwrap();
    assert_eq!(tool.name, "execute_tool get_weather");

    for (path, status, client_failed, server_failed) in
        [("/broken", 500, true, true), ("/nowhere", 404, true, false)]
    {
        for (kind, failed) in [(SpanKind::Client, client_failed), (SpanKind::Server, server_failed)] {
            let span = of(&spans, kind, path);
            assert_eq!(number(&span, "http.response.status_code"), Some(status));
            assert_eq!(span.status.clone().unwrap_or_default().code == 2, failed, "{kind:?} {path}");
            let expected = failed.then(|| status.to_string());
            assert_eq!(text(&span.attributes, "error.type").map(str::to_owned), expected);
        }
    }
    let hung = of(&spans, SpanKind::Client, "/hangs");
    assert_eq!(text(&hung.attributes, "error.type"), Some("timeout"));
    let joined = of(&spans, SpanKind::Server, "/weather/joined");
    assert_eq!(joined.parent_span_id, [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
}

#[test]
fn metadata_of_grpc_carries_contexts() {
    use clew_sdk::{extract, inject};
    use tonic::service::Interceptor;
    let _alone = alone();
    let telemetry = clew_sdk::builder().service("grpc").exporter(clew_sdk::Exporter::None).build().unwrap();
    let span = clew_sdk::span("publish").start();
    let active = span.enter();
    let request = clew_sdk::grpc::CarryContext.call(tonic::Request::new(())).unwrap();
    let sent = request.metadata().get("traceparent").unwrap().to_str().unwrap().to_owned();
    drop(active);
    let mut again = tonic::metadata::MetadataMap::new();
    inject(&extract(request.metadata()), &mut again);
    assert_eq!(again.get("traceparent").unwrap().to_str().unwrap(), sent);
    drop(telemetry);
}
