//! What can go wrong, and which HTTP status says so.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Everything that can go wrong in the system.
#[derive(Debug, Error)]
pub enum Error {
    #[error("reading {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path} is not what is expected there: {source}")]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("the workflow in {path} cannot run: {what}")]
    Workflow { path: PathBuf, what: String },
    #[error("the policies cannot be read: {0}")]
    Policies(String),
    #[error("no workflow is called `{name}`; workflows are the files of the folder `workflows`")]
    UnknownWorkflow { name: String },
    #[error("no run has the id `{id}`")]
    UnknownRun { id: String },
    #[error("no snapshot {id} of this run exists; GET /workflows/{{id}}/snapshots lists them")]
    UnknownSnapshot { id: i64 },
    #[error("a run with the id `{id}` exists already; take another `workflow_id`")]
    RunExists { id: String },
    #[error("the run `{id}` is {state}; only a waiting run can be resumed")]
    NotWaiting { id: String, state: String },
    #[error("send a known key in the header X-API-Key")]
    UnknownKey,
    #[error("the policies do not allow the tool `{name}`")]
    ToolDenied { name: String },
    #[error("{0}")]
    Invalid(String),
    #[error("{url} does not answer: {source}")]
    Unreachable { url: String, source: reqwest::Error },
    #[error("{url} answers {status}: {body}")]
    Refused { url: String, status: u16, body: String },
    #[error("{servers}: {source}")]
    Broker { servers: String, source: rdkafka::error::KafkaError },
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("what is stored is not JSON: {0}")]
    Stored(#[from] serde_json::Error),
    #[error("the address {address} cannot be listened on: {source}")]
    Listen { address: std::net::SocketAddr, source: std::io::Error },
    #[error("a process: {0}")]
    Process(#[from] std::io::Error),
    #[error("the service {service} ended: {status}")]
    Ended { service: &'static str, status: std::process::ExitStatus },
    #[error("a run was not finished: {0}")]
    Unfinished(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Telemetry(#[from] clew_sdk::SetupError),
}

impl Error {
    /// A file that cannot be read.
    pub fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// What spans call it: few words for many errors.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Broker { .. } => "unreachable",
            Self::Refused { status: 429, .. } => "rate_limited",
            Self::Refused { .. } => "refused",
            Self::Database(_) => "database",
            Self::UnknownWorkflow { .. } | Self::UnknownRun { .. } | Self::UnknownSnapshot { .. } => {
                "not_found"
            }
            Self::UnknownKey | Self::ToolDenied { .. } => "denied",
            Self::Invalid(_) | Self::RunExists { .. } | Self::NotWaiting { .. } => "invalid",
            _ => "internal",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownWorkflow { .. } | Self::UnknownRun { .. } | Self::UnknownSnapshot { .. } => {
                StatusCode::NOT_FOUND
            }
            Self::RunExists { .. } | Self::NotWaiting { .. } => StatusCode::CONFLICT,
            Self::UnknownKey => StatusCode::UNAUTHORIZED,
            Self::ToolDenied { .. } => StatusCode::FORBIDDEN,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Broker { .. } => StatusCode::BAD_GATEWAY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.status(), Json(json!({"error": self.to_string()}))).into_response()
    }
}
