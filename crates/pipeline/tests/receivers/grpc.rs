//! OTLP/gRPC: frames, statuses and limits.

use crate::fixture::{Answer, Fixture, Memory, gzip, gzip_bomb, post, span, zlib};
use axum::body::Body;
use http::Version;
use model::{Kind, Signal};
use pipeline::{ExportError, Limits, Outcome};
use std::time::Duration;

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[flag][..], &length.to_be_bytes(), message].concat()
}

async fn call(fixture: &Fixture, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = post(path, &[&[("content-type", "application/grpc")], headers].concat(), body);
    *request.version_mut() = Version::HTTP_2;
    let answer = fixture.send(request).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/grpc"));
    assert_eq!(answer.header("grpc-accept-encoding"), "identity,gzip,deflate,zstd");
    answer
}

/// Status and message, wherever they are: a failure has no body, and so no trailers.
fn status(answer: &Answer) -> (&str, &str) {
    let find = |name: &str| {
        let value = answer.trailers.get(name).or_else(|| answer.headers.get(name));
        value.map_or("", |value| value.to_str().unwrap())
    };
    (find("grpc-status"), find("grpc-message"))
}

#[tokio::test]
async fn each_service_takes_its_signal() {
    let fixture = Fixture::new("OTLP/gRPC");
    for (path, body) in [(TRACES, span()), (LOGS, vec![]), (METRICS, vec![])] {
        let answer = call(&fixture, path, &[], frame(0, &body)).await;
        assert_eq!(status(&answer), ("0", ""), "{path}");
        assert_eq!(&answer.body[..], frame(0, b""), "{path}");
    }
    assert_eq!(fixture.stored(), 1);
    let event = &fixture.diagnostics.events_after(0)[0];
    assert_eq!((event.receiver, event.outcome, event.items), ("OTLP/gRPC", Outcome::Stored, 1));
    assert_eq!(event.summary, "TraceService/Export → 0");
    for signal in Signal::ALL {
        assert_eq!(fixture.diagnostics.counts(signal).requests, 1, "{signal}");
    }
}

#[tokio::test]
async fn each_compression_is_read() {
    let fixture = Fixture::new("OTLP/gRPC");
    let check = async |encoding: &str, flag: u8, message: Vec<u8>, code: &str, said: &str| {
        let headers: &[(&str, &str)] = if encoding.is_empty() { &[] } else { &[("grpc-encoding", encoding)] };
        let answer = call(&fixture, TRACES, headers, frame(flag, &message)).await;
        let (found, message) = status(&answer);
        assert_eq!(found, code, "{encoding}: {message}");
        assert!(message.contains(said), "{encoding}: {message}");
    };
    check("gzip", 1, gzip(&span()), "0", "").await;
    check("gzip", 0, span(), "0", "").await;
    check("deflate", 1, zlib(&span()), "0", "").await;
    check("zstd", 1, zstd::encode_all(&span()[..], 3).unwrap(), "0", "").await;
    check("identity", 0, span(), "0", "").await;
    check("snappy", 1, span(), "12", "use gzip, deflate, zstd or identity").await;
    check("", 1, span(), "3", "no grpc-encoding").await;
    check("gzip", 1, span(), "3", "not gzip").await;
    assert_eq!(fixture.stored(), 5);
}

#[tokio::test]
async fn broken_frames_and_calls_are_explained() {
    let fixture = Fixture::new("OTLP/gRPC");
    let check = async |path: &str, body: Vec<u8>, code: &str, said: &str| {
        let answer = call(&fixture, path, &[], body).await;
        let (found, message) = status(&answer);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(said), "{message}");
    };
    check(TRACES, vec![], "3", "shorter than its frame").await;
    check(TRACES, vec![0, 0, 0, 0, 9, 1], "3", "says 9 bytes, 1 came").await;
    check(TRACES, frame(7, b""), "3", "its flag is 7").await;
    check(TRACES, frame(0, &[0x0a, 0x7f]), "3", "not an OTLP traces export request").await;
    check("/opentelemetry.proto.collector.trace.v1.TraceService/Stream", vec![], "12", "not a method").await;
    let answer = call(&fixture, "/grpc.health.v1.Health/Check", &[], frame(0, b"")).await;
    assert_eq!((status(&answer), &answer.body[..]), (("0", ""), &[0, 0, 0, 0, 2, 8, 1][..]));
}

#[tokio::test]
async fn limits_are_not_retried_and_back_pressure_is() {
    let fixture = Fixture::new("OTLP/gRPC");
    let bomb = gzip_bomb(200 << 20);
    for (headers, body) in
        [(&[("grpc-encoding", "gzip")][..], frame(1, &bomb)), (&[], frame(0, &vec![0; 65 << 20]))]
    {
        let answer = call(&fixture, TRACES, headers, body).await;
        assert_eq!(status(&answer).0, "8");
        assert_eq!(answer.header("grpc-status-details-bin"), "", "without RetryInfo it is not sent again");
    }
    for (kind, code) in [(Kind::Busy, "8"), (Kind::Unavailable, "14")] {
        let failure = ExportError { kind, message: "full".to_owned(), retry_after: Duration::from_secs(2) };
        let memory = Memory { failure: Some(failure), ..Memory::default() };
        let fixture = Fixture::with("OTLP/gRPC", memory, Limits::default());
        let answer = call(&fixture, TRACES, &[], frame(0, &span())).await;
        assert_eq!(status(&answer), (code, "full"));
        let details = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD_NO_PAD,
            answer.header("grpc-status-details-bin"),
        );
        let details = details.unwrap();
        assert!(String::from_utf8_lossy(&details).contains("google.rpc.RetryInfo"));
        assert!(details.ends_with(&[0x12, 4, 0x0a, 2, 8, 2]), "two seconds: {details:?}");
    }
}

#[tokio::test]
async fn partial_success_is_in_the_message() {
    let fixture = Fixture::new("OTLP/gRPC");
    let mut bad = span();
    let id =
        bad.windows(8).position(|window| window == [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]).unwrap();
    bad[id..id + 8].fill(0);
    let answer = call(&fixture, TRACES, &[], frame(0, &bad)).await;
    assert_eq!(status(&answer).0, "0");
    let one_rejected = answer.body.windows(3).any(|window| window == [8, 1, 0x12]);
    assert!(
        answer.body[5] == 0x0a && one_rejected,
        "partial_success, its count, its message: {:?}",
        answer.body
    );
}

#[tokio::test]
async fn grpc_over_old_http_is_told_so() {
    let fixture = Fixture::new("OTLP/gRPC");
    let answer = fixture.post(TRACES, &[("content-type", "application/grpc")], frame(0, &span())).await;
    assert_eq!(answer.status, 415);
    assert!(answer.text().contains("HTTP/2"), "{}", answer.text());
    let answer = fixture.post(TRACES, &[("content-type", "application/grpc-web")], frame(0, &span())).await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("application/grpc"), "{}", answer.text());
}
