//! Replaces blocks by one that is made of them, beside ingest and queries.
//!
//! The steps are those of sealing: file written and fsynced; catalog committed; readers switched, in one step; old
//! files removed when their last reader is done. A crash before the commit leaves a file whose rows are all in other
//! blocks, one after it leaves old files that the catalog has as garbage; opening the store removes both.

use crate::block::{self, Block, Description};
use crate::error::Error;
use crate::sealing::{create_directory, outcome};
use crate::steps;
use crate::superseded::{Found, SpanKeys};
use crate::tables::Table;
use crate::{Store, blocking, place};
use model::TraceId;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How much less a rewriting thread matters than others, as `nice` counts.
const NICENESS: i32 = 10;

/// Makes one block of these neighbours, oldest first, without the rows of a trace, and without those that do not count. The
/// caller holds [`Store::rewriting`].
pub(crate) async fn replace(
    store: &Arc<Store>,
    table: &Table,
    blocks: &[Arc<Block>],
    without: Option<TraceId>,
) -> Result<(), Error> {
    let Some(first) = blocks.first() else { return Ok(()) };
    let name = format!("{:020}-rewritten-{:016x}.parquet", first.id, place::unique());
    let directory = place::directory(&table.key, first.statistics().sealed);
    let known = superseded_in(table, blocks);
    let parts: Vec<_> = blocks.iter().cloned().zip(known.iter().cloned()).collect();
    let key = table.key.clone();
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
    let block = written.clone().map(|description| Arc::new(Block::new(first.id, description)));
    let _counting = store.counting.lock().await;
    let mut new = SpanKeys::default();
    for (known, now) in known.iter().zip(superseded_in(table, blocks)) {
        new.merge(now.map_or_else(SpanKeys::default, |now| now.without(known.as_ref())));
    }
    let superseded = left_in(block.as_ref(), new).await?;
    let with = written.as_ref().map(|description| (name.as_str(), description));
    let found = Found::of(superseded.clone());
    commit(store, table, blocks, (with, &found)).await?;
    steps::reached("rewrite: in the catalog");
    tell(blocks, written.as_ref());
    table.replace_blocks(blocks, block.map(|block| (block, superseded)));
    steps::reached("rewrite: shown");
    Ok(())
}

/// The rows of each block that do not count.
fn superseded_in(table: &Table, blocks: &[Arc<Block>]) -> Vec<Option<Arc<SpanKeys>>> {
    let snapshot = table.snapshot();
    blocks.iter().map(|block| snapshot.superseded_in(block).cloned()).collect()
}

/// Of rows that do not count, those that a block made of others still has.
pub(crate) async fn left_in(block: Option<&Arc<Block>>, superseded: SpanKeys) -> Result<SpanKeys, Error> {
    let Some(block) = block.filter(|_| !superseded.is_empty()).cloned() else {
        return Ok(SpanKeys::default());
    };
    let left = blocking(move || block.versions(&superseded.sorted())).await??;
    Ok(left.into_iter().map(|(key, _)| key).collect())
}

/// Enters the block into the catalog instead of the others. When that fails its file goes, unless it was entered all the
/// same.
async fn commit(
    store: &Store,
    table: &Table,
    blocks: &[Arc<Block>],
    (written, found): (Option<(&str, &Description)>, &Found),
) -> Result<(), Error> {
    let ids: Vec<i64> = blocks.iter().map(|block| block.id).collect();
    let Err(error) = store.catalog.replace(&table.key, &ids, written, found).await else {
        return Ok(());
    };
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
