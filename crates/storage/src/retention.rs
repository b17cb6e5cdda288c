//! Deletes whole blocks that are too old, and the oldest while there is more than the user's limits allow. Nothing else
//! decides what is deleted: a disk that is too small refuses what comes, and keeps what it has.
//!
//! A block's age counts from when it was sealed, by the store's clock (`crate::clock`): senders' clocks may be wrong, the
//! system's clock may jump, and old telemetry may be sent on purpose. The newest block of each signal stays, however
//! small the limit of size is. The catalog forgets a block first, then readers; the file goes when the last reader is done
//! with it.

use crate::Store;
use crate::clock::Reading;
use crate::error::Error;
use crate::snapshot::Block;
use crate::superseded::Found;
use crate::tables::Table;
use model::{Signal, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often retention is applied when nothing is sealed.
const EVERY: Duration = Duration::from_secs(30);

/// Applies retention now and then and after each seal, until shutdown.
pub(crate) async fn run(store: &Arc<Store>, shutdown: &CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        // The clock is saved now and then, and not with each block that is sealed.
        let is_tick = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = store.retention_due.notified() => false,
            _ = tick.tick() => true,
        };
        if let Some(jump) = store.clock.look(Reading::now()) {
            tracing::warn!("{}", jump.message());
        }
        let own = Arc::clone(store);
        let applying = async move {
            apply(&own, own.clock.now()).await;
            if is_tick { own.catalog.save_clock(&own.clock.save()).await } else { Ok(()) }
        };
        if let Err(error) = store.to_its_end(applying).await {
            tracing::warn!(%error, "the store's clock could not be saved");
        }
    }
}

/// Applies retention as of `now`, by the store's clock; what cannot be deleted is named and tried again next time.
pub(crate) async fn apply(store: &Store, now: Timestamp) {
    let _rewriting = store.rewriting.lock().await;
    for (table, block) in expired(store, now) {
        match delete(store, &table, &block).await {
            Ok(()) => {
                tracing::info!(block = block.name(), "deleted a block that is past retention");
            }
            Err(error) => {
                tracing::error!(block = block.name(), %error, "deleting a block failed");
                return;
            }
        }
    }
    drop(store.places.settle().await);
    if let Err(error) = forget_garbage(store).await {
        tracing::warn!(%error, "the catalog could not forget files that are gone");
    }
}

/// The blocks to delete, oldest first.
fn expired(store: &Store, now: Timestamp) -> Vec<(Arc<Table>, Arc<Block>)> {
    let mut blocks: Vec<(Arc<Table>, Arc<Block>)> = Vec::new();
    for table in store.tables.all() {
        let snapshot = table.snapshot();
        blocks.extend(snapshot.blocks.iter().map(|block| (Arc::clone(&table), Arc::clone(block))));
    }
    blocks.sort_by_key(|(_, block)| (block.statistics().sealed, block.id));
    let oldest = Signal::ALL.map(|signal| {
        let max_age = u64::try_from(store.options.kept_for(signal).as_nanos()).unwrap_or(u64::MAX);
        Timestamp(now.0.saturating_sub(max_age))
    });
    let (mut bytes, mut newest) = ([0; 3], [0; 3]);
    for (table, block) in &blocks {
        bytes[table.key.signal as usize] += block.bytes();
        newest[table.key.signal as usize] = block.id;
    }
    let mut all = store.log.bytes() + bytes.iter().sum::<u64>();
    blocks.retain(|(table, block)| {
        let signal = table.key.signal as usize;
        let most = store.options.of_signal[signal].max_bytes.unwrap_or(u64::MAX);
        let too_much = all > store.options.max_bytes || bytes[signal] > most;
        let is_too_old = block.statistics().sealed < oldest[signal];
        let expired = is_too_old || too_much && block.id != newest[signal];
        if expired {
            all -= block.bytes();
            bytes[signal] -= block.bytes();
        }
        expired
    });
    blocks
}

async fn delete(store: &Store, table: &Table, block: &Arc<Block>) -> Result<(), Error> {
    store.catalog.replace(&table.key, &[block.id], None, &Found::default()).await?;
    table.replace_blocks(std::slice::from_ref(block), None);
    Ok(())
}

/// Lets the catalog forget files that were given up and are gone from the disk. What an object store was asked to remove is
/// removed once more at the next start.
async fn forget_garbage(store: &Store) -> Result<(), Error> {
    let garbage = store.catalog.garbage().await?;
    let is_gone = |name: &String| !name.contains("://") && !store.options.directory.join(name).exists();
    let gone: Vec<String> = garbage.into_iter().filter(is_gone).collect();
    if gone.is_empty() { Ok(()) } else { store.catalog.forget_garbage(&gone).await }
}
