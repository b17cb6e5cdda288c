//! Turns hot batches into blocks when there are enough of them or they are old enough, and trims the log.
//!
//! The order of the steps is what makes it safe at any moment: file written and fsynced; catalog committed; readers
//! switched from the hot batches to the block, in one step; log trimmed.

use crate::block::{Block, Coverage, Description, Origin, write_block};
use crate::error::Error;
use crate::place::{self, BLOCKS};
use crate::sampling::{Decision, Moment, Sampler, Unripe};
use crate::snapshot::HotBatch;
use crate::steps;
use crate::superseded::{self, Found};
use crate::tables::{Table, TableKey};
use crate::{Store, blocking};
use model::Timestamp;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
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

/// Seals every table until it has no hot batch that it had when this began, or none that is to be sealed.
pub(crate) async fn seal_all(store: &Arc<Store>, moment: Moment) -> Result<(), Error> {
    seal_until(store, moment, None).await.map(drop)
}

/// The same, but begins with no other table after some time; answers how many were left.
pub(crate) async fn seal_until(
    store: &Arc<Store>,
    moment: Moment,
    end: Option<Instant>,
) -> Result<usize, Error> {
    let tables = store.tables.all();
    for (done, table) in tables.iter().enumerate() {
        if end.is_some_and(|end| Instant::now() >= end) {
            return Ok(tables.len() - done);
        }
        let newest = table.snapshot().hot.last().map_or(0, |batch| batch.sequences.1);
        let mut any = true;
        while any && table.snapshot().hot.first().is_some_and(|batch| batch.sequences.0 <= newest) {
            any = seal(store, table, moment).await?;
        }
    }
    Ok(0)
}

/// Seals the tables that are large or old enough; all of them when the log is long. What fails for one table does not
/// keep the others: the first error is answered in the end.
async fn seal_due(store: &Arc<Store>, shutdown: &CancellationToken) -> Result<(), Error> {
    let log_is_long = log_is_long(store);
    let mut result = Ok(());
    for table in store.tables.all() {
        result = result.and(seal_table(store, &table, log_is_long, shutdown).await);
    }
    result.and(make_room(store, shutdown).await)
}

/// Seals a table for as long as it is large or old enough; once at least when it is due anyway.
async fn seal_table(
    store: &Arc<Store>,
    table: &Arc<Table>,
    mut due: bool,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    while !shutdown.is_cancelled() && (due || is_due(store, table)) {
        due = false;
        if !seal(store, table, Moment::now(store, Unripe::Left)).await? {
            break;
        }
    }
    Ok(())
}

fn log_is_long(store: &Store) -> bool {
    // What waits to be decided on is in the log for good reason.
    let waiting: u64 = sampled_tables(store).map(|table| table.hot_bytes()).sum();
    let most = store.options.seal_bytes.saturating_add(waiting).saturating_mul(2).saturating_add(LOG_SLACK);
    store.log.bytes() > most
}

fn sampled_tables(store: &Store) -> impl Iterator<Item = Arc<Table>> {
    store.tables.all().into_iter().filter(|table| store.sampler_of(&table.key).is_some())
}

fn is_due(store: &Store, table: &Table) -> bool {
    let snapshot = table.snapshot();
    let Some(arrived) = snapshot.hot.first().map(|batch| batch.arrived) else { return false };
    let now = store.clock.now();
    let sampler = store.sampler_of(&table.key);
    let ripe = snapshot.hot.iter().take_while(|batch| sampler.is_none_or(|it| it.is_ripe(batch, now)));
    let (batches, bytes) = ripe.fold((0, 0), |(count, bytes), batch| (count + 1, bytes + batch.bytes));
    let age = Duration::from_nanos(now.0.saturating_sub(arrived.0));
    let seal_age = sampler.map_or(store.options.seal_age, |it| it.seal_age(store.options.seal_age));
    batches > 0 && (age >= seal_age || bytes >= store.options.seal_bytes)
}

/// Makes room when clients would have to be told to wait otherwise: seals traces that had their time, then the largest
/// tables, and decides on traces before they had their time when these take the most. No table comes twice, so that what
/// is due meanwhile does not have to wait; when that did not suffice, the next append or tick goes on.
async fn make_room(store: &Arc<Store>, shutdown: &CancellationToken) -> Result<(), Error> {
    if store.sampler.is_none() {
        return Ok(());
    }
    let is_needed = || !shutdown.is_cancelled() && store.is_half_full();
    let mut result = Ok(());
    for table in sampled_tables(store) {
        if is_needed() {
            result = result.and(seal(store, &table, Moment::now(store, Unripe::Left)).await.map(drop));
        }
    }
    let mut done = HashSet::new();
    while is_needed() {
        let largest = store.tables.all().into_iter().max_by_key(|table| table.hot_bytes());
        let Some(table) = largest.filter(|table| done.insert(table.key.clone())) else { break };
        let unripe = store.sampler_of(&table.key).map_or(Unripe::Left, |sampler| {
            sampler.tell_early();
            Unripe::Decided
        });
        result = result.and(seal(store, &table, Moment::now(store, unripe)).await.map(drop));
    }
    result
}

/// Makes at most one block of a table's oldest hot batches; answers whether there were any to seal. Once begun, it comes to
/// its end, whoever waits for it.
async fn seal(store: &Arc<Store>, table: &Arc<Table>, moment: Moment) -> Result<bool, Error> {
    let (own, table) = (Arc::clone(store), Arc::clone(table));
    let sealing = async move {
        let mut sealed = own.sealed.lock().await;
        let result = seal_locked(&own, &table, moment, &mut sealed).await;
        if result.is_err() {
            table.thaw();
        }
        own.note_sealing(result.as_ref().err());
        result
    };
    store.to_its_end(sealing).await
}

