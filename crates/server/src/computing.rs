//! Work that takes longer than waiting may: large answers are written on a thread of their own.

use crate::answers::Answers;
use crate::error::ApiError;
use axum::response::Response;
use model::Kind;
use serde_json::Value;

/// Runs this where it holds up no other request.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::new(Kind::Internal, format!("writing the answer failed: {error}")))
}

/// Writes an answer in JSON that may be a large one.
pub async fn json(
    answers: &Answers,
    view: impl FnOnce() -> Value + Send + 'static,
) -> Result<Response, ApiError> {
    let bytes = aside(move || serde_json::to_vec(&view()).unwrap_or_default()).await?;
    answers.give("application/json", bytes)
}
