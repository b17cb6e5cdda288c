//! Reads every block now and then, slowly, so that damage is found before somebody asks for what is in it.

use crate::snapshot::Block;
use crate::{Store, blocking};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// So much is read at once, and then there is a pause: about 4 MB a second.
const PART: u64 = 1 << 20;
const PAUSE: Duration = Duration::from_millis(250);
/// How long there is a rest when all blocks were read.
const EVERY: Duration = Duration::from_secs(6 * 3_600);
/// After a start there is other work to do first.
const FIRST: Duration = Duration::from_secs(600);

/// Reads all blocks, again and again, until shutdown.
pub(crate) async fn run(store: &Arc<Store>, shutdown: &CancellationToken) {
    let mut rest = FIRST;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(rest) => {}
        }
        rest = EVERY;
        // What is given up meanwhile is not held.
        let blocks: Vec<Weak<Block>> = store
            .tables
            .all()
            .iter()
            .flat_map(|table| table.snapshot().blocks.iter().map(Arc::downgrade).collect::<Vec<_>>())
            .collect();
        for block in blocks {
            if !read(&block, shutdown).await {
                return;
            }
        }
        tracing::debug!("every block was read once more");
    }
}

/// Reads one block and notes what is damaged; answers whether to go on with others.
async fn read(block: &Weak<Block>, shutdown: &CancellationToken) -> bool {
    let mut at = 0;
    while let Some(block) = block.upgrade().filter(|block| at < block.bytes() && !block.is_damaged()) {
        let part = at..(at + PART).min(block.bytes());
        at = part.end;
        let checked = blocking(move || block.check_part(part)).await;
        if let Ok(Err(error)) = checked
            && !error.is_of_block()
        {
            // The object store is away, most likely.
            tracing::debug!(%error, "a block could not be looked at");
        }
        tokio::select! {
            () = shutdown.cancelled() => return false,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    true
}
