//! A receiver of OTLP on a free port, over HTTP or gRPC, with or without TLS, that keeps what it got.

mod grpc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// An address that refuses connections, and that no other receiver is given meanwhile.
#[derive(Debug)]
pub struct Refusing {
    pub address: SocketAddr,
    _bound: tokio::net::TcpSocket,
}

impl Refusing {
    pub fn new() -> Self {
        let bound = tokio::net::TcpSocket::new_v4().unwrap();
        bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { address: bound.local_addr().unwrap(), _bound: bound }
    }
}

/// One request.
#[derive(Debug, Clone)]
pub struct Got {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Got {
    fn is_json(&self) -> bool {
        self.headers.contains(&("content-type".to_owned(), "application/json".to_owned()))
    }
}

/// What arrived so far, and whether the receiver is to end.
#[derive(Debug, Default)]
struct State {
    got: Vec<Got>,
    ended: bool,
    /// So many requests for a path are still to be told to come again later.
    busy: HashMap<&'static str, usize>,
    /// What requests for a path are answered with.
    answers: HashMap<&'static str, Vec<u8>>,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

#[derive(Debug)]
pub struct Receiver {
    pub address: SocketAddr,
    scheme: &'static str,
    state: Shared,
    thread: Option<std::thread::JoinHandle<()>>,
    /// Where connections over gRPC live.
    _runtime: Option<tokio::runtime::Runtime>,
}

impl Receiver {
    pub fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap())
    }

    pub fn at(address: SocketAddr) -> Self {
        Self::listening(address, None)
    }

    /// Over HTTP with TLS.
    pub fn secure(tls: Arc<ServerConfig>) -> Self {
        Self::listening("127.0.0.1:0".parse().unwrap(), Some(tls))
    }

    fn listening(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = Shared::default();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.0.lock().unwrap().ended {
                    return;
                }
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                std::thread::spawn(move || match tls {
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).unwrap();
                        serve(StreamOwned::new(connection, stream.unwrap()), &shared);
                    }
                    None => serve(stream.unwrap(), &shared),
                });
            }
        });
        Self { address, scheme, state, thread: Some(thread), _runtime: None }
    }

    /// Tells the next requests for a path to come again later.
    pub fn be_busy(&self, path: &'static str, times: usize) {
        self.state.0.lock().unwrap().busy.insert(path, times);
    }

    /// Answers requests for a path with this.
    pub fn answer(&self, path: &'static str, body: Vec<u8>) {
        self.state.0.lock().unwrap().answers.insert(path, body);
    }

    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Waits until what arrived is as it should be.
    pub fn wait(&self, within: Duration, enough: impl Fn(&[Got]) -> bool) -> Vec<Got> {
        let until = Instant::now() + within;
        let mut state = self.state.0.lock().unwrap();
        while !enough(&state.got) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not within {within:?}: {} requests", state.got.len());
            state = self.state.1.wait_timeout(state, left).unwrap().0;
        }
        state.got.clone()
    }

    pub fn got(&self) -> Vec<Got> {
        self.state.0.lock().unwrap().got.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.state.0.lock().unwrap().ended = true;
        if let Some(thread) = self.thread.take() {
            // Wakes the thread that accepts.
            drop(TcpStream::connect(self.address));
            thread.join().unwrap();
        }
    }
}

fn serve(stream: impl Read + Write, shared: &(Mutex<State>, Condvar)) {
    let mut reader = BufReader::new(stream);
    while let Some(got) = read(&mut reader) {
        let mut state = shared.0.lock().unwrap();
        if state.ended {
            return;
        }
        let body = state.answers.get(got.path.as_str()).cloned().unwrap_or_default();
        let busy = match state.busy.get_mut(got.path.as_str()) {
            Some(times @ 1..) => {
                *times -= 1;
                true
            }
            _ => false,
        };
        if !busy {
            state.got.push(got);
        }
        drop(state);
        shared.1.notify_all();
        let status = if busy { "503 Service Unavailable" } else { "200 OK" };
        let body = if busy { Vec::new() } else { body };
        let mut answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend(body);
        let writer = reader.get_mut();
        if writer.write_all(&answer).and_then(|()| writer.flush()).is_err() {
            return;
        }
    }
}

/// The next request of a connection.
pub fn read(reader: &mut BufReader<impl Read>) -> Option<Got> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if headers.contains(&("content-encoding".to_owned(), "gzip".to_owned())) {
        let compressed = std::mem::take(&mut body);
        flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut body).unwrap();
    }
    Some(Got { path, headers, body })
}

pub fn spans(got: &[Got]) -> Vec<Span> {
    let requests = got.iter().filter(|got| got.path == "/v1/traces");
    let requests = requests.map(|got| ExportTraceServiceRequest::decode(got.body.as_slice()).unwrap());
    let resources = requests.flat_map(|request| request.resource_spans);
    resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

pub fn logs(got: &[Got]) -> Vec<ExportLogsServiceRequest> {
    let requests = got.iter().filter(|got| got.path == "/v1/logs");
    requests.map(|got| ExportLogsServiceRequest::decode(got.body.as_slice()).unwrap()).collect()
}

pub fn metrics(got: &[Got]) -> Vec<ExportMetricsServiceRequest> {
    let requests = got.iter().filter(|got| got.path == "/v1/metrics");
    let read = |got: &Got| match got.is_json() {
        true => clew_sdk::serde_json::from_slice(&got.body).unwrap(),
        false => ExportMetricsServiceRequest::decode(got.body.as_slice()).unwrap(),
    };
    requests.map(read).collect()
}

/// The text of an attribute.
pub fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref() {
        Some(AnyValue { value: Some(Value::StringValue(text)), .. }) => Some(text),
        _ => None,
    }
}
