//! What can go wrong, in words for people and in a word for `error.type`.

use clew_sdk::SetupError;
use std::borrow::Cow;
use std::time::Duration;
use thiserror::Error;

/// Why something was not done.
#[derive(Debug, Error)]
pub enum Failure {
    #[error("no answer from {target} within {limit:?}")]
    Timeout { target: String, limit: Duration },
    #[error("{target} cannot be reached: {reason}")]
    Unreachable { target: String, reason: String },
    #[error("{target} answered {status}: {said}")]
    Refused { target: String, status: u16, said: String },
    #[error("{target} gave an answer that is not understood: {reason}")]
    Malformed { target: String, reason: String },
    #[error("the model asked for the tool {0}, which it was not given")]
    UnknownTool(String),
    #[error("the tool {tool} cannot work with its arguments: {reason}")]
    Arguments { tool: String, reason: String },
    #[error("no answer after {0} rounds of planning and acting")]
    Rounds(usize),
    #[error("reading {path}: {reason}")]
    Unreadable { path: String, reason: String },
    #[error("missing query")]
    MissingQuery,
    #[error("listening on {address}: {reason}")]
    Listen { address: String, reason: String },
    #[error("a task ended early: {0}")]
    Task(String),
    #[error("metrics: {0}")]
    Metrics(String),
    #[error("telemetry: {0}")]
    Telemetry(#[from] SetupError),
}

impl Failure {
    /// One of few words, as `error.type` wants it.
    pub fn kind(&self) -> Cow<'static, str> {
        match self {
            Self::Timeout { .. } => "timeout".into(),
            Self::Unreachable { .. } => "unreachable".into(),
            Self::Refused { status, .. } => status.to_string().into(),
            Self::Malformed { .. } => "malformed_answer".into(),
            Self::UnknownTool(_) => "unknown_tool".into(),
            Self::Arguments { .. } => "invalid_arguments".into(),
            Self::Rounds(_) => "too_many_rounds".into(),
            Self::Unreadable { .. } => "unreadable".into(),
            Self::MissingQuery => "missing_query".into(),
            Self::Listen { .. } => "listen".into(),
            Self::Task(_) => "task_ended".into(),
            Self::Metrics(_) => "metrics".into(),
            Self::Telemetry(_) => "telemetry".into(),
        }
    }
}
