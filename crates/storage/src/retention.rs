//! Deletes whole blocks that are too old, and the oldest while there is too much.
//!
//! A block's age counts from when it was sealed: senders' clocks may be wrong, and old telemetry may be sent on purpose.
//! The catalog forgets a block first, then readers; the file goes when the last reader is done with it. A crash in
//! between leaves a file that the catalog does not know, which opening the store removes.

use crate::Store;
use crate::error::Error;
use crate::snapshot::Block;
use crate::tables::Table;
use model::{Signal, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often retention is applied when nothing is sealed.
const EVERY: Duration = Duration::from_secs(30);

/// Applies retention now and then and after each seal, until shutdown.
pub(crate) async fn run(store: &Store, shutdown: &CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = store.retention_due.notified() => {}
            _ = tick.tick() => {}
        }
        apply(store, Timestamp::now()).await;
    }
}

/// Applies retention as of `now`; what cannot be deleted is named and tried again next time.
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
    let mut bytes = [0; 3];
    for (table, block) in &blocks {
        bytes[table.key.signal as usize] += block.bytes();
    }
    let mut all = store.log.bytes() + bytes.iter().sum::<u64>();
    blocks.retain(|(table, block)| {
        let signal = table.key.signal as usize;
        let most = store.options.of_signal[signal].max_bytes.unwrap_or(u64::MAX);
        let too_much = all > store.options.max_bytes || bytes[signal] > most;
        let expired = too_much || block.statistics().sealed < oldest[signal];
        if expired {
            all -= block.bytes();
            bytes[signal] -= block.bytes();
        }
        expired
    });
    blocks
}

async fn delete(store: &Store, table: &Table, block: &Arc<Block>) -> Result<(), Error> {
    store.catalog.replace(&[block.id], None).await?;
    table.replace_blocks(std::slice::from_ref(block), None);
    Ok(())
}
