//! How telemetry rests: log, hot buffer, blocks, catalog. The only writer of files.

pub mod error;
pub mod snapshot;

pub use error::Error;
pub use snapshot::{Block, BlockStatistics, HotBatch, OperationCount, Snapshot};

use model::{Batch, Signal, TenantId, TraceId};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Where and how much to store.
#[derive(Debug, Clone)]
pub struct Options {
    pub directory: PathBuf,
    /// Whole blocks older than this (by their newest item) are deleted; the newest item may be younger by one block.
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

/// Stored telemetry. Clones share it.
#[derive(Clone)]
pub struct Storage {}

impl Storage {
    /// Opens or creates the store in `options.directory`, replaying the log. Fails when another process has it open.
    ///
    /// # Errors
    /// When the directory cannot be used; says what to do.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let _ = options;
        Err(Error::Closed)
    }

    /// Writes and fsyncs the log, seals, applies retention, until shutdown; then seals what is hot and returns.
    ///
    /// # Errors
    /// When storing became impossible for good.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), Error> {
        shutdown.cancelled().await;
        Ok(())
    }

    /// Returns when the batch is fsynced in the log and visible to [`Self::snapshot`].
    ///
    /// # Errors
    /// When the batch was not kept: busy, disk full, disk failing, shutting down.
    pub async fn append(&self, batch: Batch) -> Result<(), Error> {
        let _ = batch;
        Err(Error::Closed)
    }

    /// Everything stored for a tenant and signal at this moment, each item in exactly one place.
    #[must_use]
    pub fn snapshot(&self, tenant: &TenantId, signal: Signal) -> Arc<Snapshot> {
        let _ = (tenant, signal);
        Arc::new(Snapshot::default())
    }

    /// What is appended from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Appended>> {
        broadcast::channel(1).1
    }

    /// Seals all that is hot now; for tests, benchmarks and shutdown.
    ///
    /// # Errors
    /// When a block could not be written; the hot buffer is kept.
    pub async fn seal(&self) -> Result<(), Error> {
        Ok(())
    }

    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage::default()
    }
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
