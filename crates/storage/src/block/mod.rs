//! Blocks: immutable Parquet files, sorted so that a trace's rows stand together.

mod read;
mod write;

pub use write::write;

use crate::statistics::BlockStatistics;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// One immutable, sealed Parquet file. Its file lives as long as this value does.
pub struct Block {
    pub(crate) id: i64,
    path: PathBuf,
    bytes: u64,
    schema: SchemaRef,
    statistics: BlockStatistics,
    metadata: OnceLock<ArrowReaderMetadata>,
    blooms: OnceLock<Vec<Option<parquet::bloom_filter::Sbbf>>>,
    /// Whether the catalog has let go of it.
    deleted: AtomicBool,
}

impl Block {
    pub(crate) fn new(
        id: i64,
        path: PathBuf,
        bytes: u64,
        schema: SchemaRef,
        statistics: BlockStatistics,
    ) -> Self {
        Self {
            id,
            path,
            bytes,
            schema,
            statistics,
            metadata: OnceLock::new(),
            blooms: OnceLock::new(),
            deleted: AtomicBool::new(false),
        }
    }

    #[must_use]
    pub fn statistics(&self) -> &BlockStatistics {
        &self.statistics
    }

    /// The columns that this block has.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The Parquet file, for engines that read it themselves.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Removes the file once the last reader has let go of it.
    pub(crate) fn delete(&self) {
        self.deleted.store(true, Ordering::Release);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.deleted.load(Ordering::Acquire)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            // The next start removes files that the catalog does not know.
            tracing::warn!(path = %self.path.display(), %error, "a deleted block's file could not be removed");
        }
    }
}
