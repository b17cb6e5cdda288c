//! What Prometheus puts around every answer, and around every error.

use crate::answers::Answers;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use query::promql::line_and_column;
use serde_json::{Map, Value, json};

/// The kinds of errors that clients tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    BadData,
    Execution,
    Timeout,
    Unavailable,
    Internal,
    NotFound,
}

impl ErrorType {
    const fn parts(self) -> (&'static str, StatusCode) {
        match self {
            Self::BadData => ("bad_data", StatusCode::BAD_REQUEST),
            Self::Execution => ("execution", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Timeout => ("timeout", StatusCode::SERVICE_UNAVAILABLE),
            Self::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
            Self::NotFound => ("not_found", StatusCode::NOT_FOUND),
        }
    }
}

/// An answer that is an error.
#[derive(Debug)]
pub struct Failure {
    kind: ErrorType,
    message: String,
    told_as: Option<StatusCode>,
}

impl Failure {
    pub fn new(kind: ErrorType, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), told_as: None }
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(ErrorType::BadData, message)
    }

    /// A parameter that cannot be used.
    pub fn of_parameter(name: &str, why: &str) -> Self {
        Self::bad(format!("invalid parameter {name:?}: {why}"))
    }

    /// A parameter that is no expression.
    pub fn of_syntax(name: &str, text: &str, error: &query::ParseError) -> Self {
        Self::of_parameter(name, &syntax(text, error))
    }

    pub fn wrong_method() -> Self {
        let message = "this path does not take this method";
        Self { told_as: Some(StatusCode::METHOD_NOT_ALLOWED), ..Self::bad(message) }
    }
}

/// Where something is wrong and what, as Prometheus says it.
pub fn syntax(text: &str, error: &query::ParseError) -> String {
    let (line, column) = line_and_column(text, error.at);
    format!("{line}:{column}: parse error: {}", error.message)
}

impl From<query::Error> for Failure {
    fn from(error: query::Error) -> Self {
        let kind = match &error {
            query::Error::Parse(_) | query::Error::Invalid { .. } => ErrorType::BadData,
            query::Error::Execution { .. } => ErrorType::Execution,
            query::Error::NotFound { .. } => ErrorType::NotFound,
            query::Error::Busy { .. }
            | query::Error::Unreadable { .. }
            | query::Error::Unavailable { .. } => ErrorType::Unavailable,
            query::Error::DeadlineExceeded { .. } => ErrorType::Timeout,
            query::Error::Internal { .. } => ErrorType::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<crate::error::ApiError> for Failure {
    fn from(error: crate::error::ApiError) -> Self {
        let kind = match error.kind {
            model::Kind::Invalid => ErrorType::BadData,
            model::Kind::Busy | model::Kind::Unavailable => ErrorType::Unavailable,
            _ => ErrorType::Internal,
        };
        Self::new(kind, error.message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (name, status) = self.kind.parts();
        if self.kind == ErrorType::Internal {
            tracing::error!(message = self.message, "a question could not be answered");
        }
        let body = json!({"status": "error", "errorType": name, "error": self.message});
        (self.told_as.unwrap_or(status), [(CONTENT_TYPE, "application/json")], body.to_string())
            .into_response()
    }
}

/// An answer: its data are JSON already.
#[derive(Debug, Default)]
pub struct Success {
    pub data: String,
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
}

impl From<Value> for Success {
    fn from(data: Value) -> Self {
        Self { data: data.to_string(), ..Self::default() }
    }
}

impl Success {
    /// Says why something may be missing.
    pub fn lacking(mut self, incomplete: Option<String>) -> Self {
        self.warnings.extend(incomplete);
        self
    }

    /// Says that there was more than `limit`.
    pub fn truncated(mut self, truncated: bool) -> Self {
        if truncated {
            self.warnings.push("results truncated due to limit".to_owned());
        }
        self
    }
}

impl Success {
    /// As an answer that may be a large one.
    pub fn given(self, answers: &Answers) -> Result<Response, Failure> {
        Ok(answers.give("application/json", self.written().into_bytes())?)
    }

    fn written(self) -> String {
        let mut notes = Map::new();
        for (name, texts) in [("warnings", self.warnings), ("infos", self.infos)] {
            if !texts.is_empty() {
                notes.insert(name.to_owned(), texts.into());
            }
        }
        let mut body = format!("{{\"status\":\"success\",\"data\":{}", self.data);
        for (name, texts) in notes {
            body.push_str(&format!(",\"{name}\":{texts}"));
        }
        body.push('}');
        body
    }
}

impl IntoResponse for Success {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.written()).into_response()
    }
}
