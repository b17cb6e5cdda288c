//! What can go wrong while storing.

use model::Kind;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("{} is in use by another clew; stop it, or choose another data directory", path.display())]
    Locked { path: PathBuf },
    #[error("{action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the hot buffer is full ({bytes} bytes); send slower, or raise storage.hot-limit")]
    Busy { bytes: u64 },
    #[error(
        "the disk of {} is too full to take in telemetry: {free} bytes are free, {needed} are kept free for what was taken in already; free some space, or lower storage.max-bytes so that old telemetry makes room",
        path.display()
    )]
    DiskFull { free: u64, needed: u64, path: PathBuf },
    #[error("reading or writing a block: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error("columns do not fit together: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    #[error("the catalog failed: {0}")]
    Catalog(#[from] sqlx::Error),
    #[error(
        "the catalog {} is {detail}; nothing was changed. Put it back from a backup, or let `clew repair --data-directory {}` rebuild it from the blocks",
        path.display(), path.parent().unwrap_or(path).display()
    )]
    CatalogLost { path: PathBuf, detail: String },
    #[error(
        "{} was written by a newer clew (format {version}, this one knows {known}); use that one",
        path.display()
    )]
    TooNew { path: PathBuf, version: i64, known: i64 },
    #[error("{what}: {detail}; see storage.blocks-url and the AWS_ variables of the environment")]
    ObjectStore { what: String, detail: String },
    #[error(
        "block {what} is gone: {detail}; see storage.blocks-url and the AWS_ variables of the environment"
    )]
    Gone { what: String, detail: String },
    #[error("{what} is damaged: {detail}")]
    Damaged { what: String, detail: String },
    #[error("{what} is not done yet: {detail}")]
    Incomplete { what: String, detail: String },
    #[error("storage is shutting down")]
    Closed,
}

impl Error {
    /// Says what was being done with which file when an I/O error came.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { free: 0, needed: 0, path }
            }
            _ => Self::Io { action, path, source },
        }
    }

    /// What an error of opening the catalog means: SQLite's of a damaged file is not one of these, and neither are our own.
    pub(crate) fn of_catalog(path: &Path, error: Self) -> Self {
        let lost = |detail: String| Self::CatalogLost { path: path.to_owned(), detail };
        match error {
            Self::Damaged { detail, .. } => lost(format!("damaged ({detail})")),
            Self::Catalog(sqlx::Error::Database(told)) if is_damage(&*told) => {
                lost(format!("damaged ({})", told.message()))
            }
            other => other,
        }
    }

    /// A block is in an object store that is not the one in use.
    pub(crate) fn elsewhere(url: &str) -> Self {
        Self::Gone { what: url.to_owned(), detail: "it is not in the object store in use".to_owned() }
    }

    /// Whether it is the block itself that cannot be read, which does not change by trying again; not what it rests in.
    #[must_use]
    pub fn is_of_block(&self) -> bool {
        use io::ErrorKind::{NotFound, PermissionDenied};
        match self {
            Self::Damaged { .. } | Self::Gone { .. } => true,
            Self::Io { source, .. } => matches!(source.kind(), NotFound | PermissionDenied),
            _ => false,
        }
    }

    /// The same error once more: everyone who waited for a group is told why it failed.
    pub(crate) fn repeat(&self) -> Self {
        match self {
            Self::Locked { path } => Self::Locked { path: path.clone() },
            Self::Io { action, path, source } => {
                let source = io::Error::new(source.kind(), source.to_string());
                Self::Io { action, path: path.clone(), source }
            }
            Self::Busy { bytes } => Self::Busy { bytes: *bytes },
            Self::DiskFull { free, needed, path } => {
                Self::DiskFull { free: *free, needed: *needed, path: path.clone() }
            }
            Self::CatalogLost { path, detail } => {
                Self::CatalogLost { path: path.clone(), detail: detail.clone() }
            }
            Self::Incomplete { what, detail } => {
                Self::Incomplete { what: what.clone(), detail: detail.clone() }
            }
            Self::Damaged { what, detail } => Self::Damaged { what: what.clone(), detail: detail.clone() },
            Self::TooNew { path, version, known } => {
                Self::TooNew { path: path.clone(), version: *version, known: *known }
            }
            Self::ObjectStore { what, detail } => {
                Self::ObjectStore { what: what.clone(), detail: detail.clone() }
            }
            Self::Gone { what, detail } => Self::Gone { what: what.clone(), detail: detail.clone() },
            Self::Closed => Self::Closed,
            Self::Parquet(_) | Self::Arrow(_) | Self::Catalog(_) => {
                Self::Damaged { what: "what was to be stored".to_owned(), detail: self.to_string() }
            }
        }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Busy { .. } => Kind::Busy,
            Self::DiskFull { .. }
            | Self::Io { .. }
            | Self::ObjectStore { .. }
            | Self::Gone { .. }
            | Self::Incomplete { .. }
            | Self::CatalogLost { .. }
            | Self::Closed
            | Self::Locked { .. }
            | Self::TooNew { .. } => Kind::Unavailable,
            Self::Parquet(_) | Self::Arrow(_) | Self::Catalog(_) | Self::Damaged { .. } => Kind::Internal,
        }
    }
}

/// Whether SQLite says that the file is damaged (`SQLITE_CORRUPT`), none of its own (`SQLITE_NOTADB`), or without what our
/// own statements name (`SQLITE_ERROR`), or that an index says otherwise than its table (`SQLITE_CONSTRAINT`).
fn is_damage(error: &dyn sqlx::error::DatabaseError) -> bool {
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 1 | 11 | 19 | 26))
}
