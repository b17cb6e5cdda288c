//! Sends requests of OTLP to a receiver, over HTTP or gRPC. Requests are written already, in protobuf.

use super::SetupError;
use super::destination::{Destination, Protocol};
use super::exporters::{metadata, tls};
use super::retry::{Failure, patiently};
use super::transport::{Client, Trouble};
use crate::retry_after::retry_after;
use crate::span::described;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use prost::Message;
use prost::bytes::{BufMut, Bytes};
use std::borrow::Cow;
use std::error::Error;
use std::io::Write;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use ureq::http::Request;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use ureq::http::uri::PathAndQuery;

/// A request of one of the signals.
pub(super) trait Export: Message + Default + 'static {
    /// What a receiver answers.
    type Answer: Message + Default + 'static;

    /// Its method over gRPC.
    const METHOD: &'static str;

    fn json(&self) -> serde_json::Result<Vec<u8>>;

    fn answered_in_json(bytes: &[u8]) -> serde_json::Result<Self::Answer>;

    /// How many items the receiver did not take, and why.
    fn refused(answer: Self::Answer) -> (i64, String);
}

/// What differs between the signals is their names only.
macro_rules! export {
    ($request:ty, $answer:ty, $method:literal, $rejected:ident) => {
        impl Export for $request {
            type Answer = $answer;
            const METHOD: &'static str = $method;

            fn json(&self) -> serde_json::Result<Vec<u8>> {
                serde_json::to_vec(self)
            }

            fn answered_in_json(bytes: &[u8]) -> serde_json::Result<$answer> {
                serde_json::from_slice(bytes)
            }

            fn refused(answer: $answer) -> (i64, String) {
                let refused = answer.partial_success.unwrap_or_default();
                (refused.$rejected, refused.error_message)
            }
        }
    };
}

export!(
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    rejected_spans
);
export!(
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    rejected_data_points
);
export!(
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    rejected_log_records
);

/// The way to a receiver.
#[derive(Debug)]
pub(super) struct Delivery {
    way: Way,
    destination: Destination,
    /// Whether it was told that the receiver does not take all.
    told: AtomicBool,
}

#[derive(Debug)]
enum Way {
    Http(Client),
    Grpc { channel: Channel, metadata: MetadataMap, runtime: Handle },
}

