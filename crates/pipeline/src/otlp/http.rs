//! OTLP over HTTP: protobuf or JSON, answered in kind. Errors are `google.rpc.Status` messages that say how to mend it.

use super::path::{Target, target};
use super::{Port, body, cors, tenant};
use crate::Outcome;
use crate::intake::{Body, Compression, Reason, Refusal, Taken};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use model::Signal;
use model::batch::Encoding;
use model::otlp::response;

const RECEIVER: &str = "OTLP/HTTP";

/// Takes a request and answers it.
pub async fn answer(port: &Port, request: Request) -> Response {
    let (head, request_body) = request.into_parts();
    let path = head.uri.path();
    if head.method == Method::OPTIONS {
        let mut answer = StatusCode::NO_CONTENT.into_response();
        cors::allow(&head.headers, answer.headers_mut());
        return answer;
    }
    let said = encoding(&head.headers);
    let taking =
        take(port, path, &head.method, &head.headers, said.as_ref().ok().copied().flatten(), request_body);
    let result = match &said {
        Err(refusal) if head.method == Method::POST && !matches!(target(path), Target::Unknown { .. }) => {
            Err(refusal.clone())
        }
        _ => taking.await,
    };
    let replying = said.ok().flatten().unwrap_or(Encoding::Json);
    let mut answer = match &result {
        Ok((signal, taken)) => success(*signal, taken, replying),
        Err(refusal) => failure(refusal, replying),
    };
    note(port, &head.method, path, result.as_ref().map(|(_, taken)| taken), answer.status());
    cors::allow(&head.headers, answer.headers_mut());
    answer
}

async fn take(
    port: &Port,
    path: &str,
    method: &Method,
    headers: &HeaderMap,
    said: Option<Encoding>,
    request_body: axum::body::Body,
) -> Result<(Signal, Taken), Refusal> {
    let target = target(path);
    if let Target::Unknown { hint } = &target {
        return Err(Refusal::new(Reason::UnknownPath, format!("nothing takes telemetry at {path}; {hint}")));
    }
    if method != Method::POST {
        return Err(Refusal::new(Reason::WrongMethod, format!("telemetry is sent with POST, not {method}")));
    }
    if let Some(origin) = cors::foreign_origin(headers) {
        return Err(Refusal::new(
            Reason::Invalid,
            format!("pages of {origin} may not send here; only pages served from this machine may"),
        ));
    }
    let tenant = tenant::of(headers)?;
    let compression = Compression::parse(
        headers.get("content-encoding").map_or(Ok(""), |value| value.to_str()).unwrap_or("?"),
    )?;
    let (bytes, _room) = body::read(&port.intake, headers, request_body).await?;
    let signal = match target {
        Target::Signal(signal) | Target::Mended(signal, _) => signal,
        Target::Root | Target::Unknown { .. } => guess(&bytes, compression)?,
    };
    let taken = port.intake.take(Body { tenant, signal, compression, encoding: said, bytes }).await?;
    Ok((signal, taken))
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
        other => {
            let shown: String = other.chars().take(60).collect();
            let message = format!(
                "the content type {shown:?} is not OTLP; send application/x-protobuf or application/json"
            );
            Err(Refusal::new(Reason::WrongType, message))
        }
    }
}

/// The signal of a body sent to the root, when its JSON says.
fn guess(bytes: &[u8], compression: Compression) -> Result<Signal, Refusal> {
    let head = bytes.get(..bytes.len().min(200)).unwrap_or_default();
    let text = String::from_utf8_lossy(head);
    let names = [
        ("resourceSpans", Signal::Traces),
        ("resourceLogs", Signal::Logs),
        ("resourceMetrics", Signal::Metrics),
    ];
    let found =
        names.into_iter().find(|(name, _)| compression == Compression::Identity && text.contains(name));
    found.map(|(_, signal)| signal).ok_or_else(|| {
        Refusal::new(Reason::UnknownPath, "the path is missing; send to /v1/traces, /v1/logs or /v1/metrics")
    })
}

fn success(signal: Signal, taken: &Taken, encoding: Encoding) -> Response {
    match encoding {
        Encoding::Json => {
            let text = response::json_response(signal, taken.rejected, &taken.message);
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

fn failure(refusal: &Refusal, encoding: Encoding) -> Response {
    let (status, code) = codes(refusal.reason);
    let mut answer = match encoding {
        Encoding::Json => {
            let text = serde_json::json!({"code": code, "message": refusal.message}).to_string();
            ([("content-type", "application/json")], text).into_response()
        }
        Encoding::Protobuf => {
            let bytes = response::encode_status(code, &refusal.message, None);
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

fn note(port: &Port, method: &Method, path: &str, result: Result<&Taken, &Refusal>, status: StatusCode) {
    let summary = format!("{method} {path} → {}", status.as_u16());
    let (outcome, hint, items) = match (result, target(path)) {
        (Ok(taken), _) if taken.rejected > 0 => {
            (Outcome::Hint, format!("{} refused: {}", taken.rejected, taken.message), taken.accepted)
        }
        (Ok(taken), Target::Mended(_, hint)) => (Outcome::Hint, hint, taken.accepted),
        (Ok(taken), Target::Root) => (
            Outcome::Hint,
            "the path is missing: send to /v1/traces, /v1/logs or /v1/metrics".to_owned(),
            taken.accepted,
        ),
        (Ok(taken), _) if port.name != RECEIVER => (
            Outcome::Hint,
            format!("this is the port of {}; it takes OTLP/HTTP too", port.name),
            taken.accepted,
        ),
        (Ok(taken), _) => (Outcome::Stored, String::new(), taken.accepted),
        (Err(refusal), _) if refusal.retry_after.is_some() => (Outcome::Refused, refusal.message.clone(), 0),
        (Err(refusal), _) => (Outcome::Rejected, refusal.message.clone(), 0),
    };
    port.intake.diagnostics.note(RECEIVER, outcome, &summary, &hint, items);
}
