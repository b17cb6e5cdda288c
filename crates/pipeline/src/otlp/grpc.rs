//! OTLP over gRPC: unary calls, framed by hand so that one bounded decompressor serves both protocols.

use super::http::codes;
use super::{Port, body, tenant};
use crate::Outcome;
use crate::intake::{Body, Compression, Reason, Refusal, Taken};
use ::http::{HeaderMap, HeaderValue};
use axum::extract::Request;
use axum::response::Response;
use base64::Engine;
use bytes::Bytes;
use futures::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use model::Signal;
use model::batch::Encoding;
use model::otlp::response;
use std::convert::Infallible;

const RECEIVER: &str = "OTLP/gRPC";

/// What a method is.
enum Call {
    Export(Signal),
    Health,
}

fn call(path: &str) -> Option<Call> {
    Some(match path {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Call::Export(Signal::Traces),
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Call::Export(Signal::Logs),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Call::Export(Signal::Metrics),
        "/grpc.health.v1.Health/Check" => Call::Health,
        _ => return None,
    })
}

/// Takes a call and answers it.
pub async fn answer(port: &Port, request: Request) -> Response {
    let (head, request_body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let result = match call(&path) {
        Some(Call::Health) => return success(&response::encode_serving()),
        Some(Call::Export(signal)) => take(port, signal, &head.headers, request_body).await,
        None => {
            let message = format!("{path} is not a method of OTLP's trace, logs or metrics service");
            Err(Refusal::new(Reason::UnknownPath, message))
        }
    };
    note(port, &path, &result);
    match result {
        Ok(taken) => success(&response::encode_response(taken.rejected, &taken.message)),
        Err(refusal) => failure(&refusal),
    }
}

async fn take(
    port: &Port,
    signal: Signal,
    headers: &HeaderMap,
    request_body: axum::body::Body,
) -> Result<Taken, Refusal> {
    let tenant = tenant::of(headers)?;
    let named = headers.get("grpc-encoding").map_or(Ok(""), |value| value.to_str()).unwrap_or("?");
    let compression = Compression::parse(named)?;
    let (bytes, _room) = body::read(&port.intake, headers, request_body).await?;
    let (compressed, message) = frame(&bytes)?;
    let compression = if compressed { compression } else { Compression::Identity };
    port.intake
        .take(Body { tenant, signal, compression, encoding: Some(Encoding::Protobuf), bytes: message })
        .await
}

/// The one message of a unary call: a flag, four bytes of length, the message.
fn frame(bytes: &Bytes) -> Result<(bool, Bytes), Refusal> {
    let broken = |what: &str| Refusal::new(Reason::Invalid, format!("not a gRPC message: {what}"));
    let (Some(flag), Some(length)) = (bytes.first(), bytes.get(1..5)) else {
        return Err(broken("it is shorter than its frame"));
    };
    let length = u32::from_be_bytes(length.try_into().map_err(|_| broken("it is shorter than its frame"))?);
    if bytes.len() - 5 != usize::try_from(length).unwrap_or(usize::MAX) {
        return Err(broken("its length is not what its frame says"));
    }
    match flag {
        0 | 1 => Ok((*flag == 1, bytes.slice(5..))),
        _ => Err(broken("its flag is neither 0 nor 1")),
    }
}

fn headers(answer: &mut Response) {
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip,deflate,zstd"));
}

fn success(message: &[u8]) -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [Frame::data(Bytes::from(response::grpc_frame(message))), Frame::trailers(trailers)];
    let frames = stream::iter(frames.map(Ok::<_, Infallible>));
    let mut answer = Response::new(axum::body::Body::new(StreamBody::new(frames)));
    headers(&mut answer);
    answer
}

fn failure(refusal: &Refusal) -> Response {
    let (_, code) = codes(refusal.reason);
    let mut answer = Response::new(axum::body::Body::empty());
    headers(&mut answer);
    answer.headers_mut().insert("grpc-status", HeaderValue::from(code));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(&refusal.message)) {
        answer.headers_mut().insert("grpc-message", message);
    }
    if let Some(delay) = refusal.retry_after {
        let details = response::encode_status(code, &refusal.message, Some(delay));
        let details = base64::engine::general_purpose::STANDARD_NO_PAD.encode(details);
        if let Ok(details) = HeaderValue::from_str(&details) {
            answer.headers_mut().insert("grpc-status-details-bin", details);
        }
        answer.headers_mut().insert("retry-after", HeaderValue::from(delay.as_secs()));
    }
    answer
}

/// gRPC's form of a message: printable ASCII, all else as `%XX`.
fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'%';
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn note(port: &Port, path: &str, result: &Result<Taken, Refusal>) {
    let method = path.rsplit('.').next().unwrap_or(path);
    let (outcome, hint, items) = match result {
        Ok(taken) if taken.rejected > 0 => {
            (Outcome::Hint, format!("{} refused: {}", taken.rejected, taken.message), taken.accepted)
        }
        Ok(taken) if port.name != RECEIVER => {
            (Outcome::Hint, format!("this is the port of {}; it takes gRPC too", port.name), taken.accepted)
        }
        Ok(taken) => (Outcome::Stored, String::new(), taken.accepted),
        Err(refusal) if refusal.retry_after.is_some() => (Outcome::Refused, refusal.message.clone(), 0),
        Err(refusal) => (Outcome::Rejected, refusal.message.clone(), 0),
    };
    let code = result.as_ref().err().map_or(0, |refusal| codes(refusal.reason).1);
    port.intake.diagnostics.note(RECEIVER, outcome, &format!("{method} → {code}"), &hint, items);
}
