//! Blocks: immutable Parquet files, sorted so that a trace is in one place.
//!
//! They are plain files, written under a temporary name, fsynced and renamed; then, when an object store is set, put
//! there ([`crate::place`]).

mod checksum;
mod coverage;
mod gather;
mod manifest;
mod order;
mod pieces;
mod plain;
mod portion;
mod read;
mod rewrite;
mod source;
mod versions;
mod words;
mod write;

pub(crate) use checksum::Checksums;
pub(crate) use coverage::Coverage;
pub(crate) use manifest::{Manifest, Origin};
pub(crate) use order::span_keys;
pub(crate) use plain::describe_plain;
pub use portion::{BATCH_ROWS, Portion};
pub use read::Extent;
pub(crate) use rewrite::{MOST_BLOCKS, rewrite, salvage};
pub(crate) use source::filled_by;
pub(crate) use write::write_block;

use self::checksum::Checked;
use self::words::Lookup;
use crate::error::Error;
use crate::place::Place;
use crate::rollup::Rollup;
use crate::snapshot::BlockStatistics;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use model::{SpanId, TraceId, schema};
use parquet::file::metadata::ParquetMetaData;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use read::{Opened, Traces};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use tokio::sync::Semaphore;

/// Lookups under way: more threads than processors are not faster, and each keeps memory.
static LOOKUPS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(4, std::num::NonZero::get)));

/// Memory for the footers and page indexes of blocks, of whatever store in this process.
const OPENED_BYTES: u64 = 192 << 20;

/// The blocks that were read last, by [`Block::number`].
static OPENED: LazyLock<Cache<u64, Arc<Opened>, Weight>> =
    LazyLock::new(|| Cache::with_weighter(1024, OPENED_BYTES, Weight));

/// Bytes that are read at once when a file is only checked.
const CHECKED_AT_ONCE: u64 = 1 << 20;

/// Tells the blocks of a process apart.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
struct Weight;

impl Weighter<u64, Arc<Opened>> for Weight {
    fn weight(&self, _: &u64, opened: &Arc<Opened>) -> u64 {
        opened.footer.metadata().memory_size() as u64
    }
}

/// One immutable, sealed Parquet file. Its file lives as long as this value does.
pub struct Block {
    pub(crate) id: i64,
    number: u64,
    place: Place,
    bytes: u64,
    statistics: BlockStatistics,
    schema: SchemaRef,
    checksums: Checksums,
    coverage: Option<Coverage>,
    generation: u32,
    value_bytes: u64,
    /// Read with the first lookup: a store of many blocks starts without touching them.
    traces: OnceLock<Traces>,
    /// Set when a part of the file was found to be altered or unreadable.
    damaged: AtomicBool,
    /// Set when the catalog no longer has the block; the file goes when the last reader is done.
    dead: AtomicBool,
}

/// What the catalog knows of a block.
#[derive(Clone)]
pub(crate) struct Description {
    pub(crate) place: Place,
    pub(crate) bytes: u64,
    pub(crate) statistics: BlockStatistics,
    pub(crate) schema: SchemaRef,
    pub(crate) checksums: Checksums,
    /// Which requests of the log it holds; `None` when an older version rewrote it.
    pub(crate) coverage: Option<Coverage>,
    /// How often its rows were rewritten, at most.
    pub(crate) generation: u32,
    /// Of all values, before encoding and compression; 0 when an older version wrote it.
    pub(crate) value_bytes: u64,
}

