//! Why a question was not answered.

use crate::filter::ParseError;
use model::Kind;
use thiserror::Error;

/// Why a question was not answered.
#[derive(Debug, Error)]
pub enum Error {
    /// The filter cannot be read.
    #[error("{0}")]
    Parse(#[from] ParseError),
    /// The request is wrong in another way than its filter.
    #[error("{message}")]
    Invalid {
        /// What is wrong, and how to mend it.
        message: String,
    },
    /// The query can be read, but not be computed over the data that are there.
    #[error("{message}")]
    Execution {
        /// What is wrong, and how to mend it.
        message: String,
    },
    /// What was asked for is not there.
    #[error("{what} is not stored")]
    NotFound {
        /// Its name, as in a sentence.
        what: String,
    },
    /// Too many questions at once, or not enough memory for this one.
    #[error("{message}")]
    Busy {
        /// What is wrong, and how to mend it.
        message: String,
    },
    /// Blocks that may have what was asked for cannot be read: they are damaged or missing.
    #[error("{message}")]
    Unreadable {
        /// How many, and how to mend them.
        message: String,
    },
    /// What holds the data does not answer just now.
    #[error("{message}")]
    Unavailable {
        /// What was tried, and what came of it.
        message: String,
    },
    /// The request's deadline passed.
    #[error("the query took longer than {seconds} s; narrow the time range or the filter")]
    DeadlineExceeded {
        /// The deadline.
        seconds: u64,
    },
    /// Storage could not be read, or a bug.
    #[error("answering the query failed: {message}")]
    Internal {
        /// What failed.
        message: String,
    },
}

impl Error {
    /// What the caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Parse(_) | Self::Invalid { .. } | Self::Execution { .. } => Kind::Invalid,
            Self::NotFound { .. } => Kind::NotFound,
            Self::Busy { .. } => Kind::Busy,
            Self::DeadlineExceeded { .. } | Self::Unreadable { .. } | Self::Unavailable { .. } => {
                Kind::Unavailable
            }
            Self::Internal { .. } => Kind::Internal,
        }
    }
}
