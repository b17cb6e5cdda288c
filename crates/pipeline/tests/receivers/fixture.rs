//! A receiver with an exporter that remembers, and requests to send to it.

use async_trait::async_trait;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use model::Batch;
use pipeline::otlp::{Port, router};
use pipeline::{Diagnostics, ExportError, Exporter, Intake, Limits, ReceiverEvent};
use std::io::Write;
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tower::ServiceExt;

/// One span, in JSON.
pub const SPAN: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"chat","kind":3,"startTimeUnixNano":"1000","endTimeUnixNano":"2000"}]}]}]}"#;

/// Remembers batches, or refuses them.
#[derive(Default)]
pub struct Memory {
    pub batches: Mutex<Vec<Batch>>,
    pub failure: Option<ExportError>,
}

#[async_trait]
impl Exporter for Memory {
    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => {
                self.batches.lock().unwrap().push(batch);
                Ok(())
            }
        }
    }
}

/// A receiver under test.
pub struct Fixture {
    pub memory: Arc<Memory>,
    pub diagnostics: Diagnostics,
    pub router: axum::Router,
    pub intake: Arc<Intake>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Answer {
    pub async fn read(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let collected = body.collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Self { status: head.status.as_u16(), headers: head.headers, body: collected.to_bytes(), trailers }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Fixture {
    pub fn new(name: &'static str) -> Self {
        Self::with(name, Memory::default(), Limits::default())
    }

    pub fn with(name: &'static str, memory: Memory, limits: Limits) -> Self {
        let (memory, diagnostics) = (Arc::new(memory), Diagnostics::default());
        let exporter: Arc<dyn Exporter> = memory.clone();
        let intake = Arc::new(Intake::new(exporter, limits, diagnostics.clone(), Handle::current()));
        let router = router(Port { intake: Arc::clone(&intake), name });
        Self { memory, diagnostics, router, intake }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        Answer::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// Sends to a path with these headers.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        self.send(post(path, headers, body)).await
    }

    pub fn stored(&self) -> u64 {
        self.memory.batches.lock().unwrap().iter().map(|batch| batch.accepted).sum()
    }

    pub fn last_event(&self) -> ReceiverEvent {
        self.diagnostics.events_after(0).pop().expect("each request leaves an event")
    }
}

pub fn post(path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path);
    headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value))
        .body(body.into())
        .unwrap()
}

/// One span, in protobuf.
pub fn span() -> Vec<u8> {
    let json = Bytes::from_static(SPAN.as_bytes());
    let batch = model::otlp::decode(
        model::TenantId::default(),
        model::Signal::Traces,
        model::batch::Encoding::Json,
        json,
    );
    model::otlp::encode_spans(&model::otlp::spans(&batch.unwrap().columns[0]))
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

pub fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Spaces, compressed: valid JSON white space, and much larger than it looks.
pub fn gzip_bomb(bytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let chunk = vec![b' '; 1 << 20];
    for _ in 0..bytes.div_ceil(chunk.len()) {
        encoder.write_all(&chunk).unwrap();
    }
    encoder.finish().unwrap()
}
