//! What can go wrong while storing.

use model::Kind;
use std::path::PathBuf;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("{path} is in use by another clew; stop it, or choose another data directory")]
    Locked { path: PathBuf },
    #[error("{action} {path}")]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the hot buffer is full ({bytes} bytes); send slower, or raise storage.hot-limit")]
    Busy { bytes: u64 },
    #[error("only {free} bytes are free in {path}; free some space, or lower storage.max-bytes")]
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
