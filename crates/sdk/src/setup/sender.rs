//! Sends requests of OTLP, over HTTP or gRPC, and sends again what may be taken later.
//!
//! Source: OpenTelemetry protocol specification, "Failures" and "Partial success".

use super::SetupError;
use super::destination::{Destination, Protocol};
use super::exporters::{metadata, tls};
use super::transport::{Client, Trouble};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use prost::Message;
use std::error::Error;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tonic::codec::CompressionEncoding;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use ureq::http::{Response, StatusCode};

/// How often a request is sent again.
const AGAIN: u32 = 3;
/// How long is waited before that, twice as long each time.
const WAIT: Duration = Duration::from_millis(100);
/// Receivers may ask for a longer wait, but no longer than this.
const LONGEST: Duration = Duration::from_secs(30);

/// The answers of a receiver that may take a request later.
const LATER: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// A request of one of the signals.
pub(super) trait Request: Message + Clone + Default + 'static {
    type Answer: Message + Default + 'static;

    /// Its method over gRPC.
    const METHOD: &'static str;

    fn json(&self) -> serde_json::Result<Vec<u8>>;

    fn answered_in_json(bytes: &[u8]) -> serde_json::Result<Self::Answer>;

    /// How many items the receiver did not take, and why.
    fn refused(answer: Self::Answer) -> (i64, String);
}

