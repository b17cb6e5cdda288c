//! Real connections: both protocols on one port, wrong ones recognised, slow ones ended, shutdown without loss.

use crate::fixture::{Answer, Fixture, SPAN, span};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use http::Request;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use pipeline::{Door, Outcome, Places};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

struct Served {
    fixture: Fixture,
    address: SocketAddr,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

async fn serve(name: &'static str) -> Served {
    let fixture = Fixture::new(name);
    let router = fixture.router.clone();
    serve_router(name, fixture, router).await
}

async fn serve_router(name: &'static str, fixture: Fixture, router: Router) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown, mut tasks) =
        (listener.local_addr().unwrap(), CancellationToken::new(), JoinSet::new());
    let [places] = Places::divided(8);
    let (door, stop) =
        (Door { name, router, diagnostics: fixture.diagnostics.clone(), places }, shutdown.clone());
    tasks.spawn(async move { pipeline::serve(listener, door, stop).await.unwrap() });
    Served { fixture, address, shutdown, tasks }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(mut self) {
        self.shutdown.cancel();
        self.tasks.join_next().await.unwrap().unwrap();
    }

    /// Sends bytes as they are, and reads until the other side closes.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset is an end too.
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn http_1(body: &str) -> Vec<u8> {
    format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[tokio::test]
async fn both_protocols_on_each_port() {
    for name in ["OTLP/gRPC", "OTLP/HTTP"] {
        let served = serve(name).await;
        let answer = served.raw(&http_1(SPAN)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("{}"), "{answer}");

        let stream = TokioIo::new(served.connect().await);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        for _ in 0..3 {
            let body = Full::new(Bytes::from(model::otlp::response::grpc_frame(&span())));
            let request =
                Request::post("http://localhost/opentelemetry.proto.collector.trace.v1.TraceService/Export")
                    .header("content-type", "application/grpc")
                    .header("te", "trailers");
            let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
            let answer = Answer::read(response.map(axum::body::Body::new)).await;
            assert_eq!(answer.trailers["grpc-status"], "0");
        }
        drop(sender);
        assert_eq!(served.fixture.stored(), 4);
        let hints = served.fixture.diagnostics.events_after(0);
        assert_eq!(
            hints.iter().filter(|event| event.outcome == Outcome::Hint).count(),
            1,
            "the other protocol"
        );
        served.stop().await;
    }
}

#[tokio::test]
async fn other_protocols_are_recognised() {
    let served = serve("OTLP/gRPC").await;
    assert_eq!(served.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await, "");
    let event = served.fixture.last_event();
    assert!(event.summary.contains("TLS") && event.hint.contains("http://"), "{event:?}");
    drop(served.raw(b"\x80\x01\x00\x01thrift\r\n\r\n").await);
    let event = served.fixture.last_event();
    assert!(event.summary.contains("not HTTP") && event.outcome == Outcome::Rejected, "{event:?}");
    served.stop().await;
}

/// What is too large is read to its end and answered: a reset would hide the answer from most senders.
#[tokio::test]
async fn a_sender_of_too_much_gets_its_answer() {
    let served = serve("OTLP/HTTP").await;
    let answer = served.raw(&http_1(&" ".repeat(66 << 20))).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    served.stop().await;
}

/// Time runs on by itself whenever nothing else can happen, so that silence costs no time here.
#[tokio::test(start_paused = true)]
async fn slow_senders_are_ended() {
    let served = serve("OTLP/HTTP").await;
    assert_eq!(served.raw(b"").await, "", "silence");
    assert_eq!(served.raw(b"PRI * HT").await, "", "half a preface");
    let _head = served.raw(b"POST /v1/traces HTTP/1.1\r\nHost: local").await;
    let answer =
        served.raw(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{").await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("the body stopped arriving"), "{answer}");
    assert_eq!(served.fixture.last_event().outcome, Outcome::Rejected);
    served.stop().await;
}

/// Browsers hold connections open without a request; those must not hold up the end.
#[tokio::test]
async fn shutdown_does_not_wait_for_idle_connections() {
    let served = serve("OTLP/HTTP").await;
    let silent = served.connect().await;
    let mut idle = served.connect().await;
    idle.write_all(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
        .await
        .unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let stopping = tokio::time::timeout(std::time::Duration::from_secs(5), served.stop());
    stopping.await.expect("stopping needs no ten seconds");
    drop((silent, idle));
}

/// Tells when it is dropped.
struct Held(Arc<Notify>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

const MANY: usize = 10_000;

/// An endless answer below `/much`, one that never says anything below `/silent`, and what tells that one is given up.
fn answers() -> (Router, Arc<Notify>) {
    let given_up = Arc::new(Notify::new());
    let held = Arc::clone(&given_up);
    let much = move || async move {
        let pieces = stream::unfold(Held(held), |held| async { Some((Ok::<_, Infallible>(piece()), held)) });
        Body::from_stream(pieces.take(MANY))
    };
    let silent = || async { Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()) };
    (Router::new().route("/much", get(much)).route("/silent", get(silent)), given_up)
}

fn piece() -> Bytes {
    Bytes::from(vec![b'x'; 64 << 10])
}

#[tokio::test(start_paused = true)]
async fn who_stops_reading_is_ended() {
    let (router, given_up) = answers();
    let served = serve_router("page", Fixture::new("OTLP/HTTP"), router).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let before = Instant::now();
    timeout(Duration::from_secs(300), given_up.notified()).await.expect("the answer is given up");
    assert!(before.elapsed() >= Duration::from_secs(30), "{:?}", before.elapsed());
    assert!(before.elapsed() <= Duration::from_secs(60), "{:?}", before.elapsed());
    // What was on its way can be read; then there is an end.
    let mut read = Vec::new();
    drop(stream.read_to_end(&mut read).await);
    assert!(read.len() < MANY * (64 << 10));
    served.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_read_is_ended() {
    let (router, given_up) = answers();
    let served = serve_router("page", Fixture::new("OTLP/HTTP"), router).await;
    let io = TokioIo::new(served.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let request =
        |path| Request::get(format!("http://localhost{path}")).body(Full::<Bytes>::default()).unwrap();
    let silent = sender.send_request(request("/silent")).await.unwrap();
    // A stream with nothing to say may be silent for as long as it likes.
    sleep(Duration::from_secs(3_600)).await;
    let much = sender.send_request(request("/much")).await.unwrap();
    let before = Instant::now();
    timeout(Duration::from_secs(300), given_up.notified()).await.expect("the answer is given up");
    assert!(before.elapsed() >= Duration::from_secs(30), "{:?}", before.elapsed());
    drop((silent, much));
    served.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_or_waits_for_news_is_not_ended() {
    let (router, given_up) = answers();
    let served = serve_router("page", Fixture::new("OTLP/HTTP"), router).await;
    let mut silent = served.connect().await;
    silent.write_all(b"GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut slow = served.connect().await;
    slow.write_all(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let io = TokioIo::new(served.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let request = Request::get("http://localhost/much").body(Full::<Bytes>::default()).unwrap();
    let mut stream = sender.send_request(request).await.unwrap();
    for _ in 0..10 {
        let mut read = vec![0; 8 << 20];
        slow.read_exact(&mut read).await.unwrap();
        let mut taken = 0;
        while taken < 1 << 20 {
            taken += stream.frame().await.unwrap().unwrap().into_data().unwrap().len();
        }
        sleep(Duration::from_secs(20)).await;
    }
    assert!(timeout(Duration::ZERO, given_up.notified()).await.is_err());
    let mut head = [0; 15];
    silent.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    drop((silent, slow, stream, sender));
    served.stop().await;
}

/// Questions hold all threads of the runtime that a port is on: what is taken in there is decoded all the same.
#[test]
fn decoding_does_not_wait_for_threads_of_questions() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).max_blocking_threads(1).enable_all().build().unwrap()
    };
    let (of_intake, of_questions) = (runtime(), runtime());
    let fixture = of_intake.block_on(async { Fixture::new("OTLP/HTTP") });
    let (release, held) = std::sync::mpsc::channel::<()>();
    let question = of_questions.spawn_blocking(move || held.recv().is_err());
    let large = format!("{}{SPAN}", " ".repeat(1 << 20));
    let json = [("content-type", "application/json")];
    let answer = of_questions
        .block_on(async { timeout(Duration::from_secs(20), fixture.post("/v1/traces", &json, large)).await });
    assert_eq!(answer.expect("it is answered").status, 200);
    drop(release);
    assert!(of_questions.block_on(question).unwrap());
}
