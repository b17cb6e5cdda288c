//! OTLP/HTTP: what is taken, and how what is not taken is explained.

use crate::fixture::{Fixture, Memory, SPAN, gzip, gzip_bomb, post, span, zlib};
use axum::body::Body;
use http::{Method, Request};
use model::Kind;
use pipeline::{ExportError, Health, Limits, Outcome};
use std::time::Duration;

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

/// AOB-06: `curl -X POST http://localhost:4318/v1/traces -H "Content-Type: application/json" -d '{"resourceSpans":[]}'`.
#[tokio::test]
async fn the_debug_post_of_aob_06() {
    let fixture = Fixture::new("OTLP/HTTP");
    let answer = fixture.post("/v1/traces", &[JSON], r#"{"resourceSpans":[]}"#).await;
    assert_eq!(
        (answer.status, answer.header("content-type"), &*answer.text()),
        (200, "application/json", "{}")
    );

    let answer = fixture.post("/v1/traces", &[JSON], r#"{"resourceSpans":[}"#).await;
    let status: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &status["code"]), (400, &serde_json::json!(3)));
    assert!(status["message"].as_str().unwrap().contains("at byte 18"), "{status}");

    let answer = fixture.post("/v1/traces", &[("content-type", "text/plain")], "{}").await;
    assert_eq!(answer.status, 415);
    assert!(answer.text().contains("application/x-protobuf or application/json"), "{}", answer.text());

    let answer = fixture.send(Request::get("/v1/traces").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn each_content_type_is_answered_in_kind() {
    let fixture = Fixture::new("OTLP/HTTP");
    let check = async |content_type: Option<&str>, body: Vec<u8>, expect: &str| {
        let headers: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
        let answer = fixture.post("/v1/traces", &headers, body).await;
        assert_eq!(answer.status, 200, "{content_type:?}: {}", answer.text());
        assert_eq!(answer.header("content-type"), expect, "{content_type:?}");
        assert_eq!(answer.text(), if expect == "application/json" { "{}" } else { "" });
    };
    check(Some("application/json; charset=utf-8"), SPAN.into(), "application/json").await;
    check(Some("Application/JSON"), SPAN.into(), "application/json").await;
    check(Some("application/x-protobuf"), span(), "application/x-protobuf").await;
    check(Some("APPLICATION/X-PROTOBUF;a=b"), span(), "application/x-protobuf").await;
    check(None, SPAN.into(), "application/json").await;
    check(None, span(), "application/x-protobuf").await;
    check(Some("application/octet-stream"), span(), "application/x-protobuf").await;
    assert_eq!(fixture.stored(), 7);
}

#[tokio::test]
async fn paths_of_others_and_mistakes_are_understood_or_explained() {
    let fixture = Fixture::new("OTLP/HTTP");
    let check = async |path: &str, status: u16, outcome: Outcome, hint: &str| {
        let answer = fixture.post(path, &[JSON], SPAN).await;
        let event = fixture.last_event();
        assert_eq!((answer.status, event.outcome), (status, outcome), "{path}: {}", answer.text());
        assert!(event.hint.contains(hint), "{path}: {}", event.hint);
        assert_eq!(event.summary, format!("POST {path} → {status}"));
        if status != 200 {
            assert!(answer.text().contains(hint), "{path}: {}", answer.text());
        }
    };
    check("/v1/traces", 200, Outcome::Stored, "").await;
    check("/api/public/otel/v1/traces", 200, Outcome::Hint, "/v1/traces").await;
    check("/api/v1/private/otel/v1/traces", 200, Outcome::Hint, "/v1/traces").await;
    check("/otel/v1/traces", 200, Outcome::Hint, "/v1/traces").await;
    check("/api/default/v1/traces", 200, Outcome::Hint, "/v1/traces").await;
    check("/v1/traces/v1/traces", 200, Outcome::Hint, "OTEL_EXPORTER_OTLP_ENDPOINT").await;
    check("/", 200, Outcome::Hint, "the path is missing").await;
    check("/v1/trace", 404, Outcome::Rejected, "did you mean /v1/traces?").await;
    check("/v1/logs/x", 404, Outcome::Rejected, "did you mean /v1/logs?").await;
    check(
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        404,
        Outcome::Rejected,
        "application/grpc",
    )
    .await;
    assert_eq!(fixture.stored(), 7);
}

#[tokio::test]
async fn the_root_guesses_only_what_is_certain() {
    let fixture = Fixture::new("OTLP/HTTP");
    let check = async |headers: &[(&str, &str)], body: Vec<u8>, expect: u16| {
        let answer = fixture.post("/", headers, body).await;
        assert_eq!(answer.status, expect, "{}", answer.text());
    };
    check(&[JSON], br#" { "resource_logs" : [] }"#.to_vec(), 200).await;
    check(&[JSON, ("content-encoding", "gzip")], gzip(br#"{"resourceMetrics":[]}"#), 200).await;
    check(&[JSON], br#"{"other":"resourceSpans"}"#.to_vec(), 404).await;
    check(&[PROTOBUF], span(), 404).await;
}

#[tokio::test]
async fn errors_in_protobuf_are_statuses_in_protobuf() {
    let fixture = Fixture::new("OTLP/HTTP");
    let answer = fixture.post("/v1/traces", &[PROTOBUF], vec![0x0a, 0x7f, 1]).await;
    assert_eq!((answer.status, answer.header("content-type")), (400, "application/x-protobuf"));
    assert_eq!(&answer.body[..3], [0x08, 3, 0x12], "code 3, then the message");
    let answer = fixture.post("/v1/trace", &[PROTOBUF], span()).await;
    assert_eq!((answer.status, answer.header("content-type")), (404, "application/x-protobuf"));
    assert!(answer.text().contains("did you mean /v1/traces?"));
}

#[tokio::test]
async fn mislabelled_bodies_are_recognised() {
    let fixture = Fixture::new("OTLP/HTTP");
    for (content_type, body, expect) in [
        (JSON, span(), "Content-Type: application/x-protobuf"),
        (PROTOBUF, SPAN.into(), "Content-Type: application/json"),
        (JSON, gzip(SPAN.as_bytes()), "Content-Encoding: gzip"),
        (PROTOBUF, zstd::encode_all(&span()[..], 3).unwrap(), "Content-Encoding: zstd"),
    ] {
        let answer = fixture.post("/v1/traces", &[content_type], body).await;
        assert!(answer.status == 400 && answer.text().contains(expect), "{expect}: {}", answer.text());
    }
}

#[tokio::test]
async fn each_content_encoding_is_read() {
    let fixture = Fixture::new("OTLP/HTTP");
    let check = async |encoding: &str, body: Vec<u8>, status: u16, said: &str| {
        let answer = fixture.post("/v1/traces", &[JSON, ("content-encoding", encoding)], body).await;
        assert_eq!(answer.status, status, "{encoding}: {}", answer.text());
        assert!(answer.text().contains(said), "{encoding}: {}", answer.text());
    };
    let raw = {
        let zlib = zlib(SPAN.as_bytes());
        zlib[2..zlib.len() - 4].to_vec()
    };
    check("gzip", gzip(SPAN.as_bytes()), 200, "").await;
    check("GZIP", gzip(SPAN.as_bytes()), 200, "").await;
    check("deflate", zlib(SPAN.as_bytes()), 200, "").await;
    check("deflate", raw, 200, "").await;
    check("zstd", zstd::encode_all(SPAN.as_bytes(), 3).unwrap(), 200, "").await;
    check("identity", SPAN.into(), 200, "").await;
    check("br", SPAN.into(), 400, "use gzip, deflate, zstd or identity").await;
    check("gzip", SPAN.into(), 400, "not gzip, though its content encoding says so").await;
    assert_eq!(fixture.stored(), 6);
}

#[tokio::test]
async fn sizes_are_bounded() {
    let fixture = Fixture::new("OTLP/HTTP");
    let text = "x".repeat(22 << 20);
    let body = SPAN.replace("chat", &text);
    assert_eq!(fixture.post("/v1/traces", &[JSON], body).await.status, 200);
    assert_eq!(fixture.stored(), 1);

    let answer = fixture.post("/v1/traces", &[JSON], " ".repeat(65 << 20)).await;
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(answer.text().contains("limits.request-bytes") && answer.text().contains("\"code\":8"));

    let bomb = gzip_bomb(200 << 20);
    assert!(bomb.len() < 1 << 20);
    let answer = fixture.post("/v1/traces", &[JSON, ("content-encoding", "gzip")], bomb).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("retry-after"), "", "it would be too large again");
}

#[tokio::test]
async fn what_is_in_flight_is_bounded() {
    let limits = Limits { request_bytes: 1 << 20, in_flight_bytes: 256 << 10 };
    let fixture = Fixture::with("OTLP/HTTP", Memory::default(), limits);
    for headers in [&[JSON][..], &[JSON, ("content-encoding", "gzip")]] {
        let body = if headers.len() == 1 { vec![b' '; 512 << 10] } else { gzip_bomb(512 << 10) };
        let answer = fixture.post("/v1/traces", headers, body).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, "1"), "{}", answer.text());
    }
    assert_eq!(
        (fixture.last_event().outcome, fixture.diagnostics.health()),
        (Outcome::Refused, Health::BackPressure)
    );
    assert_eq!(fixture.post("/v1/traces", &[JSON], SPAN).await.status, 200, "all room was given back");
}

#[tokio::test]
async fn a_full_exporter_is_back_pressure() {
    let check = async |kind: Kind, retry_after: Duration, expect: (u16, &str)| {
        let failure = ExportError { kind, message: "the disk is full; free some".to_owned(), retry_after };
        let memory = Memory { failure: Some(failure), ..Memory::default() };
        let fixture = Fixture::with("OTLP/HTTP", memory, Limits::default());
        let answer = fixture.post("/v1/traces", &[JSON], SPAN).await;
        assert_eq!((answer.status, answer.header("retry-after")), expect);
        assert!(answer.text().contains("the disk is full; free some"));
        assert_eq!(fixture.diagnostics.counts(model::Signal::Traces).refused_requests, 1);
    };
    check(Kind::Busy, Duration::ZERO, (429, "1")).await;
    check(Kind::Unavailable, Duration::from_millis(4_500), (503, "5")).await;
    check(Kind::Internal, Duration::ZERO, (500, "")).await;
}

#[tokio::test]
async fn what_is_refused_of_a_request_is_said() {
    let fixture = Fixture::new("OTLP/HTTP");
    let bad = SPAN.replace("00f067aa0ba902b7", "0000000000000000");
    let answer = fixture.post("/v1/traces", &[JSON], bad).await;
    let answered: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &answered["partialSuccess"]["rejectedSpans"]), (200, &serde_json::json!("1")));
    assert!(answered["partialSuccess"]["errorMessage"].as_str().unwrap().len() > 10, "{answered}");
    assert_eq!(fixture.last_event().outcome, Outcome::Hint);
    assert_eq!(fixture.diagnostics.counts(model::Signal::Traces).rejected, 1);
}

#[tokio::test]
async fn tenants_are_named_by_a_header() {
    let fixture = Fixture::new("OTLP/HTTP");
    for (name, expect) in [("team-a", 200), ("../etc", 400), ("", 400)] {
        assert_eq!(
            fixture.post("/v1/traces", &[JSON, ("x-scope-orgid", name)], SPAN).await.status,
            expect,
            "{name}"
        );
    }
    assert_eq!(fixture.memory.batches.lock().unwrap()[0].tenant.as_str(), "team-a");
}

#[tokio::test]
async fn only_pages_of_this_machine_may_send() {
    let fixture = Fixture::new("OTLP/HTTP");
    let preflight = async |origin: &str| {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .uri("/v1/traces")
            .header("origin", origin)
            .header("access-control-request-headers", "content-type,x-scope-orgid");
        fixture.send(request.body(Body::empty()).unwrap()).await
    };
    let answer = preflight("http://localhost:5173").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, "http://localhost:5173"));
    assert_eq!(answer.header("access-control-allow-headers"), "content-type,x-scope-orgid");
    assert_eq!(preflight("https://evil.example").await.header("access-control-allow-origin"), "");

    let answer = fixture.post("/v1/traces", &[JSON, ("origin", "http://127.0.0.1:3000")], SPAN).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "http://127.0.0.1:3000"));
    for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
        assert_eq!(fixture.post("/v1/traces", &[("origin", origin)], SPAN).await.status, 403, "{origin}");
    }
    assert_eq!(fixture.stored(), 1);
}

