//! OTLP over gRPC: unary calls, framed by hand so that one bounded decompressor serves both protocols.

use super::http::codes;
use super::{Port, body, tenant};
use crate::intake::{Body, Compression, Reason, Refusal, Taken};
use ::http::{HeaderMap, HeaderValue, Version};
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

/// Characters of a message: it travels in a header, and clients bound those.
const MESSAGE_CHARACTERS: usize = 1_000;

/// What a method is.
#[derive(Clone, Copy)]
enum Call {
    Export(Signal),
    Health,
}

impl Call {
    const fn signal(self) -> Option<Signal> {
        match self {
            Self::Export(signal) => Some(signal),
            Self::Health => None,
        }
    }
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
    let (head, mut request_body) = request.into_parts();
    let path = head.uri.path();
    if head.version < Version::HTTP_2 {
        return refuse_old_http(port, path);
    }
    let called = call(path);
    let result = match called {
        Some(Call::Health) => return success(&response::encode_serving()),
        Some(Call::Export(signal)) => take(port, signal, &head.headers, &mut request_body).await,
        None => {
            let message = format!(
                "{path} is not a method of OTLP's trace, logs or metrics service; send to the Export method of one of them"
            );
            Err(Refusal::new(Reason::UnknownPath, message))
        }
    };
    let method = path.rsplit('.').next().unwrap_or(path);
    let code = result.as_ref().err().map_or(0, |refusal| codes(refusal.reason).1);
    let signal = called.and_then(Call::signal);
    port.note(RECEIVER, &format!("{method} → {code}"), signal, &result, None);
    match result {
        Ok(taken) => success(&response::encode_response(taken.rejected, &taken.message)),
        Err(refusal) => failure(&refusal),
    }
}

/// gRPC's status travels in trailers, which HTTP/1 clients seldom read: they are told in HTTP's own way.
fn refuse_old_http(port: &Port, path: &str) -> Response {
    let message = "gRPC needs HTTP/2 from the first byte (h2c); a proxy on the way may speak HTTP/1 only. Or send OTLP/HTTP to /v1/traces, /v1/logs or /v1/metrics";
    let refusal = Refusal::new(Reason::WrongType, message);
    let answer = super::http::failure(&refusal, Encoding::Json);
    port.note(RECEIVER, &format!("HTTP/1 {path} → {}", answer.status().as_u16()), None, &Err(refusal), None);
    answer
}

async fn take(
    port: &Port,
    signal: Signal,
    headers: &HeaderMap,
    request_body: &mut axum::body::Body,
) -> Result<Taken, Refusal> {
    let tenant = tenant::of(headers)?;
    let named = headers.get("grpc-encoding").map_or(Ok(""), HeaderValue::to_str).unwrap_or("?");
    let compression = Compression::parse(named)?;
    let (bytes, room) = body::read(&port.intake, headers, request_body).await?;
    let (compressed, bytes) = frame(&bytes)?;
    let compression = match (compressed, compression) {
        (true, Compression::Identity) => {
            let message = "the message is marked as compressed, but there is no grpc-encoding header; name the compression there";
            return Err(Refusal::new(Reason::Invalid, message));
        }
        (true, compression) => compression,
        (false, _) => Compression::Identity,
    };
    let encoding = Some(Encoding::Protobuf);
    port.intake.take(Body { tenant, signal: Some(signal), compression, encoding, bytes, room }).await
}

/// The one message of a unary call: a flag, four bytes of length, the message.
fn frame(bytes: &Bytes) -> Result<(bool, Bytes), Refusal> {
    let broken = |what: &str| Refusal::new(Reason::Invalid, format!("not a gRPC message: {what}"));
    let Some((&[flag, a, b, c, d], message)) = bytes.split_first_chunk::<5>() else {
        return Err(broken("it is shorter than its frame"));
    };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if message.len() != length {
        return Err(broken(&format!("its frame says {length} bytes, {} came", message.len())));
    }
    match flag {
        0 | 1 => Ok((flag == 1, bytes.slice(5..))),
        _ => Err(broken(&format!("its flag is {flag}, neither 0 nor 1"))),
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
    let text: String = refusal.message.chars().take(MESSAGE_CHARACTERS).collect();
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(&text)) {
        answer.headers_mut().insert("grpc-message", message);
    }
    if let Some(delay) = refusal.retry_after {
        let details = response::encode_status(code, &text, Some(delay));
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

#[cfg(test)]
mod tests {
    use super::{frame, percent_encoded};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encoded("100% größer\n"), "100%25 gr%C3%B6%C3%9Fer%0A");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok((_, message)) = frame(&bytes.clone().into()) {
                prop_assert_eq!(message.len() + 5, bytes.len());
            }
        }

        #[test]
        fn what_is_framed_is_read(message in proptest::collection::vec(any::<u8>(), 0..64)) {
            let framed = model::otlp::response::grpc_frame(&message);
            let (compressed, read) = frame(&framed.into()).unwrap();
            prop_assert!(!compressed && read == message);
        }
    }
}
