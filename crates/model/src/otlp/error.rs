//! Why bytes could not be read as an export request.

use thiserror::Error;

/// The request as a whole cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} (at byte {at})")]
pub struct DecodeError {
    /// Offset in the uncompressed body.
    pub at: usize,
    /// What was found, what was expected, how to mend it.
    pub message: String,
}
