//! How telemetry rests: log, hot buffer, blocks, catalog. The only writer of files.
//!
//! A request is appended to the `log` and fsynced, then shown to readers in the hot buffer (`tables`), then sealed
//! with others into a `block`, which the `catalog` knows. After a crash the log is replayed from where the catalog
//! says that blocks end. What is sealed is trimmed off the log; what is old or too much is deleted (`retention`),
//! small blocks are made large ones (`compaction`), and a trace is deleted for good on request (`deletion`).
//!
//! ```text
//! DIRECTORY/lock                                   held by the process that has the store open
//! DIRECTORY/log/FIRST_SEQUENCE-SALT.log
//! DIRECTORY/blocks/TENANT/SIGNAL/DAY/FIRST_SEQUENCE-LAST_SEQUENCE-ATTEMPT.parquet     or, when they go to an object store,
//! s3://BUCKET/PREFIX/IDENTITY/TENANT/SIGNAL/DAY/FIRST_SEQUENCE-LAST_SEQUENCE-ATTEMPT.parquet
//! DIRECTORY/catalog.sqlite
//! ```
//!
//! A resent item is not looked for when it is appended: readers keep one of each span ([`Snapshot`] says which), sealing
//! drops the others of the same block, and notes those of other blocks (`superseded`).

pub mod backup;
mod block;
mod catalog;
mod clock;
mod compaction;
mod deletion;
mod disk;
pub mod error;
mod hot;
pub mod inspect;
mod layout;
mod log;
mod merging;
mod objects;
mod opening;
mod place;
mod problem;
mod recovery;
mod repair;
mod retention;
mod rewriting;
mod rollup;
pub mod sampling;
mod scrubbing;
mod sealing;
pub mod snapshot;
mod statistics;
mod steps;
mod superseded;
mod tables;
pub mod verify;
mod writing;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use problem::{Problem, Severity};
pub use repair::{RepairReport, repair};
pub use rollup::{OperationKey, OperationTotals, Rollup};
pub use sampling::{Sampled, Sampling};
pub use snapshot::{BATCH_ROWS, Block, BlockStatistics, Extent, HotBatch, OperationCount, Portion, Snapshot};
pub use superseded::SpanKeys;

use catalog::Catalog;
use clock::Clock;
use disk::FreeSpace;
use log::Log;
use model::{Batch, Signal, TenantId, TraceId};
use place::Places;
use sampling::{Moment, Sampler, Unripe};
use std::collections::HashMap;
use std::fs::File;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tables::{TableKey, Tables};
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use writing::Waiting;

/// How much of a signal to keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Instead of [`Options::max_age`].
    pub max_age: Option<Duration>,
    /// Of its blocks, those of all tenants together.
    pub max_bytes: Option<u64>,
}

/// How long a stop may take to seal what is hot; what is not sealed then is replayed from the log at the next start.
const STOP_TIME: Duration = Duration::from_secs(20);

/// Where and how much to store.
#[derive(Debug, Clone)]
pub struct Options {
    pub directory: PathBuf,
    /// Blocks go to this object store, like `s3://bucket/prefix`, instead of the directory. How to get there and who one
    /// is comes from the environment, by the names that AWS's tools have for it: `AWS_ACCESS_KEY_ID` ...
    pub blocks_url: Option<String>,
    /// Blocks are deleted this long after they were sealed.
    pub max_age: Duration,
    /// Oldest blocks are deleted while blocks and log together are larger than this.
    pub max_bytes: u64,
    /// What holds for one signal besides, in the order of [`Signal::ALL`].
    pub of_signal: [Limits; 3],
    /// The hot buffer is sealed into a block when a signal of a tenant holds this many bytes, ...
    pub seal_bytes: u64,
    /// ... or when its oldest item was received this long ago.
    pub seal_age: Duration,
    /// New data is refused with [`Error::Busy`] while the hot buffer is larger than this.
    pub hot_limit_bytes: u64,
    /// New data is refused with [`Error::DiskFull`] while less than this is free on the disk.
    pub min_free_bytes: u64,
    /// Which traces are kept; all of them without.
    pub sampling: Option<Sampling>,
}

impl Options {
    /// How long blocks of a signal are kept.
    pub(crate) fn kept_for(&self, signal: Signal) -> Duration {
        self.of_signal[signal as usize].max_age.unwrap_or(self.max_age)
    }
}

/// What was appended.
#[derive(Debug, Clone)]
pub struct Appended {
    pub tenant: TenantId,
    pub signal: Signal,
    pub items: u64,
    /// Traces touched; at most 1,000.
    pub traces: Vec<TraceId>,
}

/// Stored telemetry. Clones share it.
#[derive(Clone)]
pub struct Storage {
    store: Arc<Store>,
}