/// What differs between the signals is their names only.
macro_rules! request {
    ($request:ty, $answer:ty, $method:literal, $rejected:ident) => {
        impl Request for $request {
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

request!(
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    rejected_data_points
);
request!(
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    rejected_log_records
);

/// Sends to one destination.
#[derive(Debug)]
pub(super) struct Sender {
    way: Way,
    signal: &'static str,
    timeout: Duration,
    /// Whether it was told that the receiver does not take all.
    told: AtomicBool,
}

#[derive(Debug)]
enum Way {
    Http(Http),
    Grpc { client: tonic::client::Grpc<Channel>, metadata: MetadataMap },
}

#[derive(Debug)]
struct Http {
    client: Client,
    endpoint: String,
    json: bool,
    gzip: bool,
}

/// Why a request was not taken.
struct Failure {
    why: String,
    /// Whether it may be taken later.
    again: bool,
    /// How long the receiver asks to wait.
    after: Option<Duration>,
}

impl Failure {
    fn last(error: &dyn Error) -> Self {
        Self { why: error.to_string(), again: false, after: None }
    }
}

impl Sender {
    pub(super) fn new(to: &Destination, trouble: &Trouble) -> Result<Self, SetupError> {
        let way = match to.protocol {
            Protocol::Grpc => {
                let mut client = tonic::client::Grpc::new(channel(to)?);
                if to.gzip {
                    let gzip = CompressionEncoding::Gzip;
                    client = client.send_compressed(gzip).accept_compressed(gzip);
                }
                Way::Grpc { client, metadata: metadata(to)? }
            }
            protocol => {
                let client = Client::new(to, Trouble::clone(trouble))?;
                let json = protocol == Protocol::HttpJson;
                Way::Http(Http { client, endpoint: to.endpoint.clone(), json, gzip: to.gzip })
            }
        };
        Ok(Self { way, signal: to.signal, timeout: to.timeout, told: AtomicBool::new(false) })
    }

    /// Sends a request, within the destination's time-out; the thread waits for as long.
    pub(super) async fn send<R: Request>(&self, request: R) -> OTelSdkResult {
        let until = Instant::now() + self.timeout;
        let mut wait = WAIT;
        for attempt in 0..=AGAIN {
            let failure = match self.sent_once(&request).await {
                Ok(answer) => {
                    self.tell(R::refused(answer));
                    return Ok(());
                }
                Err(failure) => failure,
            };
            wait = wait.max(failure.after.unwrap_or_default().min(LONGEST));
            if !failure.again || attempt == AGAIN || Instant::now() + wait >= until {
                return Err(OTelSdkError::InternalFailure(failure.why));
            }
            pause(wait + jitter());
            wait *= 2;
        }
        Ok(())
    }

    async fn sent_once<R: Request>(&self, request: &R) -> Result<R::Answer, Failure> {
        match &self.way {
            Way::Http(http) => http.send(request).await,
            Way::Grpc { client, metadata } => {
                over_grpc(client.clone(), metadata.clone(), request.clone()).await
            }
        }
    }

    /// Tells once that a receiver does not take all, until it does.
    fn tell(&self, (refused, why): (i64, String)) {
        if refused == 0 && why.is_empty() {
            self.told.store(false, Ordering::Relaxed);
        } else if !self.told.swap(true, Ordering::Relaxed) {
            let signal = self.signal;
            tracing::warn!(target: "clew_sdk", signal, refused, why, "the receiver does not take all telemetry");
        }
    }
}

fn channel(to: &Destination) -> Result<Channel, SetupError> {
    let wrong = |_| SetupError::Endpoint(to.endpoint.clone());
    let mut endpoint = Endpoint::from_shared(to.endpoint.clone()).map_err(wrong)?.timeout(to.timeout);
    if to.endpoint.starts_with("https://") {
        endpoint = endpoint.tls_config(tls(to)?).map_err(|error| SetupError::Tls(chain(&error)))?;
    }
    Ok(endpoint.connect_lazy())
}

impl Http {
    async fn send<R: Request>(&self, request: &R) -> Result<R::Answer, Failure> {
        let bytes = self.post(self.body(request)?).await?;
        // What is answered is only looked at: whoever answers otherwise took the request, too.
        let answer = if self.json { R::answered_in_json(&bytes).ok() } else { R::Answer::decode(bytes).ok() };
        Ok(answer.unwrap_or_default())
    }

    fn body(&self, request: &impl Request) -> Result<Vec<u8>, Failure> {
        let body = if self.json {
            request.json().map_err(|error| Failure::last(&error))?
        } else {
            request.encode_to_vec()
        };
        if self.gzip { compressed(&body).map_err(|error| Failure::last(&error)) } else { Ok(body) }
    }

    async fn post(&self, body: Vec<u8>) -> Result<Bytes, Failure> {
        let kind = if self.json { "application/json" } else { "application/x-protobuf" };
        let mut request = opentelemetry_http::Request::post(&self.endpoint).header("content-type", kind);
        if self.gzip {
            request = request.header("content-encoding", "gzip");
        }
        let request = request.body(Bytes::from(body)).map_err(|error| Failure::last(&error))?;
        // A receiver that was not reached may be there soon.
        let lost = |error: HttpError| Failure { why: error.to_string(), again: true, after: None };
        let answer = self.client.send_bytes(request).await.map_err(lost)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let why = format!("the receiver answered {status}");
        Err(Failure { why, again: LATER.contains(&status), after: retry_after(&answer) })
    }
}

fn compressed(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}

/// `Retry-After`: seconds or a date.
fn retry_after(answer: &Response<Bytes>) -> Option<Duration> {
    let told = answer.headers().get("retry-after")?.to_str().ok()?;
    let seconds = told.trim().parse().ok().map(Duration::from_secs);
    seconds.or_else(|| httpdate::parse_http_date(told).ok()?.duration_since(SystemTime::now()).ok())
}

async fn over_grpc<R: Request>(
    mut client: tonic::client::Grpc<Channel>,
    metadata: MetadataMap,
    request: R,
) -> Result<R::Answer, Failure> {
    let failed =
        |status: Status| Failure { why: said(&status), again: comes_again(status.code()), after: None };
    client.ready().await.map_err(|error| Failure { why: chain(&error), again: true, after: None })?;
    let request = tonic::Request::from_parts(metadata, tonic::Extensions::default(), request);
    let codec = ProstCodec::<R, R::Answer>::default();
    let answer = client.unary(request, PathAndQuery::from_static(R::METHOD), codec).await;
    answer.map(tonic::Response::into_inner).map_err(failed)
}

fn comes_again(code: Code) -> bool {
    matches!(
        code,
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn said(status: &Status) -> String {
    let code = status.code();
    match status.source() {
        Some(source) => format!("gRPC {code:?}: {}", chain(source)),
        None => format!("gRPC {code:?}: {}", status.message()),
    }
}

/// An error and what caused it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        said = format!("{said}: {cause}");
        next = cause.source();
    }
    said
}

/// Some of a tenth of a second, so that programs that were refused at once do not come again at once.
fn jitter() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_micros(u64::from(since.subsec_micros() % 100_000))
}

/// Lets this thread, which does nothing but send, wait.
fn pause(wait: Duration) {
    let until = Instant::now() + wait;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}
