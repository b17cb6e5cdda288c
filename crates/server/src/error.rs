//! What went wrong, as an answer: kinds become status codes here and nowhere else.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode};
use model::Kind;
use serde_json::json;

/// An answer that is an error.
#[derive(Debug)]
pub struct ApiError {
    pub kind: Kind,
    pub message: String,
    /// Position in the query of what is at fault.
    pub at: Option<usize>,
}

impl ApiError {
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { kind: Kind::Invalid, message: message.into(), at: None }
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self { kind: Kind::NotFound, message: message.into(), at: None }
    }
}

impl From<query::Error> for ApiError {
    fn from(error: query::Error) -> Self {
        let at = match &error {
            query::Error::Parse(parse) => Some(parse.at),
            _ => None,
        };
        Self { kind: error.kind(), message: error.to_string(), at }
    }
}

impl From<query::ParseError> for ApiError {
    fn from(error: query::ParseError) -> Self {
        query::Error::from(error).into()
    }
}

/// The status code of a kind.
pub const fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::Busy => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "invalid",
        Kind::NotFound => "notFound",
        Kind::Denied => "denied",
        Kind::Busy => "busy",
        Kind::Unavailable => "unavailable",
        Kind::Internal => "internal",
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.kind == Kind::Internal {
            tracing::error!(message = self.message, "a question could not be answered");
        }
        let body = json!({"error": {"kind": name(self.kind), "message": self.message, "at": self.at}});
        let mut answer = (status(self.kind), Json(body)).into_response();
        if matches!(self.kind, Kind::Busy | Kind::Unavailable) {
            answer.headers_mut().insert("retry-after", HeaderValue::from_static("1"));
        }
        answer
    }
}
