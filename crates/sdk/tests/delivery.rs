//! How spans reach receivers: over HTTP in both forms, over gRPC, packed or not; and what becomes of those that are refused.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use clew_sdk::{Counts, Protocol, Telemetry};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::collections::VecDeque;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Status};

/// How a receiver answers one request.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Taken,
    /// All but so many.
    Refused(i64),
    /// An HTTP status, and the seconds to wait.
    Http(u16, Option<&'static str>),
    Grpc(Code),
}

/// What arrived, and how the next requests are answered; all others are taken.
#[derive(Debug, Default)]
struct Seen {
    requests: Vec<(ExportTraceServiceRequest, String, Instant)>,
    answers: VecDeque<Answer>,
}

impl Seen {
    fn take(&mut self, request: ExportTraceServiceRequest, about: String) -> Answer {
        self.requests.push((request, about, Instant::now()));
        self.answers.pop_front().unwrap_or(Answer::Taken)
    }

    fn names(&self) -> Vec<String> {
        let resources = self.requests.iter().flat_map(|(request, _, _)| &request.resource_spans);
        let spans = resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans);
        spans.map(|span| span.name.clone()).collect()
    }
}

type Shared = Arc<Mutex<Seen>>;

fn partial(rejected_spans: i64) -> ExportTraceServiceResponse {
    let error_message = if rejected_spans > 0 { "too old" } else { "" }.to_owned();
    ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess { rejected_spans, error_message }),
    }
}

async fn over_http(State(seen): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let mut plain = body.to_vec();
    if header("content-encoding") == "gzip" {
        plain.clear();
        GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
    }
    let json = header("content-type") == "application/json";
    let request = match json {
        true => serde_json::from_slice(&plain).unwrap(),
        false => ExportTraceServiceRequest::decode(plain.as_slice()).unwrap(),
    };
    let about = [header("content-type"), header("content-encoding"), header("api-key")].join(" ");
    let answer = |answer: &ExportTraceServiceResponse| match json {
        true => serde_json::to_vec(answer).unwrap(),
        false => answer.encode_to_vec(),
    };
    match seen.lock().unwrap().take(request, about) {
        Answer::Refused(many) => answer(&partial(many)).into_response(),
        Answer::Http(status, after) => {
            let mut response = StatusCode::from_u16(status).unwrap().into_response();
            if let Some(after) = after {
                response.headers_mut().insert("retry-after", after.parse().unwrap());
            }
            response
        }
        _ => StatusCode::OK.into_response(),
    }
}

struct OverGrpc(Shared);

#[tonic::async_trait]
impl TraceService for OverGrpc {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        let header =
            |name: &str| request.metadata().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let about = [header("grpc-encoding"), header("api-key")].join(" ");
        match self.0.lock().unwrap().take(request.into_inner(), about) {
            Answer::Refused(many) => Ok(tonic::Response::new(partial(many))),
            Answer::Grpc(code) => Err(Status::new(code, "not now")),
            _ => Ok(tonic::Response::new(ExportTraceServiceResponse::default())),
        }
    }
}

/// A receiver on a free port, for as long as its runtime lives.
fn receiver(protocol: Protocol) -> (Runtime, SocketAddr, Shared) {
    let (runtime, seen) = (Runtime::new().unwrap(), Shared::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (_entered, state) = (runtime.enter(), Arc::clone(&seen));
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    if protocol == Protocol::Grpc {
        let service = TraceServiceServer::new(OverGrpc(state)).accept_compressed(CompressionEncoding::Gzip);
        let server = tonic::transport::Server::builder().add_service(service);
        runtime.spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    } else {
        let routes = Router::new().route("/v1/traces", post(over_http)).with_state(state);
        runtime.spawn(async move { axum::serve(listener, routes).await });
    }
    drop(_entered);
    (runtime, address, seen)
}

fn telemetry(protocol: Protocol, address: SocketAddr, gzip: bool) -> Telemetry {
    let builder = clew_sdk::builder().service("delivery").exporter(clew_sdk::Exporter::Otlp);
    let builder = builder.endpoint(format!("http://{address}")).protocol(protocol).gzip(gzip);
    builder.header("api-key", "K").build().unwrap()
}

/// Sends so many spans; how many were exported and dropped.
fn sent(telemetry: &Telemetry, many: usize) -> (u64, u64) {
    let Counts { exported, dropped, .. } = telemetry.counts();
    for index in 0..many {
        clew_sdk::span(format!("step {index}")).start().end();
    }
    telemetry.flush();
    let after = telemetry.counts();
    (after.exported - exported, after.dropped - dropped)
}

#[test]
fn spans_arrive_in_each_form() {
    let _alone = crate::alone();
    for (protocol, gzip, about) in [
        (Protocol::HttpProtobuf, false, "application/x-protobuf  K"),
        (Protocol::HttpProtobuf, true, "application/x-protobuf gzip K"),
        (Protocol::HttpJson, false, "application/json  K"),
        (Protocol::HttpJson, true, "application/json gzip K"),
        (Protocol::Grpc, false, " K"),
        (Protocol::Grpc, true, "gzip K"),
    ] {
        let (runtime, address, seen) = receiver(protocol);
        let telemetry = telemetry(protocol, address, gzip);
        assert_eq!(sent(&telemetry, 600), (600, 0), "{about}");
        let mut names = seen.lock().unwrap().names();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 600, "{about}");
        assert!(seen.lock().unwrap().requests.iter().all(|(_, had, _)| had == about), "{about}");
        drop(telemetry);
        runtime.shutdown_background();
    }
}

#[test]
fn what_is_refused_is_counted_and_what_may_pass_is_sent_again() {
    let _alone = crate::alone();
    for protocol in [Protocol::HttpProtobuf, Protocol::HttpJson, Protocol::Grpc] {
        let (runtime, address, seen) = receiver(protocol);
        let telemetry = telemetry(protocol, address, false);
        let over_grpc = protocol == Protocol::Grpc;
        let passing = if over_grpc { Answer::Grpc(Code::Unavailable) } else { Answer::Http(503, None) };
        let lasting = if over_grpc { Answer::Grpc(Code::PermissionDenied) } else { Answer::Http(403, None) };
        for (answers, requests, became) in [
            (vec![Answer::Taken], 1, (5, 0)),
            (vec![Answer::Refused(2)], 1, (3, 2)),
            (vec![passing, passing], 3, (5, 0)),
            (vec![passing; 4], 4, (0, 5)),
            (vec![lasting], 1, (0, 5)),
        ] {
            seen.lock().unwrap().answers = answers.clone().into();
            assert_eq!(sent(&telemetry, 5), became, "{protocol:?} {answers:?}");
            let requests_seen = std::mem::take(&mut seen.lock().unwrap().requests).len();
            // An answer that is too late is as none: then a request comes once more.
            assert!(requests_seen >= requests, "{protocol:?} {answers:?}: {requests_seen}");
        }
        drop(telemetry);
        runtime.shutdown_background();
    }
}

#[test]
fn receivers_are_given_the_time_that_they_ask_for() {
    let _alone = crate::alone();
    let (runtime, address, seen) = receiver(Protocol::HttpProtobuf);
    let telemetry = telemetry(Protocol::HttpProtobuf, address, false);
    seen.lock().unwrap().answers = [Answer::Http(429, Some("1"))].into();
    assert_eq!(sent(&telemetry, 1), (1, 0));
    let times: Vec<_> = seen.lock().unwrap().requests.iter().map(|(_, _, at)| *at).collect();
    assert!(times[1] - times[0] >= Duration::from_secs(1), "{times:?}");
    drop(telemetry);
    runtime.shutdown_background();
}
