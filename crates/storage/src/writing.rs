//! From an append to its answer: one group of requests after the other is written, fsynced, shown, answered.
//!
//! While one group is on its way to the disk, the next one gathers in the queue.

use crate::error::Error;
use crate::hot::Counted;
use crate::log::Record;
use crate::snapshot::HotBatch;
use crate::tables::TableKey;
use crate::{Appended, Store, blocking};
use model::{Batch, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How many requests may wait.
pub(crate) const QUEUE: usize = 1024;
/// A group is written when it has this many bytes, even when more are waiting.
const GROUP_BYTES: usize = 16 << 20;
/// [`Appended`] names no more traces than this.
const MOST_TRACES: usize = 1000;

/// A request on its way.
pub(crate) struct Waiting {
    record: Record,
    hot: Vec<HotBatch>,
    room: Room,
    answer: oneshot::Sender<Result<(), Error>>,
}

/// Memory of a request on its way, counted for as long as it is.
struct Room {
    bytes: u64,
    waiting: Arc<AtomicU64>,
}

impl Room {
    fn take(store: &Store, bytes: u64) -> Self {
        store.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        Self { bytes, waiting: Arc::clone(&store.waiting_bytes) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Puts a batch into the queue and waits for its answer.
pub(crate) async fn append(store: &Store, batch: Batch) -> Result<(), Error> {
    if batch.columns.iter().all(|columns| columns.num_rows() == 0) {
        return Ok(());
    }
    check_room(store)?;
    let (received, arrived) = (Timestamp::now(), store.clock.now());
    let mut counted = Counted::new();
    let hot: Vec<HotBatch> = batch
        .columns
        .into_iter()
        .map(|columns| HotBatch::counting(batch.signal, columns, (received, arrived), &mut counted))
        .collect();
    let record = Record {
        tenant: batch.tenant,
        signal: batch.signal,
        encoding: batch.encoding,
        received,
        payload: batch.wire,
    };
    let bytes = hot.iter().map(|batch| batch.bytes).sum::<u64>() + record.payload.len() as u64;
    let (answer, answered) = oneshot::channel();
    let room = Room::take(store, bytes);
    if store.submit.send(Waiting { record, hot, room, answer }).await.is_err() {
        return Err(Error::Closed);
    }
    answered.await.unwrap_or(Err(Error::Closed))
}

fn check_room(store: &Store) -> Result<(), Error> {
    let bytes = store.hot_bytes();
    if bytes > store.options.hot_limit_bytes {
        store.seal_due.notify_one();
        return Err(Error::Busy { bytes });
    }
    let free = store.free.bytes();
    if free < store.options.min_free_bytes {
        let needed = store.options.min_free_bytes;
        return Err(Error::DiskFull { free, needed, path: store.options.directory.clone() });
    }
    Ok(())
}

/// Writes what comes through the queue until shutdown. Who waits then is told that it is closed.
pub(crate) async fn run(
    store: &Arc<Store>,
    mut queue: mpsc::Receiver<Waiting>,
    shutdown: &CancellationToken,
) {
    loop {
        let next = tokio::select! {
            biased;
            () = shutdown.cancelled() => None,
            next = queue.recv() => next,
        };
        let Some(first) = next else { break };
        let group = gather(first, &mut queue);
        write(store, group).await;
    }
    queue.close();
    while let Some(waiting) = queue.recv().await {
        answer(waiting.room, waiting.answer, Err(Error::Closed));
    }
}

/// All that waits, up to a bound.
fn gather(first: Waiting, queue: &mut mpsc::Receiver<Waiting>) -> Vec<Waiting> {
    let mut bytes = first.record.payload.len();
    let mut group = vec![first];
    while bytes < GROUP_BYTES {
        let Ok(next) = queue.try_recv() else { break };
        bytes += next.record.payload.len();
        group.push(next);
    }
    group
}

/// Writes a group, shows it to readers, answers those who wait for it.
async fn write(store: &Arc<Store>, group: Vec<Waiting>) {
    let mut records = Vec::with_capacity(group.len());
    let mut rest = Vec::with_capacity(group.len());
    for Waiting { record, hot, room, answer } in group {
        let key = TableKey { tenant: record.tenant.clone(), signal: record.signal };
        records.push(record);
        rest.push((key, hot, room, answer));
    }
    // The task holds the store, and with it the lock of the directory, until the disk is done.
    let log = Arc::clone(store);
    let written = blocking(move || log.log.append(&records)).await.and_then(|written| written);
    match written {
        Ok(first) => {
            let mut answers = Vec::with_capacity(rest.len());
            for (sequence, (key, hot, room, answer)) in (first..).zip(rest) {
                show(store, &key, hot, sequence);
                answers.push((room, answer));
            }
            for (room, sender) in answers {
                answer(room, sender, Ok(()));
            }
            store.merge_due.notify_one();
        }
        Err(error) => {
            tracing::error!(%error, requests = rest.len(), "requests could not be stored and were refused");
            for (_, _, room, sender) in rest {
                answer(room, sender, Err(error.repeat()));
            }
        }
    }
}

fn show(store: &Store, key: &TableKey, mut hot: Vec<HotBatch>, sequence: u64) {
    let mut traces = BTreeSet::new();
    let mut items = 0;
    for batch in &mut hot {
        batch.sequences = (sequence, sequence);
        items += batch.statistics.rows;
        let room = MOST_TRACES.saturating_sub(traces.len());
        traces.extend(batch.traces().take(room));
    }
    let table = store.tables.get_or_create(key);
    table.append(hot);
    if table.hot_bytes() >= store.options.seal_bytes || store.sampler.is_some() && store.is_half_full() {
        store.seal_due.notify_one();
    }
    let traces = traces.into_iter().collect();
    let appended = Appended { tenant: key.tenant.clone(), signal: key.signal, items, traces };
    // Fails when nobody listens, which is nobody's loss.
    drop(store.appended.send(Arc::new(appended)));
}

fn answer(room: Room, to: oneshot::Sender<Result<(), Error>>, result: Result<(), Error>) {
    drop(room);
    // Fails when the caller went away; the batch is stored all the same.
    drop(to.send(result));
}
