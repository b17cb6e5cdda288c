//! Why a question was not answered.

use crate::filter::ParseError;
use model::Kind;
use thiserror::Error;

/// Why a question was not answered.
#[derive(Debug, Error)]
pub enum Error {
    #[error("{0}")]
    Parse(#[from] ParseError),
    /// The request is wrong in another way than its filter.
    #[error("{message}")]
    Invalid { message: String },
    #[error("{what} is not stored")]
    NotFound { what: String },
    /// Too many questions at once, or not enough memory for this one.
    #[error("{message}")]
    Busy { message: String },
    #[error("the query took longer than {seconds} s; narrow the time range or the filter")]
    DeadlineExceeded { seconds: u64 },
    /// Storage could not be read, or a bug.
    #[error("answering the query failed: {message}")]
    Internal { message: String },
}

impl Error {
    /// What the caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Parse(_) | Self::Invalid { .. } => Kind::Invalid,
            Self::NotFound { .. } => Kind::NotFound,
            Self::Busy { .. } => Kind::Busy,
            Self::DeadlineExceeded { .. } => Kind::Unavailable,
            Self::Internal { .. } => Kind::Internal,
        }
    }
}