impl Block {
    pub(crate) fn new(id: i64, description: Description) -> Self {
        let Description { place, bytes, statistics, schema, checksums, coverage, generation, value_bytes } =
            description;
        Self {
            id,
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            place,
            bytes,
            statistics,
            schema,
            checksums,
            coverage,
            generation,
            value_bytes,
            traces: OnceLock::new(),
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

    /// Where the Parquet file is: a path or a URL.
    #[must_use]
    pub fn name(&self) -> String {
        self.place.to_string()
    }

    /// The file's own name, which no other block has.
    pub(crate) fn file_name(&self) -> String {
        let name = self.name();
        name.rsplit('/').next().unwrap_or(&name).to_owned()
    }

    /// Tells it from the other blocks of this process.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Which requests of the log it holds, where that is known.
    pub(crate) fn coverage(&self) -> Option<Coverage> {
        self.coverage
    }

    /// How often its rows were rewritten, at most.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Of all values, before encoding and compression. What an older version wrote does not tell; it is guessed then.
    pub(crate) fn value_bytes(&self) -> u64 {
        if self.value_bytes == 0 { self.bytes.saturating_mul(8) } else { self.value_bytes }
    }

    /// Whether a part of the file was found to be altered or unreadable; it is named in the program's log.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// The rows of one trace, through bloom filter and page index; all columns, or those named that exist; of all
    /// spans, or those named.
    ///
    /// # Errors
    /// When the part of the file that tells is damaged, or the file is gone; the block is marked as damaged then.
    pub async fn read_trace(
        self: &Arc<Self>,
        trace: TraceId,
        columns: Option<&[&str]>,
        spans: Option<&[SpanId]>,
    ) -> Result<Vec<RecordBatch>, Error> {
        let batches = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&batches);
        let take = move |batch| {
            taken.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
            true
        };
        let columns: Option<Arc<[String]>> =
            columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        self.visit_trace(trace, columns, spans, take).await?;
        let batches = std::mem::take(&mut *batches.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(batches)
    }

    /// Likewise, given batch by batch to `take` on a thread that may take its time, until that says that it wants no more.
    /// Batches are bounded by their bytes.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged; what was read before was given.
    pub async fn visit_trace(
        self: &Arc<Self>,
        trace: TraceId,
        columns: Option<Arc<[String]>>,
        spans: Option<&[SpanId]>,
        mut take: impl FnMut(RecordBatch) -> bool + Send + 'static,
    ) -> Result<(), Error> {
        let spans: Option<Arc<HashSet<SpanId>>> =
            spans.map(|spans| Arc::new(spans.iter().copied().collect()));
        let read = move |block: &Self, groups| {
            let wanted = (columns.as_deref(), spans.as_ref());
            block.opened()?.trace(trace, groups, wanted, &mut take)
        };
        self.look_up(trace, read).await.map(|_| ())
    }

    /// How much of a trace this block may have, in all columns or those named, and never less than there is; `None`
    /// when it has nothing of it.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub async fn extent(
        self: &Arc<Self>,
        trace: TraceId,
        columns: Option<Arc<[String]>>,
    ) -> Result<Option<Extent>, Error> {
        let measure = move |block: &Self, groups: Vec<usize>| {
            Ok(block.opened()?.extent(trace, &groups, columns.as_deref()))
        };
        self.look_up(trace, measure).await
    }

    /// Works with the row groups that may have a trace; `None` when there are none.
    async fn look_up<T: Send + 'static>(
        self: &Arc<Self>,
        trace: TraceId,
        work: impl FnOnce(&Self, Vec<usize>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        if self.traces.get().is_some_and(|traces| traces.groups(trace).is_empty()) {
            return Ok(None);
        }
        // Fails only when the semaphore is closed, which nobody does.
        let _turn = LOOKUPS.acquire().await.map_err(|_| Error::Closed)?;
        let block = Arc::clone(self);
        let found = crate::blocking(move || {
            let groups = block.traces()?.groups(trace);
            if groups.is_empty() { Ok(None) } else { work(&block, groups).map(Some) }
        });
        let found = found.await?;
        if let Err(error) = &found
            && error.is_of_block()
        {
            self.note_damage(error);
        }
        found
    }

    /// In which portions these columns are read, of all row groups or of those marked, so that no more is in memory at a
    /// time than fits, however long values are.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub async fn portions(
        self: &Arc<Self>,
        groups: Option<&[bool]>,
        columns: &[&str],
    ) -> Result<Vec<Portion>, Error> {
        let opened = match OPENED.get(&self.number) {
            Some(opened) => opened,
            None => {
                let block = Arc::clone(self);
                crate::blocking(move || block.opened()).await??
            }
        };
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let metadata = opened.footer.metadata();
        let wanted = |group: &usize| groups.is_none_or(|groups| groups.get(*group) != Some(&false));
        let groups = (0..metadata.num_row_groups()).filter(wanted);
        Ok(portion::portions(metadata, opened.footer.schema(), groups, &opened.shown(Some(&columns))))
    }

    /// Those of some traces that the block has; none when the part of the file that tells is damaged or the file is gone.
    /// For threads that may wait.
    pub(crate) fn having(&self, mut traces: Vec<TraceId>) -> Result<Vec<TraceId>, Error> {
        traces.sort_unstable();
        match self.look_for(&traces) {
            Err(error) if error.is_of_block() => {
                self.note_damage(&error);
                Ok(Vec::new())
            }
            found => found,
        }
    }

