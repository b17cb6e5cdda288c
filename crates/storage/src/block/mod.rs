//! Blocks: immutable Parquet files, sorted so that a trace is in one place.
//!
//! They are plain files, written under a temporary name, fsynced and renamed. Object storage is for the scaled-out
//! roles and will come with them.

mod checksum;
mod gather;
mod order;
mod read;
mod rewrite;
mod source;
mod words;
mod write;

pub(crate) use checksum::Checksums;
pub(crate) use rewrite::{MOST_BLOCKS, rewrite};
pub(crate) use source::filled_by;
pub(crate) use write::write_block;

use self::checksum::Checked;
use self::words::Lookup;
use crate::disk;
use crate::error::Error;
use crate::rollup::Rollup;
use crate::snapshot::BlockStatistics;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use model::{SpanId, TraceId};
use read::Reader;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use tokio::sync::Semaphore;

/// Lookups under way: more threads than processors are not faster, and each keeps memory.
static LOOKUPS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(4, std::num::NonZero::get)));

/// One immutable, sealed Parquet file. Its file lives as long as this value does.
pub struct Block {
    pub(crate) id: i64,
    path: PathBuf,
    bytes: u64,
    statistics: BlockStatistics,
    schema: SchemaRef,
    checksums: Checksums,
    /// Opened when first read: a store of many blocks starts without touching them.
    reader: OnceLock<Arc<Reader>>,
    /// Set when a part of the file was found to be altered or unreadable.
    damaged: AtomicBool,
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
    pub(crate) checksums: Checksums,
}

impl Block {
    pub(crate) fn new(id: i64, description: Description) -> Self {
        let Description { path, bytes, statistics, schema, checksums } = description;
        Self {
            id,
            path,
            bytes,
            statistics,
            schema,
            checksums,
            reader: OnceLock::new(),
            damaged: AtomicBool::new(false),
            dead: AtomicBool::new(false),
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

    /// Whether a part of the file was found to be altered or unreadable; it is named in the program's log.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// The rows of one trace, through bloom filter and page index; all columns, or those named that exist; of all
    /// spans, or those named. None when
    /// the part of the file that tells is damaged: that costs what is in it, and not the trace's other blocks.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn read_trace(
        &self,
        trace: TraceId,
        columns: Option<&[&str]>,
        spans: Option<&[SpanId]>,
    ) -> Result<Vec<RecordBatch>, Error> {
        if self.reader.get().is_some_and(|reader| !reader.may_have(trace)) {
            return Ok(Vec::new());
        }
        // Fails only when the semaphore is closed, which nobody does.
        let _turn = LOOKUPS.acquire().await.map_err(|_| Error::Closed)?;
        let opened = self.reader.get().cloned();
        let (path, checksums) = (self.path.clone(), self.checksums.clone());
        let columns: Option<Vec<String>> =
            columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let spans: Option<HashSet<SpanId>> = spans.map(|spans| spans.iter().copied().collect());
        let read = crate::blocking(move || {
            let reader = match opened {
                Some(reader) => reader,
                None => Arc::new(Reader::open(&path, &checksums)?),
            };
            let rows = reader.trace(trace, columns.as_deref(), spans)?;
            Ok::<_, Error>((reader, rows))
        })
        .await?;
        match read {
            Ok((reader, rows)) => {
                self.reader.get_or_init(|| reader);
                Ok(rows)
            }
            Err(error @ Error::Damaged { .. }) => {
                self.note_damage(&error);
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Which row groups may have what is looked for, by the words that they have: `wanted` is asked for each row group
    /// and asks in turn whether that may have a word. `None` when that is not known.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub fn row_groups(
        &self,
        wanted: impl Fn(&dyn Fn(&str) -> bool) -> bool,
    ) -> Result<Option<Vec<bool>>, Error> {
        let listed = self.schema.metadata().get(words::KEY);
        let Some(location) = listed.and_then(|json| serde_json::from_str(json).ok()) else { return Ok(None) };
        let file = Checked::open(&self.path, &self.checksums).map_err(Error::io("opening", &self.path))?;
        let lookup = Lookup::new(file, &location);
        let failed = std::cell::OnceCell::new();
        let may_have = |group, word: &str| {
            lookup.may_have(group, word).unwrap_or_else(|error| {
                // Once is enough, and then the row group is searched.
                drop(failed.set(error));
                true
            })
        };
        let groups = (0..lookup.groups()).map(|group| wanted(&|word: &str| may_have(group, word))).collect();
        match failed.into_inner() {
            None => Ok(Some(groups)),
            Some(error) => Err(self.damage(&error)),
        }
    }

    /// The totals of all operations of this block's spans; `None` when it has none.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub fn rollup(&self) -> Result<Option<Rollup>, Error> {
        let place = self.schema.metadata().get(write::ROLLUP).and_then(|place| place.split_once('+'));
        let place = place.and_then(|(offset, length)| Some((offset.parse().ok()?, length.parse().ok()?)));
        let Some((offset, length)) = place else { return Ok(None) };
        let file = Checked::open(&self.path, &self.checksums).map_err(Error::io("opening", &self.path))?;
        let rollup = file.read(offset, length).and_then(|bytes| Rollup::from_bytes(&bytes));
        rollup.map(Some).map_err(|error| self.damage(&error))
    }

    fn damage(&self, error: &io::Error) -> Error {
        Error::Damaged { what: format!("block {}", self.path.display()), detail: error.to_string() }
    }

    /// Notes what someone found who read the file by other means.
    pub fn mark_damaged(&self, detail: &str) {
        let what = format!("block {}", self.path.display());
        self.note_damage(&Error::Damaged { what, detail: detail.to_owned() });
    }

    /// Names the damage, once.
    pub(crate) fn note_damage(&self, error: &Error) {
        if !self.damaged.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "a block is damaged; answers lack what was in the damaged part");
        }
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