async fn seal_locked(
    store: &Arc<Store>,
    table: &Arc<Table>,
    moment: Moment,
    sealed: &mut HashMap<TableKey, u64>,
) -> Result<bool, Error> {
    let sampler = store.sampler_of(&table.key).filter(|_| moment.unripe == Unripe::Left);
    let is_ripe = |batch: &HotBatch| sampler.is_none_or(|sampler| sampler.is_ripe(batch, moment.now));
    let batches = table.freeze(store.options.seal_bytes, is_ripe);
    let Some(last) = batches.last().map(|batch| batch.sequences.1) else { return Ok(false) };
    let (holder, of_table) = (Arc::clone(store), Arc::clone(table));
    let frozen = batches.clone();
    let (mut written, decision) = blocking(move || write(&holder, &of_table, &frozen, moment)).await??;
    let kept = decision.as_ref().map_or(batches, |decision| decision.batches.clone());
    steps::reached("seal: file named");
    if let Some(description) = &mut written {
        description.place = store.places.keep(description.place.clone()).await?;
    }
    steps::reached("seal: in its place");
    let _counting = store.counting.lock().await;
    let found = look(table, kept).await?;
    let id = commit(store, table, written.as_ref(), (last, &found)).await?;
    steps::reached("seal: in the catalog");
    tell(store, table, written.as_ref(), decision.as_ref(), id);
    let block = id.zip(written).map(|(id, description)| Arc::new(Block::new(id, description)));
    if let Some(block) = &block {
        block.remember_traces(found.traces);
    }
    let own = block.iter().map(|block| (Arc::clone(block), found.spans.clone()));
    let superseded = own.chain(found.in_blocks).collect();
    table.sealed(block, superseded);
    sealed.insert(table.key.clone(), last);
    steps::reached("seal: shown");
    let (log, sealed) = (Arc::clone(store), sealed.clone());
    store.retention_due.notify_one();
    store.compaction_due.notify_one();
    blocking(move || log.log.trim(&sealed)).await?;
    Ok(true)
}

/// Looks for what is about to be sealed in the older blocks of its table.
async fn look(table: &Arc<Table>, batches: Vec<Arc<HotBatch>>) -> Result<Found, Error> {
    let table = Arc::clone(table);
    blocking(move || superseded::of_sealed(&table.key, &batches, &table.snapshot())).await
}

/// Enters a block into the catalog; answers its id. When that fails, the file goes, unless it was entered all the same.
async fn commit(
    store: &Store,
    table: &Table,
    written: Option<&Description>,
    (last, found): (u64, &Found),
) -> Result<Option<i64>, Error> {
    let name = written.map(|description| store.places.name(&description.place));
    match store.catalog.add(&table.key, name.as_deref().zip(written), last, found).await {
        Ok(id) => Ok(id),
        Err(error) => match name.as_deref().zip(written) {
            None => Err(error),
            Some((name, written)) => match outcome(store, name).await? {
                Some(id) => Ok(Some(id)),
                None => {
                    written.place.remove();
                    Err(error)
                }
            },
        },
    }
}

/// The id of a block of which the commit failed, if it was entered all the same. Nothing else is sealed or rewritten before
/// that is known: the rows could come to stand in two blocks.
pub(crate) async fn outcome(store: &Store, name: &str) -> Result<Option<i64>, Error> {
    loop {
        match store.catalog.id_of(name).await {
            Ok(id) => return Ok(id),
            Err(error) => {
                tracing::error!(%error, block = name, "whether a block was entered into the catalog is not known yet");
                tokio::select! {
                    // The next start sees what is there.
                    () = store.closing.cancelled() => return Err(Error::Closed),
                    () = tokio::time::sleep(TICK) => {}
                }
            }
        }
    }
}

/// Writes what is kept of frozen batches as a block; none when that is nothing. For threads that may wait.
fn write(
    store: &Store,
    table: &Table,
    batches: &[Arc<HotBatch>],
    moment: Moment,
) -> Result<(Option<Description>, Option<Decision>), Error> {
    let first = batches.first().map_or(0, |batch| batch.sequences.0);
    let last = batches.last().map_or(0, |batch| batch.sequences.1);
    let sampler = store.sampler_of(&table.key);
    let decide = |sampler: &Sampler| sampler.decide(&table.key.tenant, (batches, &table.snapshot()), moment);
    let decision = sampler.map(decide).transpose()?;
    let kept = decision.as_ref().map_or(batches, |decision| decision.batches.as_slice());
    if kept.is_empty() {
        return Ok((None, decision));
    }
    let directory = place::directory(&table.key, Timestamp::now());
    let directory = create_directory(&store.options.directory, &directory)?;
    let path = directory.join(format!("{first:020}-{last:020}-{:016x}.parquet", place::unique()));
    let origin = Origin {
        key: table.key.clone(),
        coverage: Some(Coverage { first, last }),
        generation: 0,
        sources: Vec::new(),
        sealed: store.clock.now(),
    };
    write_block(&path, &origin, kept).map(|written| (Some(written), decision))
}

/// Tells of what was sealed, and remembers what was decided.
fn tell(
    store: &Store,
    table: &Table,
    written: Option<&Description>,
    decision: Option<&Decision>,
    block: Option<i64>,
) {
    if let Some(Description { place, bytes, statistics, .. }) = written {
        tracing::debug!(%place, rows = statistics.rows, bytes, "sealed a block");
    }
    if let Some((sampler, decision)) = store.sampler.as_ref().zip(decision) {
        sampler.note(&table.key.tenant, decision, block);
        tracing::debug!(tenant = %table.key.tenant, sampled = ?decision.sampled, "decided on traces");
    }
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
