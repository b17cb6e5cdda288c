//! Turns hot batches into blocks when there are enough of them or they are old enough, and trims the log.
//!
//! The order of the steps is what makes it safe at any moment: file written and fsynced; catalog committed; readers
//! switched from the hot batches to the block, in one step; log trimmed.

use crate::block::{Block, write_block};
use crate::error::Error;
use crate::place::{self, BLOCKS};
use crate::steps;
use crate::tables::{Table, TableKey};
use crate::{Store, blocking};
use model::Timestamp;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether something is old enough.
const TICK: Duration = Duration::from_secs(1);
/// How long sealing rests after it failed.
const REST: Duration = Duration::from_secs(5);
/// When the log outgrows `seal_bytes` by so much, because a quiet table holds its oldest segments, all is sealed.
const LOG_SLACK: u64 = 256 << 20;

/// Seals what is due, until shutdown.
pub(crate) async fn run(store: &Arc<Store>, shutdown: &CancellationToken) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut resting_until = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = store.seal_due.notified() => {}
            _ = tick.tick() => {}
        }
        if Instant::now() < resting_until {
            continue;
        }
        if let Err(error) = seal_due(store, shutdown).await {
            tracing::error!(%error, "sealing failed; it is tried again, and the log keeps what is not sealed");
            resting_until = Instant::now() + REST;
            // A full disk is the likeliest cause, and deleting what may be deleted the cure.
            store.retention_due.notify_one();
        }
    }
}

/// Seals every table until it has no hot batch that it had when this began.
pub(crate) async fn seal_all(store: &Arc<Store>) -> Result<(), Error> {
    for table in store.tables.all() {
        let newest = table.snapshot().hot.last().map_or(0, |batch| batch.sequences.1);
        while table.snapshot().hot.first().is_some_and(|batch| batch.sequences.0 <= newest) {
            seal(store, &table).await?;
        }
    }
    Ok(())
}

/// Seals the tables that are large or old enough; all of them when the log is long.
async fn seal_due(store: &Arc<Store>, shutdown: &CancellationToken) -> Result<(), Error> {
    let log_is_long =
        store.log.bytes() > store.options.seal_bytes.saturating_mul(2).saturating_add(LOG_SLACK);
    for table in store.tables.all() {
        let mut due = log_is_long;
        while !shutdown.is_cancelled() && (due || is_due(store, &table)) {
            due = false;
            seal(store, &table).await?;
        }
    }
    Ok(())
}

fn is_due(store: &Store, table: &Table) -> bool {
    let received = table.snapshot().hot.first().map(|batch| batch.received);
    let Some(received) = received else { return false };
    let age = Duration::from_nanos(Timestamp::now().0.saturating_sub(received.0));
    age >= store.options.seal_age || table.hot_bytes() >= store.options.seal_bytes
}

/// Makes one block of a table's oldest hot batches, if it has any.
async fn seal(store: &Arc<Store>, table: &Table) -> Result<(), Error> {
    let mut sealed = store.sealed.lock().await;
    let result = seal_locked(store, table, &mut sealed).await;
    if result.is_err() {
        table.thaw();
    }
    result
}

async fn seal_locked(
    store: &Arc<Store>,
    table: &Table,
    sealed: &mut HashMap<TableKey, u64>,
) -> Result<(), Error> {
    let batches = table.freeze(store.options.seal_bytes);
    let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return Ok(()) };
    let (first, last) = (first.sequences.0, last.sequences.1);
    let attempt = store.attempts.fetch_add(1, Ordering::Relaxed);
    let directory = place::directory(&table.key, Timestamp::now());
    let name = format!("{first:020}-{last:020}-{attempt}.parquet");
    let signal = table.key.signal;
    let holder = Arc::clone(store);
    let mut description = blocking(move || {
        let directory = create_directory(&holder.options.directory, &directory)?;
        write_block(&directory.join(name), signal, &batches)
    })
    .await??;
    steps::reached("seal: file named");
    description.place = store.places.keep(description.place).await?;
    steps::reached("seal: in its place");
    // When this fails the file is left as it is, for the commit may have succeeded all the same.
    let name = store.places.name(&description.place);
    let id = store.catalog.add(&table.key, (&name, &description), last).await?;
    steps::reached("seal: in the catalog");
    let rows = description.statistics.rows;
    tracing::debug!(place = %description.place, rows, bytes = description.bytes, "sealed a block");
    table.sealed(Arc::new(Block::new(id, description)));
    sealed.insert(table.key.clone(), last);
    steps::reached("seal: shown");
    let (log, sealed) = (Arc::clone(store), sealed.clone());
    store.retention_due.notify_one();
    store.compaction_due.notify_one();
    blocking(move || log.log.trim(&sealed)).await
}

/// Creates a directory of blocks, below that of all, so that it survives a crash; answers where it is.
pub(crate) fn create_directory(data: &Path, below: &Path) -> Result<PathBuf, Error> {
    let directory = data.join(BLOCKS).join(below);
    if directory.is_dir() {
        return Ok(directory);
    }
    std::fs::create_dir_all(&directory).map_err(Error::io("creating", &directory))?;
    for ancestor in directory.ancestors().take_while(|ancestor| ancestor.starts_with(data)) {
        crate::disk::sync_directory(ancestor).map_err(Error::io("writing the directory", ancestor))?;
    }
    Ok(directory)
}
