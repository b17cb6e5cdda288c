//! What Jaeger puts around every answer, and around every error.

use crate::error::ApiError;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use model::Kind;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use std::convert::Infallible;

/// Whether an answer is laid out for people: `prettyPrint`.
#[derive(Debug, Clone, Copy)]
pub enum Layout {
    Dense,
    Indented,
}

impl<S: Sync> FromRequestParts<S> for Layout {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let asked = parts.uri.query().unwrap_or_default().split('&').any(|parameter| {
            parameter.strip_prefix("prettyPrint=").is_some_and(|value| !value.is_empty() && value != "false")
        });
        Ok(if asked { Self::Indented } else { Self::Dense })
    }
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    data: Option<&'a T>,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<Vec<Problem>>,
}

/// Something that went wrong, beside what went right.
#[derive(Debug, Serialize)]
pub struct Problem {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    msg: String,
    #[serde(rename = "traceID", skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl Problem {
    pub fn missing(trace_id: &str) -> Self {
        Self { code: None, msg: "trace not found".to_owned(), trace_id: Some(trace_id.to_owned()) }
    }

    pub const fn note(msg: String) -> Self {
        Self { code: None, msg, trace_id: None }
    }
}

/// Jaeger's envelope around an answer.
pub fn answer<T: Serialize>(
    layout: Layout,
    data: &T,
    total: usize,
    errors: Option<Vec<Problem>>,
) -> Response {
    match written(layout, data, total, errors) {
        Ok(body) => ([("content-type", "application/json")], body).into_response(),
        Err(error) => refused(error),
    }
}

/// The same, as it is written.
pub fn written<T: Serialize>(
    layout: Layout,
    data: &T,
    total: usize,
    errors: Option<Vec<Problem>>,
) -> Result<Vec<u8>, ApiError> {
    let envelope = Envelope { data: Some(data), total, limit: 0, offset: 0, errors };
    let mut body = Vec::new();
    let written = match layout {
        Layout::Dense => serde_json::to_writer(&mut body, &envelope),
        Layout::Indented => {
            let formatter = PrettyFormatter::with_indent(b"    ");
            envelope.serialize(&mut Serializer::with_formatter(&mut body, formatter))
        }
    };
    written.map(|()| body).map_err(|error| ApiError::new(Kind::Internal, error.to_string()))
}

/// Jaeger's envelope around an error.
pub fn failure(status: StatusCode, message: &str) -> Response {
    let problem = Problem { code: Some(status.as_u16()), msg: message.to_owned(), trace_id: None };
    let envelope = Envelope::<()> { data: None, total: 0, limit: 0, offset: 0, errors: Some(vec![problem]) };
    let body = serde_json::to_string(&envelope).unwrap_or_default() + "\n";
    (status, [("content-type", "text/plain; charset=utf-8")], body).into_response()
}

/// An error of ours in Jaeger's envelope.
#[expect(clippy::needless_pass_by_value, reason = "it ends here, as the end of a chain of results")]
pub fn refused(error: ApiError) -> Response {
    if error.kind == Kind::Internal {
        tracing::error!(message = error.message, "a question in Jaeger's form could not be answered");
    }
    failure(error.status(), &error.message)
}
