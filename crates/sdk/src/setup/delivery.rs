//! Sends spans to a receiver of OTLP, over HTTP or gRPC.

use super::SetupError;
use super::destination::{Destination, Protocol};
use super::exporters::{Told, metadata, tls};
use super::retry::{Failure, patiently};
use super::transport::{Client, Trouble};
use crate::queue::Outlet;
use crate::retry_after::retry_after;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_http::{Bytes, Request};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::borrow::Cow;
use std::io::Write;
use std::time::Duration;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};

const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The way to a receiver.
#[derive(Debug)]
pub(super) struct Delivery {
    way: Way,
    timeout: Duration,
    /// Whether it refused spans of the batch before.
    refused: bool,
}

#[derive(Debug)]
enum Way {
    Http(Http),
    Grpc(Grpc),
}

impl Delivery {
    pub(super) fn new(destination: &Destination, trouble: &Trouble) -> Result<Self, SetupError> {
        let way = match destination.protocol {
            Protocol::Grpc => Way::Grpc(Grpc::new(destination)?),
            Protocol::HttpProtobuf | Protocol::HttpJson => Way::Http(Http::new(destination, trouble)?),
        };
        Ok(Self { way, timeout: destination.timeout, refused: false })
    }

    fn deliver(&self, request: &mut Vec<u8>) -> Result<ExportTraceServiceResponse, String> {
        match &self.way {
            Way::Http(http) => {
                let body = http.body(request)?;
                patiently(self.timeout, || http.attempt(&body))
            }
            Way::Grpc(grpc) => {
                let body = Bytes::from(std::mem::take(request));
                patiently(self.timeout, || futures_executor::block_on(grpc.attempt(body.clone())))
            }
        }
    }
}

impl Outlet for Told<Delivery> {
    fn send(&mut self, request: &mut Vec<u8>) -> Option<usize> {
        let answer = self.exporter.deliver(request);
        self.tell(answer.as_ref().err().cloned());
        let partial = answer.ok()?.partial_success.unwrap_or_default();
        let refused = usize::try_from(partial.rejected_spans).unwrap_or_default();
        let (told, error) =
            (std::mem::replace(&mut self.exporter.refused, refused > 0), partial.error_message);
        if (refused > 0 && !told) || (refused == 0 && !error.is_empty()) {
            let (signal, endpoint) = (self.signal, &self.endpoint);
            tracing::warn!(target: "clew_sdk", signal, endpoint, refused, error, "the receiver did not take all");
        }
        Some(refused)
    }
}

/// OTLP over HTTP, in protobuf or JSON.
#[derive(Debug)]
struct Http {
    client: Client,
    endpoint: String,
    json: bool,
    gzip: bool,
}

impl Http {
    fn new(destination: &Destination, trouble: &Trouble) -> Result<Self, SetupError> {
        let client = Client::new(destination, Trouble::clone(trouble))?;
        let json = destination.protocol == Protocol::HttpJson;
        Ok(Self { client, endpoint: destination.endpoint.clone(), json, gzip: destination.gzip })
    }

    /// The request as it is sent.
    fn body<'a>(&self, request: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
        let mut body = Cow::Borrowed(request);
        if self.json {
            let request = ExportTraceServiceRequest::decode(request).map_err(|error| error.to_string())?;
            body = serde_json::to_vec(&request).map_err(|error| error.to_string())?.into();
        }
        if self.gzip {
            let mut packed = GzEncoder::new(Vec::new(), Compression::default());
            packed.write_all(&body).map_err(|error| error.to_string())?;
            body = packed.finish().map_err(|error| error.to_string())?.into();
        }
        Ok(body)
    }

    fn attempt(&self, body: &[u8]) -> Result<ExportTraceServiceResponse, Failure> {
        let kind = if self.json { "application/json" } else { "application/x-protobuf" };
        let mut request = Request::post(&self.endpoint).header(CONTENT_TYPE, kind);
        if self.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let request = request.body(body).map_err(|error| Failure::Final(error.to_string()))?;
        let answer = self.client.run(request).map_err(|error| Failure::ForNow(error.to_string(), None))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(self.read(answer.body()));
        }
        let error = format!("the receiver answered {status}");
        let asked = answer.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
        Err(match status.as_u16() {
            429 | 503 => Failure::ForNow(error, asked),
            502 | 504 => Failure::ForNow(error, None),
            _ => Failure::Final(error),
        })
    }

    /// What a receiver answers; all was taken if that cannot be read, as by receivers that answer nothing.
    fn read(&self, body: &[u8]) -> ExportTraceServiceResponse {
        if self.json {
            serde_json::from_slice(body).unwrap_or_default()
        } else {
            ExportTraceServiceResponse::decode(body).unwrap_or_default()
        }
    }
}

/// OTLP over gRPC.
#[derive(Debug)]
struct Grpc {
    channel: Channel,
    metadata: MetadataMap,
    gzip: bool,
}

impl Grpc {
    fn new(destination: &Destination) -> Result<Self, SetupError> {
        let wrong = |_| SetupError::Endpoint(destination.endpoint.clone());
        let mut endpoint = Endpoint::from_shared(destination.endpoint.clone()).map_err(wrong)?;
        if destination.endpoint.starts_with("https://") {
            endpoint = endpoint.tls_config(tls(destination)?).map_err(wrong)?;
        }
        let channel = endpoint.timeout(destination.timeout).connect_lazy();
        Ok(Self { channel, metadata: metadata(destination)?, gzip: destination.gzip })
    }

    async fn attempt(&self, body: Bytes) -> Result<ExportTraceServiceResponse, Failure> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        if self.gzip {
            client = client
                .send_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Gzip);
        }
        let gone = |error| failure(&Status::unavailable(format!("{error}")));
        client.ready().await.map_err(gone)?;
        let mut request = tonic::Request::new(body);
        *request.metadata_mut() = self.metadata.clone();
        let path = ureq::http::uri::PathAndQuery::from_static(METHOD);
        let answer = client.unary(request, path, Whole).await;
        Ok(answer.map_err(|status| failure(&status))?.into_inner())
    }
}

/// Which statuses may pass, as OTLP has it: <https://opentelemetry.io/docs/specs/otlp/#failures>.
fn failure(status: &Status) -> Failure {
    let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let error = format!("{}: {}", status.code(), status.message());
    match status.code() {
        Code::Unavailable => Failure::ForNow(error, asked),
        Code::ResourceExhausted if asked.is_some() => Failure::ForNow(error, asked),
        Code::Cancelled | Code::DeadlineExceeded | Code::Aborted | Code::OutOfRange | Code::DataLoss => {
            Failure::ForNow(error, None)
        }
        _ => Failure::Final(error),
    }
}

/// Sends a message that is written already.
#[derive(Debug, Clone, Copy)]
struct Whole;

impl Codec for Whole {
    type Encode = Bytes;
    type Decode = ExportTraceServiceResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Whole {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::bytes::BufMut::put(buffer, item);
        Ok(())
    }
}

impl Decoder for Whole {
    type Item = ExportTraceServiceResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        ExportTraceServiceResponse::decode(buffer)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
