//! What can go wrong while storing.

use model::Kind;
use std::path::PathBuf;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("{} is in use by another clew; stop it, or choose another data directory", path.display())]
    Locked { path: PathBuf },
    #[error("{action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the hot buffer is full ({bytes} bytes); send slower, or raise storage.hot-limit")]
    Busy { bytes: u64 },
    #[error("only {free} bytes are free in {}; free some space, or lower storage.max-bytes", path.display())]
    DiskFull { free: u64, path: PathBuf },
    #[error("reading or writing a block: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error("columns do not fit together: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    #[error("the catalog failed: {0}")]
    Catalog(#[from] sqlx::Error),
    #[error("{what} is damaged: {detail}")]
    Damaged { what: String, detail: String },
    #[error("storage is shutting down")]
    Closed,
}

impl Error {
    /// The same for another who waited for the same thing: what was tried and why it failed, in words.
    #[must_use]
    pub fn again(&self) -> Self {
        match self {
            Self::Io { action, path, source } => {
                let source = std::io::Error::new(source.kind(), source.to_string());
                Self::Io { action, path: path.clone(), source }
            }
            Self::Busy { bytes } => Self::Busy { bytes: *bytes },
            Self::DiskFull { free, path } => Self::DiskFull { free: *free, path: path.clone() },
            Self::Closed => Self::Closed,
            other => Self::Damaged { what: "the store".to_owned(), detail: other.to_string() },
        }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Busy { .. } => Kind::Busy,
            Self::DiskFull { .. } | Self::Io { .. } | Self::Closed | Self::Locked { .. } => Kind::Unavailable,
            Self::Parquet(_) | Self::Arrow(_) | Self::Catalog(_) | Self::Damaged { .. } => Kind::Internal,
        }
    }
}
