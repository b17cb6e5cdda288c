//! Blocks: immutable Parquet files, sorted so that a trace is in one place.
//!
//! They are plain files, written under a temporary name, fsynced and renamed. Object storage is for the scaled-out
//! roles and will come with them.

mod order;
mod read;
mod write;

pub(crate) use write::write_block;

use crate::disk;
use crate::error::Error;
use crate::snapshot::BlockStatistics;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use model::TraceId;
use read::Reader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// One immutable, sealed Parquet file. Its file lives as long as this value does.
pub struct Block {
    pub(crate) id: i64,
    path: PathBuf,
    bytes: u64,
    statistics: BlockStatistics,
    schema: SchemaRef,
    /// Opened when first read: a store of many blocks starts without touching them.
    reader: OnceLock<Arc<Reader>>,
    /// Set when the catalog no longer has the block; the file goes when the last reader is done.
    dead: AtomicBool,
}

/// What the catalog knows of a block.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) statistics: BlockStatistics,
    pub(crate) schema: SchemaRef,
}

impl Block {
    pub(crate) fn new(id: i64, description: Description) -> Self {
        let Description { path, bytes, statistics, schema } = description;
        Self { id, path, bytes, statistics, schema, reader: OnceLock::new(), dead: AtomicBool::new(false) }
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

    /// The rows of one trace, through bloom filter and page index; all columns, or those named that exist.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read_trace(
        &self,
        trace: TraceId,
        columns: Option<&[&str]>,
    ) -> Result<Vec<RecordBatch>, Error> {
        if self.reader.get().is_some_and(|reader| !reader.may_have(trace)) {
            return Ok(Vec::new());
        }
        let opened = self.reader.get().cloned();
        let path = self.path.clone();
        let columns: Option<Vec<String>> =
            columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let (reader, rows) = crate::blocking(move || {
            let reader = match opened {
                Some(reader) => reader,
                None => Arc::new(Reader::open(&path)?),
            };
            let rows = reader.trace(trace, columns.as_deref())?;
            Ok::<_, Error>((reader, rows))
        })
        .await??;
        self.reader.get_or_init(|| reader);
        Ok(rows)
    }

    /// Gives the file up: it is removed when the last reader is done with it.
    pub(crate) fn retire(&self) {
        self.dead.store(true, Ordering::Release);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.dead.load(Ordering::Acquire) {
            disk::remove(&self.path);
        }
    }
}