#[tokio::test]
async fn the_wrong_port_is_a_hint() {
    let fixture = Fixture::new("OTLP/gRPC");
    assert_eq!(fixture.post("/v1/traces", &[JSON], SPAN).await.status, 200);
    let event = fixture.last_event();
    assert_eq!((event.receiver, event.outcome, event.items), ("OTLP/HTTP", Outcome::Hint, 1));
    assert!(event.hint.contains("OTLP/gRPC"), "{}", event.hint);
}

#[tokio::test]
async fn secrets_are_not_noted() {
    let fixture = Fixture::new("OTLP/HTTP");
    let headers = [JSON, ("authorization", "Bearer s3cret"), ("x-api-key", "s3cret")];
    for path in ["/v1/traces?api_key=s3cret", "/v1/trace?api_key=s3cret"] {
        let answer = fixture.post(path, &headers, SPAN).await;
        assert!(!answer.text().contains("s3cret"));
    }
    assert!(!format!("{:?}", fixture.diagnostics.events_after(0)).contains("s3cret"));
}

/// The page's port takes OTLP beside its own paths.
#[tokio::test]
async fn the_page_takes_otlp_too() {
    use tower::ServiceExt;
    let fixture = Fixture::new("OTLP/HTTP");
    let get = axum::routing::get;
    let fallback = || async { http::StatusCode::NOT_FOUND };
    let nested = axum::Router::new().route("/traces", get(fallback)).route("/traces/{trace}", get(fallback));
    let own = axum::Router::new()
        .nest("/api/v1", nested.clone().fallback(fallback))
        .nest("/api", nested.fallback(fallback))
        .fallback(|| async { "the page" });
    let router = own.merge(pipeline::otlp::page_router(fixture.intake.clone()));
    for (path, expect) in [
        ("/v1/traces", 200),
        ("/v1/trace", 404),
        ("/v1/traces/v1/traces", 200),
        ("/otel/v1/traces", 200),
        ("/api/public/otel/v1/traces", 200),
        ("/api/v1/private/otel/v1/traces", 200),
        ("/api/v1/traces", 405),
    ] {
        let answer = router.clone().oneshot(post(path, &[JSON], SPAN)).await.unwrap();
        assert_eq!(answer.status().as_u16(), expect, "{path}");
    }
    assert_eq!(fixture.stored(), 5);
}
