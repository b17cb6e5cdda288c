//! How telemetry rests: log, hot buffer, blocks, catalog. The only writer of files.
//!
//! ```text
//! lock                                   held while a process has the directory open
//! catalog.sqlite                         which blocks exist, and what is sealed (`catalog.rs`)
//! log/<sequence>.log                     raw requests, fsynced before they are acknowledged (`log`)
//! blocks/<tenant>/<signal>/<n>.parquet   sealed columns (`block`); *.tmp is one being written
//! ```
//!
//! Durable when: a request, once [`Storage::append`] returns. After a crash everything in the log that the catalog does
//! not call sealed is decoded again; files that the catalog does not know are removed.

pub mod block;
mod catalog;
pub mod error;
mod hot;
mod log;
mod merge;
mod open;
pub mod snapshot;
pub mod statistics;
mod store;

#[cfg(test)]
mod tests;

pub use block::Block;
pub use error::Error;
pub use snapshot::{HotBatch, Snapshot};
pub use statistics::{BlockStatistics, OperationCount};

use model::{Batch, Signal, TenantId, TraceId};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Where and how much to store.
#[derive(Debug, Clone)]
pub struct Options {
    pub directory: PathBuf,
    /// Blocks are deleted this long after they were sealed.
    pub max_age: Duration,
    /// Oldest blocks are deleted while blocks and log together are larger than this.
    pub max_bytes: u64,
    /// The hot buffer is sealed into a block when a signal of a tenant holds this many bytes, ...
    pub seal_bytes: u64,
    /// ... or when its oldest item was received this long ago.
    pub seal_age: Duration,
    /// New data is refused with [`Error::Busy`] while the hot buffer is larger than this.
    pub hot_limit_bytes: u64,
    /// New data is refused with [`Error::DiskFull`] while less than this is free on the disk.
    pub min_free_bytes: u64,
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

/// How much room the store takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub block_bytes: u64,
    pub log_bytes: u64,
    pub hot_bytes: u64,
    pub blocks: u64,
    pub disk_free_bytes: u64,
}

/// Stored telemetry. Clones share it.
#[derive(Clone)]
pub struct Storage {
    shared: Arc<store::Shared>,
    pending: mpsc::Sender<store::Pending>,
    seals: mpsc::Sender<store::SealRequest>,
    /// Taken by [`Storage::run`].
    worker: Arc<Mutex<Option<store::Worker>>>,
}

impl Storage {
    /// Opens or creates the store in `options.directory`, replaying the log. Fails when another process has it open.
    ///
    /// # Errors
    /// When the directory cannot be used; says what to do.
    pub async fn open(options: Options) -> Result<Self, Error> {
        open::open(options).await
    }

    /// Writes and fsyncs the log, seals, applies retention, until shutdown; then seals what is hot and returns.
    ///
    /// # Errors
    /// When the last seal failed (the data stays in the log), or when it runs already.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), Error> {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        worker.ok_or(Error::Closed)?.run(shutdown).await
    }

    /// Returns when the batch is fsynced in the log and visible to [`Self::snapshot`].
    ///
    /// # Errors
    /// When the batch was not kept: busy, disk full, disk failing, shutting down.
    pub async fn append(&self, batch: Batch) -> Result<(), Error> {
        if batch.accepted == 0 {
            return Ok(());
        }
        self.check_room()?;
        let (done, written) = oneshot::channel();
        self.pending.send(store::Pending { batch, done }).await.map_err(|_| Error::Closed)?;
        written.await.map_err(|_| Error::Closed)?
    }

    fn check_room(&self) -> Result<(), Error> {
        let options = &self.shared.options;
        let hot = self.shared.hot.hot_bytes();
        if hot > options.hot_limit_bytes {
            return Err(Error::Busy { bytes: hot });
        }
        let free = self.shared.free_bytes.load(Ordering::Relaxed);
        if free < options.min_free_bytes {
            return Err(Error::DiskFull { free, path: options.directory.clone() });
        }
        Ok(())
    }

    /// Everything stored for a tenant and signal at this moment, each item in exactly one place.
    #[must_use]
    pub fn snapshot(&self, tenant: &TenantId, signal: Signal) -> Arc<Snapshot> {
        self.shared.hot.snapshot(&(tenant.clone(), signal))
    }

    /// What is appended from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Appended>> {
        self.shared.appended.subscribe()
    }

    /// Seals all that is hot now; for tests and benchmarks. Needs [`Self::run`] to be running.
    ///
    /// # Errors
    /// When a block could not be written; the hot buffer is kept.
    pub async fn seal(&self) -> Result<(), Error> {
        let (done, sealed) = oneshot::channel();
        self.seals.send(done).await.map_err(|_| Error::Closed)?;
        sealed.await.map_err(|_| Error::Closed)?
    }

    #[must_use]
    pub fn usage(&self) -> Usage {
        self.shared.usage()
    }
}