impl Delivery {
    /// Over gRPC, within the runtime that its connections live in.
    pub(super) fn new(destination: &Destination, trouble: &Trouble) -> Result<Self, SetupError> {
        let way = match destination.protocol {
            Protocol::Grpc => Way::Grpc {
                channel: channel(destination)?,
                metadata: metadata(destination)?,
                runtime: Handle::current(),
            },
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                Way::Http(Client::new(destination, Trouble::clone(trouble))?)
            }
        };
        Ok(Self { way, destination: destination.clone(), told: AtomicBool::new(false) })
    }

    /// Delivers a request, within the destination's time-out; how many of its items were refused. The thread waits for as
    /// long. The buffer may be taken.
    pub(super) fn deliver<E: Export>(&self, request: &mut Vec<u8>) -> Result<usize, String> {
        let within = self.destination.timeout;
        let answer = match &self.way {
            Way::Http(client) => {
                let body = self.body::<E>(request)?;
                patiently(within, || self.over_http::<E>(client, &body))
            }
            Way::Grpc { channel, metadata, runtime } => {
                let body = Bytes::from(std::mem::take(request));
                patiently(within, || {
                    let attempt = self.over_grpc::<E>(channel, metadata, body.clone());
                    runtime.block_on(attempt)
                })
            }
        };
        Ok(self.tell(E::refused(answer?)))
    }

    /// Delivers a request that is not written yet.
    pub(super) fn export<E: Export>(&self, request: &E) -> OTelSdkResult {
        let delivered = self.deliver::<E>(&mut request.encode_to_vec());
        delivered.map(drop).map_err(OTelSdkError::InternalFailure)
    }

    /// Tells once that a receiver does not take all, until it does.
    fn tell(&self, (refused, why): (i64, String)) -> usize {
        if refused == 0 && why.is_empty() {
            self.told.store(false, Ordering::Relaxed);
        } else if !self.told.swap(true, Ordering::Relaxed) {
            let Destination { signal, endpoint, .. } = &self.destination;
            tracing::warn!(target: "clew_sdk", signal, endpoint, refused, why, "the receiver does not take all telemetry");
        }
        usize::try_from(refused).unwrap_or_default()
    }

    fn is_json(&self) -> bool {
        self.destination.protocol == Protocol::HttpJson
    }

    /// The request as it is sent over HTTP.
    fn body<'a, E: Export>(&self, request: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
        let mut body = Cow::Borrowed(request);
        if self.is_json() {
            let request = E::decode(request).map_err(|error| error.to_string())?;
            body = request.json().map_err(|error| error.to_string())?.into();
        }
        if self.destination.gzip {
            let mut packed = GzEncoder::new(Vec::new(), Compression::default());
            packed.write_all(&body).map_err(|error| error.to_string())?;
            body = packed.finish().map_err(|error| error.to_string())?.into();
        }
        Ok(body)
    }

    fn over_http<E: Export>(&self, client: &Client, body: &[u8]) -> Result<E::Answer, Failure> {
        let kind = if self.is_json() { "application/json" } else { "application/x-protobuf" };
        let mut request = Request::post(&self.destination.endpoint).header(CONTENT_TYPE, kind);
        if self.destination.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let request = request.body(body).map_err(|error| Failure::Final(error.to_string()))?;
        let answer = client.run(request).map_err(|error| Failure::ForNow(error.to_string(), None))?;
        let status = answer.status();
        if status.is_success() {
            // All was taken if that cannot be read, as by receivers that answer nothing.
            let body = answer.body().as_ref();
            let read =
                if self.is_json() { E::answered_in_json(body).ok() } else { E::Answer::decode(body).ok() };
            return Ok(read.unwrap_or_default());
        }
        let error = format!("the receiver answered {status}");
        let asked = answer.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
        Err(match status.as_u16() {
            429 | 503 => Failure::ForNow(error, asked),
            502 | 504 => Failure::ForNow(error, None),
            _ => Failure::Final(error),
        })
    }

    async fn over_grpc<E: Export>(
        &self,
        channel: &Channel,
        metadata: &MetadataMap,
        body: Bytes,
    ) -> Result<E::Answer, Failure> {
        let mut client = tonic::client::Grpc::new(channel.clone());
        if self.destination.gzip {
            let gzip = CompressionEncoding::Gzip;
            client = client.send_compressed(gzip).accept_compressed(gzip);
        }
        client.ready().await.map_err(|error| Failure::ForNow(described(&error).1, None))?;
        let request = tonic::Request::from_parts(metadata.clone(), tonic::Extensions::default(), body);
        let path = PathAndQuery::from_static(E::METHOD);
        let answer = client.unary(request, path, Whole::<E::Answer>(PhantomData)).await;
        Ok(answer.map_err(|status| failure(&status))?.into_inner())
    }
}

fn channel(destination: &Destination) -> Result<Channel, SetupError> {
    let wrong = |_| SetupError::Endpoint(destination.endpoint.clone());
    let mut endpoint = Endpoint::from_shared(destination.endpoint.clone()).map_err(wrong)?;
    if destination.endpoint.starts_with("https://") {
        endpoint =
            endpoint.tls_config(tls(destination)?).map_err(|error| SetupError::Tls(described(&error).1))?;
    }
    Ok(endpoint.timeout(destination.timeout).connect_lazy())
}

/// Which statuses may pass, as OTLP has it: <https://opentelemetry.io/docs/specs/otlp/#failures>.
fn failure(status: &Status) -> Failure {
    let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let code = status.code();
    let error = match status.source() {
        Some(source) => format!("gRPC {code:?}: {}", described(source).1),
        None => format!("gRPC {code:?}: {}", status.message()),
    };
    match code {
        Code::Unavailable => Failure::ForNow(error, asked),
        Code::ResourceExhausted if asked.is_some() => Failure::ForNow(error, asked),
        Code::Cancelled | Code::DeadlineExceeded | Code::Aborted | Code::OutOfRange | Code::DataLoss => {
            Failure::ForNow(error, None)
        }
        _ => Failure::Final(error),
    }
}

/// Sends a message that is written already, and reads the answer.
#[derive(Debug)]
struct Whole<A>(PhantomData<A>);

impl<A: Message + Default + 'static> Codec for Whole<A> {
    type Encode = Bytes;
    type Decode = A;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self {
        Self(PhantomData)
    }
}

impl<A> Encoder for Whole<A> {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl<A: Message + Default> Decoder for Whole<A> {
    type Item = A;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<A>, Status> {
        A::decode(buffer).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
