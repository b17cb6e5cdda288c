//! Replaces blocks by one that is made of them, beside ingest and queries.
//!
//! The steps are those of sealing: file written and fsynced; catalog committed; readers switched, in one step; old
//! files removed when their last reader is done. A crash before the commit leaves a file whose rows are all in other
//! blocks, one after it leaves old files that the catalog has as garbage; opening the store removes both.

use crate::block::{self, Block, Description};
use crate::error::Error;
use crate::sealing::{create_directory, outcome};
use crate::steps;
use crate::tables::Table;
use crate::{Store, place};
use model::TraceId;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How much less a rewriting thread matters than others, as `nice` counts.
const NICENESS: i32 = 10;

/// Makes one block of these neighbours, oldest first, without the rows of a trace; answers how many rows went. The
/// caller holds [`Store::rewriting`].
pub(crate) async fn replace(
    store: &Arc<Store>,
    table: &Table,
    blocks: &[Arc<Block>],
    without: Option<TraceId>,
) -> Result<u64, Error> {
    let Some(first) = blocks.first() else { return Ok(0) };
    let name = format!("{:020}-rewritten-{:016x}.parquet", first.id, place::unique());
    let directory = place::directory(&table.key, first.statistics().sealed);
    let (key, parts) = (table.key.clone(), blocks.to_vec());
    // The thread holds the store, and with it the lock of the directory, until the disk is done.
    let holder = Arc::clone(store);
    let written = in_background(move || {
        let directory = create_directory(&holder.options.directory, &directory)?;
        let stopping = || holder.closing.is_cancelled();
        block::rewrite(&directory.join(name), &key, &parts, without, &stopping)
    })
    .await;
    let mut written = written.inspect_err(|error| note_damage(error, blocks))?;
    steps::reached("rewrite: file named");
    let mut name = String::new();
    if let Some(description) = &mut written {
        description.place = store.places.keep(description.place.clone()).await?;
        name = store.places.name(&description.place);
    }
    steps::reached("rewrite: in its place");
    commit(store, table, blocks, written.as_ref().map(|description| (name.as_str(), description))).await?;
    steps::reached("rewrite: in the catalog");
    let rows = |blocks: &[Arc<Block>]| blocks.iter().map(|block| block.statistics().rows).sum::<u64>();
    let left = written.as_ref().map_or(0, |description| description.statistics.rows);
    tell(blocks, written.as_ref());
    let block = written.map(|description| Arc::new(Block::new(first.id, description)));
    table.replace_blocks(blocks, block);
    steps::reached("rewrite: shown");
    Ok(rows(blocks).saturating_sub(left))
}

/// Enters the block into the catalog instead of the others. When that fails its file goes, unless it was entered all the
/// same.
async fn commit(
    store: &Store,
    table: &Table,
    blocks: &[Arc<Block>],
    written: Option<(&str, &Description)>,
) -> Result<(), Error> {
    let ids: Vec<i64> = blocks.iter().map(|block| block.id).collect();
    let Err(error) = store.catalog.replace(&table.key, &ids, written).await else { return Ok(()) };
    let Some((name, written)) = written else { return Err(error) };
    match outcome(store, name).await? {
        Some(_) => Ok(()),
        None => {
            written.place.remove();
            Err(error)
        }
    }
}

/// A block that is damaged or missing is found again by its path in the error.
fn note_damage(error: &Error, blocks: &[Arc<Block>]) {
    let text = error.to_string();
    let hit = blocks.iter().filter(|block| error.is_of_block() && text.contains(&block.name()));
    hit.for_each(|block| block.note_damage(error));
}

fn tell(blocks: &[Arc<Block>], written: Option<&Description>) {
    let before: u64 = blocks.iter().map(|block| block.bytes()).sum();
    let (rows, bytes) = written.map_or((0, 0), |block| (block.statistics.rows, block.bytes));
    tracing::debug!(blocks = blocks.len(), before, rows, bytes, "rewrote blocks");
}

/// Works on a thread of its own that gives way to others.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (answer, answered) = oneshot::channel();
    let thread = move || {
        // Only a wish: where it is not granted, the work is done all the same.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        drop(answer.send(work()));
    };
    std::thread::Builder::new()
        .name("clew-rewrite".to_owned())
        .spawn(thread)
        .map_err(|source| Error::Io { action: "starting a thread for", path: "blocks".into(), source })?;
    answered.await.map_err(|_| Error::Damaged {
        what: "rewriting blocks".to_owned(),
        detail: "it ended without an answer".to_owned(),
    })?
}
