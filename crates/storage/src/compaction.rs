//! Makes large blocks of small ones, so that there are few, and a trace's fragments come together.
//!
//! Blocks are of a *tier* by their size. When [`FAN_IN`] neighbours of one tier or lower ones are there, they become
//! one block of a higher tier: each row is rewritten at most once per tier, and those of a busy server, whose blocks are
//! sealed large, once. Blocks of the last tier stay as they are. Those sealed on different days stay apart, so that blocks
//! are partitioned by time.

use crate::Store;
use crate::block::Block;
use crate::error::Error;
use crate::place::day;
use crate::rewriting::replace;
use crate::snapshot::Snapshot;
use crate::tables::Table;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// So many neighbours become one.
const FAN_IN: usize = 16;
/// Blocks below these sizes are of tier 0, 1, 2; others are not compacted.
const TIERS: [u64; 3] = [64 << 10, 1 << 20, 16 << 20];
/// A block is made no larger than this.
const MOST_BYTES: u64 = 256 << 20;
const MOST_ROWS: u64 = 4 << 20;
/// Nor of values that take more than this: an agent's content may be a hundred times smaller in the file.
const MOST_VALUE_BYTES: u64 = 4 << 30;
/// Blocks that are deleted for their age at times further apart than this part of it stay apart.
const AGE_PART: u32 = 8;
/// While telemetry comes in as fast as it can be taken, blocks wait to be compacted until there are so many of a table.
const MOST_WAITING: usize = 256;
/// A block is rewritten for its own sake when so many of its rows, and a quarter of them, do not count; ...
const SUPERSEDED: usize = 1_024;
/// ... or so many of a table's rows; each takes some 40 bytes of memory.
const MOST_SUPERSEDED: usize = 1_000_000;
/// How often it is looked whether ingest has calmed down, and how often in a row it must have.
const LOOK: Duration = Duration::from_secs(1);
const CALM_LOOKS: u32 = 3;
/// How long compaction rests after it failed.
const REST: Duration = Duration::from_secs(30);

/// Compacts after each seal, until shutdown.
pub(crate) async fn run(store: &Arc<Store>, shutdown: &CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = store.compaction_due.notified() => {}
        }
        for table in store.tables.all() {
            compact(store, &table, shutdown).await;
        }
    }
}

/// Compacts one table. What cannot be read is left out the next time; for everything else that fails, there is a rest.
async fn compact(store: &Arc<Store>, table: &Arc<Table>, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        if choose(&table.snapshot(), apart(store, table), FAN_IN).is_none() {
            return;
        }
        wait_for_calm(store, table, shutdown).await;
        match step(store, table, FAN_IN).await {
            Ok(true) => {}
            Ok(false) | Err(Error::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "blocks could not be compacted; they stay as they are");
                return rest(shutdown).await;
            }
        }
    }
}

/// Compacts whatever has a neighbour.
pub(crate) async fn compact_all(store: &Arc<Store>) -> Result<(), Error> {
    for table in store.tables.all() {
        while step(store, &table, 2).await? {}
    }
    Ok(())
}

/// Ingest at full rate needs every processor: the buffer then holds more than what makes a block.
async fn wait_for_calm(store: &Store, table: &Table, shutdown: &CancellationToken) {
    let is_busy = || match store.sampler {
        None => store.tables.hot_bytes() > store.options.seal_bytes,
        // What waits to be decided on is there all the time.
        Some(_) => store.is_half_full(),
    };
    let mut calm = 0;
    while calm < CALM_LOOKS && table.snapshot().blocks.len() < MOST_WAITING {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK) => calm = if is_busy() { 0 } else { calm + 1 },
        }
    }
}

/// How far apart in time blocks may be sealed that become one.
fn apart(store: &Store, table: &Table) -> Duration {
    store.options.kept_for(table.key.signal) / AGE_PART
}

async fn rest(shutdown: &CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(REST) => {}
    }
}

/// Makes one block of some; answers whether there were any to make it of. Once begun, it comes to its end.
async fn step(store: &Arc<Store>, table: &Arc<Table>, fan_in: usize) -> Result<bool, Error> {
    let (own, table) = (Arc::clone(store), Arc::clone(table));
    let stepping = async move {
        let _rewriting = own.rewriting.lock().await;
        let snapshot = table.snapshot();
        match choose(&snapshot, apart(&own, &table), fan_in) {
            Some(run) => replace(&own, &table, run, None).await.map(|_| true),
            None => Ok(false),
        }
    };
    store.to_its_end(stepping).await
}

/// Blocks to make one of: neighbours of the lowest tier that has enough, the oldest first; or one of which many rows do not
/// count. Damaged blocks stay.
fn choose(snapshot: &Snapshot, apart: Duration, fan_in: usize) -> Option<&[Arc<Block>]> {
    neighbours(&snapshot.blocks, apart, fan_in).or_else(|| mostly_superseded(snapshot))
}

/// A block of which so many rows do not count that they are worth being left out: each takes memory.
fn mostly_superseded(snapshot: &Snapshot) -> Option<&[Arc<Block>]> {
    let superseded = |block: &Block| snapshot.superseded_in(block).map_or(0, |rows| rows.len());
    let all: usize = snapshot.blocks.iter().map(|block| superseded(block)).sum();
    let most = snapshot.blocks.iter().enumerate().filter(|(_, block)| !block.is_damaged());
    let (place, block) = most.max_by_key(|(_, block)| superseded(block))?;
    let share = snapshot.rows_of(block) < 3 * superseded(block) as u64;
    let is_due = all >= MOST_SUPERSEDED || share && superseded(block) >= SUPERSEDED;
    snapshot.blocks.get(place..=place).filter(|_| is_due)
}

/// Neighbours to make one block of.
fn neighbours(blocks: &[Arc<Block>], apart: Duration, fan_in: usize) -> Option<&[Arc<Block>]> {
    TIERS.iter().find_map(|limit| {
        let stays = |block: &Arc<Block>| {
            block.bytes() >= *limit || block.value_bytes() >= MOST_VALUE_BYTES / 2 || block.is_damaged()
        };
        let mut runs = blocks.split(stays);
        runs.find_map(|run| together(run, apart, fan_in))
    })
}

/// The first blocks of a run, as many as may become one, when these are enough.
fn together(run: &[Arc<Block>], apart: Duration, fan_in: usize) -> Option<&[Arc<Block>]> {
    if run.len() < fan_in {
        return None;
    }
    let sealed = run.first().map(|block| block.statistics().sealed).unwrap_or_default();
    let apart = u64::try_from(apart.as_nanos()).unwrap_or(u64::MAX);
    let is_known = run.first().map(|block| block.coverage().is_some());
    let (mut bytes, mut rows, mut value_bytes) = (0, 0, 0);
    let fits = |block: &&Arc<Block>| {
        bytes += block.bytes();
        rows += block.statistics().rows;
        value_bytes += block.value_bytes();
        let of_block = block.statistics().sealed;
        let together = of_block.0.abs_diff(sealed.0) <= apart && day(of_block) == day(sealed);
        // Blocks that tell which requests they hold stay such.
        let alike = Some(block.coverage().is_some()) == is_known;
        bytes <= MOST_BYTES && rows <= MOST_ROWS && value_bytes <= MOST_VALUE_BYTES && together && alike
    };
    let count = run.iter().take(crate::block::MOST_BLOCKS).take_while(fits).count();
    run.get(..count).filter(|run| run.len() > 1)
}
