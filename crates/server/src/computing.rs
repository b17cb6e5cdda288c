//! Work that takes longer than waiting may: large answers are written on a thread of their own.

use crate::error::ApiError;
use model::Kind;

/// Runs this where it holds up no other request.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::new(Kind::Internal, format!("writing the answer failed: {error}")))
}
