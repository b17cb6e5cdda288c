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
    /// Where HTTP has a more telling status than the kind's.
    told_as: Option<StatusCode>,
}

impl ApiError {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), at: None, told_as: None }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self { told_as: Some(StatusCode::PAYLOAD_TOO_LARGE), ..Self::invalid(message) }
    }

    pub fn wrong_method() -> Self {
        let message = "this path does not take this method; /api/v1/openapi.json says which";
        Self { told_as: Some(StatusCode::METHOD_NOT_ALLOWED), ..Self::invalid(message) }
    }

    pub fn status(&self) -> StatusCode {
        self.told_as.unwrap_or_else(|| status(self.kind))
    }
}

impl From<query::Error> for ApiError {
    fn from(error: query::Error) -> Self {
        let at = match &error {
            query::Error::Parse(parse) => Some(parse.at),
            _ => None,
        };
        let told_as =
            matches!(error, query::Error::Execution { .. }).then_some(StatusCode::UNPROCESSABLE_ENTITY);
        Self { at, told_as, ..Self::new(error.kind(), error.to_string()) }
    }
}

impl From<query::ParseError> for ApiError {
    fn from(error: query::ParseError) -> Self {
        query::Error::from(error).into()
    }
}

/// The status code of a kind.
const fn status(kind: Kind) -> StatusCode {
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
        let mut answer = (self.status(), Json(body)).into_response();
        if matches!(self.kind, Kind::Busy | Kind::Unavailable) {
            answer.headers_mut().insert("retry-after", HeaderValue::from_static("1"));
        }
        answer
    }
}