/// What all clones of [`Storage`] share.
struct Store {
    options: Options,
    tables: Tables,
    log: Log,
    catalog: Catalog,
    places: Places,
    clock: Clock,
    /// How far each table is sealed. Held while sealing: one block is written at a time.
    sealed: tokio::sync::Mutex<HashMap<TableKey, u64>>,
    /// Held by whoever replaces or deletes blocks: compaction, deletion, retention.
    rewriting: tokio::sync::Mutex<()>,
    /// Held while it is decided which rows of blocks count, until that is committed and shown.
    counting: tokio::sync::Mutex<()>,
    /// Held by a deletion from its beginning to its end.
    deleting: tokio::sync::Mutex<()>,
    /// Changes that are under way: each comes to its end, whoever waits for it.
    changes: TaskTracker,
    /// On which they run, whoever asked for them.
    runtime: Handle,
    /// Cancelled when the store is to close: long changes end where they can be taken up again.
    closing: CancellationToken,
    /// What was found when the store was opened.
    problems: Mutex<Vec<Problem>>,
    /// Deletions that are noted in the catalog and not ended.
    pending_deletions: AtomicU64,
    /// Why the last sealing failed, if it did.
    sealing_failed: Mutex<Option<String>>,
    submit: mpsc::Sender<Waiting>,
    /// Taken by [`Storage::run`].
    queue: Mutex<Option<mpsc::Receiver<Waiting>>>,
    /// Memory of what is in the queue.
    waiting_bytes: Arc<AtomicU64>,
    appended: broadcast::Sender<Arc<Appended>>,
    seal_due: Notify,
    merge_due: Notify,
    retention_due: Notify,
    compaction_due: Notify,
    deletion_due: Notify,
    sampler: Option<Sampler>,
    free: FreeSpace,
    _lock: File,
}

impl Store {
    /// Makes a change to its end, also when the caller goes away: a change that is given up half way would leave rows in two
    /// places, or in none.
    async fn to_its_end<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        self.changes.spawn_on(change, &self.runtime).await.map_err(|failure| Error::Damaged {
            what: "a change of the store".to_owned(),
            detail: failure.to_string(),
        })?
    }

    /// Counts the deletions that are not ended.
    async fn count_deletions(&self) -> Result<(), Error> {
        let count = self.catalog.deletions().await?.len() as u64;
        self.pending_deletions.store(count, Ordering::Relaxed);
        Ok(())
    }

    fn note_sealing(&self, failure: Option<&Error>) {
        let mut failed = self.sealing_failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = failure.map(ToString::to_string);
    }

    /// What decides on the traces of a table; `None` when all that it has is kept.
    fn sampler_of(&self, key: &TableKey) -> Option<&Sampler> {
        self.sampler.as_ref().filter(|_| key.signal == Signal::Traces)
    }

    /// Bytes of blocks and log.
    fn kept_bytes(&self) -> u64 {
        let blocks =
            |table: &Arc<tables::Table>| table.snapshot().blocks.iter().map(|block| block.bytes()).sum();
        self.log.bytes() + self.tables.all().iter().map(|table| -> u64 { blocks(table) }).sum::<u64>()
    }

    /// Memory of what is hot, and of what is about to be.
    fn hot_bytes(&self) -> u64 {
        self.tables.hot_bytes() + self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Whether what is hot takes half of the room; sealing mends nothing of what is about to be.
    fn is_half_full(&self) -> bool {
        self.tables.hot_bytes() >= self.options.hot_limit_bytes / 2
    }
}

impl Storage {
    /// Opens or creates the store in `options.directory`, replaying the log. Fails when another process has it open.
    ///
    /// # Errors
    /// When the directory cannot be used; says what to do.
    pub async fn open(options: Options) -> Result<Self, Error> {
        Ok(Self { store: Arc::new(opening::open(options).await?) })
    }

