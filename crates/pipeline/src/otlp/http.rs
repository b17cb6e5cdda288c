//! OTLP over HTTP: protobuf or JSON, answered in kind. Errors are `google.rpc.Status` messages that say how to mend it.

use super::path::{Target, target};
use super::{Port, body, cors, tenant};
use crate::intake::{Body, Compression, Reason, Refusal, Taken};
use ::http::request::Parts;
use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use model::batch::Encoding;
use model::otlp::response;

pub const RECEIVER: &str = "OTLP/HTTP";

/// Takes a request and answers it.
pub async fn answer(port: &Port, request: Request) -> Response {
    let (head, mut request_body) = request.into_parts();
    let path = head.uri.path();
    if head.method == Method::OPTIONS {
        let mut answer = StatusCode::NO_CONTENT.into_response();
        cors::allow(&head.headers, answer.headers_mut());
        return answer;
    }
    let target = target(path);
    let result = take(port, &target, &head, &mut request_body).await;
    if result.as_ref().is_err_and(|refusal| refusal.reason != Reason::TimedOut) {
        body::discard(&port.intake, &head, &mut request_body).await;
    }
    let mut answer = match &result {
        Ok(taken) => success(taken),
        Err(refusal) => failure(refusal, encoding(&head.headers).ok().flatten().unwrap_or(Encoding::Json)),
    };
    let summary = format!("{} {path} → {}", head.method, answer.status().as_u16());
    port.note(RECEIVER, &summary, target.signal(), &result, target.mended());
    cors::allow(&head.headers, answer.headers_mut());
    answer
}

async fn take(
    port: &Port,
    target: &Target,
    head: &Parts,
    request_body: &mut axum::body::Body,
) -> Result<Taken, Refusal> {
    let (path, method, headers) = (head.uri.path(), &head.method, &head.headers);
    if let Target::Unknown { hint } = target {
        return Err(Refusal::new(Reason::UnknownPath, format!("nothing takes telemetry at {path}; {hint}")));
    }
    if method != Method::POST {
        return Err(Refusal::new(Reason::WrongMethod, format!("telemetry is sent with POST, not {method}")));
    }
    if let Some(origin) = cors::foreign_origin(headers) {
        let message = format!("pages of {origin} may not send here; only pages served from this machine may");
        return Err(Refusal::new(Reason::Denied, message));
    }
    let encoding = encoding(headers)?;
    let tenant = tenant::of(headers)?;
    let named = headers.get("content-encoding").map_or(Ok(""), HeaderValue::to_str).unwrap_or("?");
    let compression = Compression::parse(named)?;
    let (bytes, room) = body::read(&port.intake, headers, request_body).await?;
    port.intake.take(Body { tenant, signal: target.signal(), compression, encoding, bytes, room }).await
}

/// What the content type says; `None` when there is none.
fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Refusal> {
    let Some(value) = headers.get("content-type") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    match text.split(';').next().unwrap_or_default().trim() {
        "application/x-protobuf" | "application/protobuf" | "application/vnd.google.protobuf" => {
            Ok(Some(Encoding::Protobuf))
        }
        "application/json" | "application/x-ndjson" => Ok(Some(Encoding::Json)),
        "" | "application/octet-stream" => Ok(None),
        grpc if grpc.starts_with("application/grpc") => {
            let message = format!(
                "the content type {:?} is not spoken here; send gRPC as application/grpc, or OTLP/HTTP as application/x-protobuf or application/json to /v1/traces, /v1/logs or /v1/metrics",
                grpc.chars().take(60).collect::<String>()
            );
            Err(Refusal::new(Reason::WrongType, message))
        }
        other => {
            let shown: String = other.chars().take(60).collect();
            let message = format!(
                "the content type {shown:?} is not OTLP; send application/x-protobuf or application/json"
            );
            Err(Refusal::new(Reason::WrongType, message))
        }
    }
}

fn success(taken: &Taken) -> Response {
    match taken.encoding {
        Encoding::Json => {
            let text = response::json_response(taken.signal, taken.rejected, &taken.message);
            ([("content-type", "application/json")], text).into_response()
        }
        Encoding::Protobuf => {
            let bytes = response::encode_response(taken.rejected, &taken.message);
            ([("content-type", "application/x-protobuf")], bytes).into_response()
        }
    }
}

/// HTTP's and gRPC's number for a reason.
pub const fn codes(reason: Reason) -> (StatusCode, u32) {
    match reason {
        Reason::Invalid => (StatusCode::BAD_REQUEST, 3),
        Reason::Denied => (StatusCode::FORBIDDEN, 7),
        Reason::UnknownCompression => (StatusCode::BAD_REQUEST, 12),
        Reason::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 8),
        Reason::UnknownPath => (StatusCode::NOT_FOUND, 12),
        Reason::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, 12),
        Reason::WrongType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, 3),
        Reason::Busy => (StatusCode::TOO_MANY_REQUESTS, 8),
        Reason::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, 14),
        Reason::TimedOut => (StatusCode::REQUEST_TIMEOUT, 4),
        Reason::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 13),
    }
}

/// The refusal, as HTTP says it.
pub fn failure(refusal: &Refusal, encoding: Encoding) -> Response {
    let (status, code) = codes(refusal.reason);
    let mut answer = match encoding {
        Encoding::Json => {
            let text = serde_json::json!({"code": code, "message": refusal.message}).to_string();
            ([("content-type", "application/json")], text).into_response()
        }
        Encoding::Protobuf => {
            let bytes = response::encode_status(code, &refusal.message, refusal.retry_after);
            ([("content-type", "application/x-protobuf")], bytes).into_response()
        }
    };
    *answer.status_mut() = status;
    if let Some(delay) = refusal.retry_after {
        answer.headers_mut().insert("retry-after", HeaderValue::from(delay.as_secs()));
    }
    if refusal.reason == Reason::WrongMethod {
        answer.headers_mut().insert("allow", HeaderValue::from_static("POST"));
    }
    answer
}