    fn look_for(&self, wanted: &[TraceId]) -> Result<Vec<TraceId>, Error> {
        let traces = self.traces()?;
        let columns = [schema::TRACE_ID.to_owned()];
        let mut found = Vec::new();
        for trace in wanted {
            let groups = traces.groups(*trace);
            if groups.is_empty() {
                continue;
            }
            let mut has_it = false;
            let mut take = |batch: RecordBatch| {
                has_it = batch.num_rows() > 0;
                !has_it
            };
            self.opened()?.trace(*trace, groups, (Some(&columns), None), &mut take)?;
            if has_it {
                found.push(*trace);
            }
        }
        Ok(found)
    }

    /// The footer of the Parquet file, with the page index.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub async fn footer(self: &Arc<Self>) -> Result<Arc<ParquetMetaData>, Error> {
        if let Some(opened) = OPENED.get(&self.number) {
            return Ok(Arc::clone(opened.footer.metadata()));
        }
        let block = Arc::clone(self);
        crate::blocking(move || Ok(Arc::clone(block.opened()?.footer.metadata()))).await?
    }

    /// Parts of the Parquet file, checked against what was written.
    ///
    /// # Errors
    /// When they cannot be read, or are damaged.
    pub async fn read(self: &Arc<Self>, parts: Vec<Range<u64>>) -> Result<Vec<Bytes>, Error> {
        let block = Arc::clone(self);
        crate::blocking(move || {
            let opened = block.opened()?;
            opened.file.read_parts(&parts).map_err(|error| opened.file.fault(&error))
        })
        .await?
    }

    /// For threads that may wait.
    fn opened(&self) -> Result<Arc<Opened>, Error> {
        OPENED.get_or_insert_with(&self.number, || Ok(Arc::new(Opened::read(self.file()?)?)))
    }

    /// Likewise.
    fn traces(&self) -> Result<&Traces, Error> {
        if let Some(traces) = self.traces.get() {
            return Ok(traces);
        }
        let traces = Traces::read(&self.file()?)?;
        Ok(self.traces.get_or_init(|| traces))
    }

    /// The file itself, opened anew.
    fn file(&self) -> Result<Checked, Error> {
        Checked::open(&self.place, self.bytes, &self.checksums)
    }

    /// Reads a part of the file only to see whether it is what was written; damage is noted. For threads that may wait.
    ///
    /// # Errors
    /// When it is not, or cannot be read.
    pub(crate) fn check_part(&self, part: Range<u64>) -> Result<(), Error> {
        let checking = || {
            let file = self.file()?;
            let mut at = part.start;
            while at < part.end {
                let next = (at + CHECKED_AT_ONCE).min(part.end);
                file.read(at..next).map_err(|error| file.fault(&error))?;
                at = next;
            }
            Ok(())
        };
        checking().inspect_err(|error| {
            if Error::is_of_block(error) {
                self.note_damage(error);
            }
        })
    }

    /// Reads all of the file to see whether it is what was written, and of the length that it should have. For threads that
    /// may wait.
    ///
    /// # Errors
    /// When it is not, or cannot be read.
    pub(crate) fn check_whole(&self) -> Result<(), Error> {
        if let Place::Disk(path) = &self.place {
            let found = path.metadata().map_err(Error::io("reading", path))?.len();
            if found != self.bytes {
                let detail = format!("it has {found} bytes instead of {}", self.bytes);
                return Err(Error::Damaged { what: format!("block {}", self.place), detail });
            }
        }
        self.check_part(0..self.bytes)
    }

    /// Where the file is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
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
        let lookup = Lookup::new(self.file()?, &location);
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
            Some(error) => Err(lookup.fault(&error)),
        }
    }

    /// The totals of all operations of this block's spans; `None` when it has none.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub fn rollup(&self) -> Result<Option<Rollup>, Error> {
        let place = self.schema.metadata().get(write::ROLLUP).and_then(|place| place.split_once('+'));
        let place = place
            .and_then(|(offset, length)| Some((offset.parse::<u64>().ok()?, length.parse::<u64>().ok()?)));
        let Some((offset, length)) = place else { return Ok(None) };
        let file = self.file()?;
        let rollup = file.read(offset..offset + length).and_then(|bytes| Rollup::from_bytes(&bytes));
        rollup.map(Some).map_err(|error| file.fault(&error))
    }

    /// Notes what someone found who read the file by other means.
    pub fn mark_damaged(&self, detail: &str) {
        let what = format!("block {}", self.place);
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
        OPENED.remove(&self.number);
        versions::forget(self.number);
        if self.dead.load(Ordering::Acquire) {
            self.place.remove();
        }
    }
}