    /// Writes and fsyncs the log, seals, applies retention, until shutdown; then seals what is hot and returns. Traces that
    /// sampling has not decided on stay in the log.
    /// Appends that wait when shutdown comes are answered with [`Error::Closed`].
    ///
    /// # Errors
    /// When it runs or ran already. A block that cannot be written at shutdown is no error: its rows are in the log.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), Error> {
        let queue = self.store.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let queue = queue.ok_or(Error::Closed)?;
        let store = &self.store;
        let running = async {
            tokio::join!(
                writing::run(store, queue, &shutdown),
                sealing::run(store, &shutdown),
                merging::run(store, &shutdown),
                retention::run(store, &shutdown),
                compaction::run(store, &shutdown),
                deletion::run(store, &shutdown),
                scrubbing::run(store, &shutdown),
                // What is being rewritten ends soon: the others wait for it.
                async {
                    shutdown.cancelled().await;
                    store.closing.cancel();
                },
            )
        };
        Box::pin(running).await;
        self.close().await;
        Ok(())
    }

    /// Ends what is under way, and seals what is hot, within a bound of time.
    async fn close(&self) {
        let store = &self.store;
        store.changes.close();
        store.changes.wait().await;
        let end = tokio::time::Instant::now() + STOP_TIME;
        match sealing::seal_until(store, Moment::now(store, Unripe::Left), Some(end)).await {
            Ok(0) => {}
            Ok(left) => {
                tracing::warn!(tables = left, "not everything was sealed in time; the log keeps the rest");
            }
            Err(error) => {
                tracing::warn!(%error, "sealing at shutdown failed; the log keeps what is not sealed");
            }
        }
        store.changes.wait().await;
        if let Err(error) = store.catalog.save_clock(&store.clock.save()).await {
            tracing::warn!(%error, "the store's clock could not be saved");
        }
        store.catalog.close().await;
    }

    /// Returns when the batch is fsynced in the log and visible to [`Self::snapshot`]. Waits while nobody runs
    /// [`Self::run`].
    ///
    /// # Errors
    /// When the batch was not kept: busy, disk full, disk failing, shutting down.
    pub async fn append(&self, batch: Batch) -> Result<(), Error> {
        writing::append(&self.store, batch).await
    }

    /// Everything stored for a tenant and signal at this moment, each item in exactly one place.
    #[must_use]
    pub fn snapshot(&self, tenant: &TenantId, signal: Signal) -> Arc<Snapshot> {
        let table = self.store.tables.get(&TableKey { tenant: tenant.clone(), signal });
        table.map(|table| table.snapshot()).unwrap_or_default()
    }

    /// What is appended from now on. A receiver that falls more than 1,024 appends behind misses some.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Appended>> {
        self.store.appended.subscribe()
    }

    /// Seals all that is hot now, and decides on all traces if some are dropped; for tests and benchmarks.
    ///
    /// # Errors
    /// When a block could not be written; the hot buffer is kept.
    pub async fn seal(&self) -> Result<(), Error> {
        sealing::seal_all(&self.store, Moment::now(&self.store, Unripe::Decided)).await
    }

    /// Makes one block of all small neighbours now, few as they may be; for tests and benchmarks.
    ///
    /// # Errors
    /// When a block could not be read or written; those there are stay.
    pub async fn compact(&self) -> Result<(), Error> {
        compaction::compact_all(&self.store).await
    }

    /// Deletes a trace: its spans, and the log records that name it. When this returns, no file of the store has them,
    /// but for those that a query is still reading, which go when it is done.
    /// Spans that come later are kept. A deletion that a crash or shutdown interrupts is ended by the next [`Self::run`].
    ///
    /// # Errors
    /// When a block could not be rewritten; the deletion is tried again by the next [`Self::run`].
    pub async fn delete_trace(&self, tenant: &TenantId, trace: TraceId) -> Result<Deleted, Error> {
        deletion::delete(&self.store, tenant, Some(trace)).await
    }

    /// Deletes everything of a tenant, likewise.
    ///
    /// # Errors
    /// Likewise.
    pub async fn delete_everything(&self, tenant: &TenantId) -> Result<Deleted, Error> {
        deletion::delete(&self.store, tenant, None).await
    }

    /// What sampling did with a tenant's traces since the start; `None` when every trace is kept.
    #[must_use]
    pub fn sampled(&self, tenant: &TenantId) -> Option<Sampled> {
        self.store.sampler.as_ref().map(|sampler| sampler.sampled(tenant))
    }

    /// What the owner of the store should know: what is refused, missing, not done yet, or happened at the start.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        problem::of_store(&self.store)
    }

    #[must_use]
    pub fn usage(&self) -> Usage {
        let snapshots = self.store.tables.all().into_iter().map(|table| table.snapshot());
        let (mut block_bytes, mut blocks, mut damaged_blocks) = (0, 0, 0);
        for block in snapshots.flat_map(|snapshot| snapshot.blocks.clone()) {
            block_bytes += block.bytes();
            blocks += 1;
            damaged_blocks += u64::from(block.is_damaged());
        }
        Usage {
            block_bytes,
            log_bytes: self.store.log.bytes(),
            hot_bytes: self.store.hot_bytes(),
            blocks,
            damaged_blocks,
            disk_free_bytes: self.store.free.bytes(),
        }
    }
}

/// Does work that takes long or waits for the disk where it stalls nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|failure| {
        if failure.is_cancelled() {
            return Error::Closed;
        }
        Error::Damaged { what: "what was being worked on".to_owned(), detail: failure.to_string() }
    })
}

/// What a deletion deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    pub spans: u64,
    pub log_records: u64,
    pub metric_points: u64,
}

/// How much room the store takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub block_bytes: u64,
    pub log_bytes: u64,
    pub hot_bytes: u64,
    pub blocks: u64,
    /// Blocks of which a part was found to be altered or unreadable.
    pub damaged_blocks: u64,
    pub disk_free_bytes: u64,
}
