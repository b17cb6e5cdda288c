//! Appending, sealing and retention: the one task that writes.

use crate::block::{self, Block};
use crate::catalog::{Catalog, NewBlock, Shelf};
use crate::hot::{Hot, Taken};
use crate::log::{LogWriter, Record};
use crate::merge::{concatenate, sort};
use crate::statistics::BlockStatistics;
use crate::{Appended, Error, Options, Usage};
use arrow::array::{Array, AsArray, RecordBatch};
use model::{Batch, Timestamp, TraceId, schema};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// The most requests of one group commit, and their bytes.
const GROUP: usize = 256;
const GROUP_BYTES: usize = 64 << 20;
/// How often age and retention are looked at.
const TICK: Duration = Duration::from_millis(250);
/// The most traces that a notice of an append names.
const NAMED_TRACES: usize = 1_000;

/// A request that waits to be durable.
pub struct Pending {
    pub batch: Batch,
    pub done: oneshot::Sender<Result<(), Error>>,
}

/// A request to seal everything now.
pub type SealRequest = oneshot::Sender<Result<(), Error>>;

/// What the handles and the task share.
pub struct Shared {
    pub options: Options,
    pub hot: Hot,
    pub catalog: Catalog,
    pub appended: broadcast::Sender<Arc<Appended>>,
    pub log_bytes: AtomicU64,
    pub free_bytes: AtomicU64,
}

/// What only the task has.
pub struct Worker {
    pub shared: Arc<Shared>,
    pub log: Arc<Mutex<LogWriter>>,
    pub next_sequence: u64,
    pub pending: mpsc::Receiver<Pending>,
    pub seals: mpsc::Receiver<SealRequest>,
    /// Keeps other processes out of the directory.
    pub _lock: std::fs::File,
}

impl Shared {
    pub fn usage(&self) -> Usage {
        let blocks = self.hot.blocks();
        Usage {
            block_bytes: blocks.iter().map(|block| block.bytes()).sum(),
            log_bytes: self.log_bytes.load(Ordering::Relaxed),
            hot_bytes: self.hot.hot_bytes(),
            blocks: blocks.len() as u64,
            disk_free_bytes: self.free_bytes.load(Ordering::Relaxed),
        }
    }
}

/// Bytes that may still be written to the disk that holds `path`.
pub fn free_bytes(path: &Path) -> u64 {
    rustix::fs::statvfs(path).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

impl Worker {
    /// Works until shutdown, then seals what is hot.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        let sealer = Sealer { shared: Arc::clone(&self.shared), log: Arc::clone(&self.log) };
        let stop_sealing = CancellationToken::new();
        let (seals_sender, seals) = mpsc::channel(8);
        let requests = std::mem::replace(&mut self.seals, seals);
        drop(seals_sender);
        let appending = async {
            self.append_until(&shutdown).await;
            stop_sealing.cancel();
        };
        let ((), sealed) = tokio::join!(appending, sealer.run(requests, &stop_sealing));
        sealed?;
        self.shared.catalog.close().await;
        Ok(())
    }

    async fn append_until(&mut self, shutdown: &CancellationToken) {
        loop {
            let first = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                first = self.pending.recv() => first,
            };
            let Some(first) = first else { break };
            self.commit_group(first).await;
        }
        self.pending.close();
        while let Some(pending) = self.pending.recv().await {
            self.commit_group(pending).await;
        }
    }

    /// Everything that waits goes to disk with one fsync.
    async fn commit_group(&mut self, first: Pending) {
        let mut bytes = first.batch.wire.len();
        let mut group = vec![first];
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let Ok(next) = self.pending.try_recv() else { break };
            bytes += next.batch.wire.len();
            group.push(next);
        }
        let received = Timestamp::now();
        let records: Vec<_> = (self.next_sequence..)
            .zip(&group)
            .map(|(sequence, pending)| record(sequence, received, &pending.batch))
            .collect();
        self.next_sequence += group.len() as u64;
        let (log, shared) = (Arc::clone(&self.log), Arc::clone(&self.shared));
        let committed = tokio::task::spawn_blocking(move || {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            let written = log.append(&records);
            shared.log_bytes.store(log.bytes(), Ordering::Relaxed);
            // Under the log's lock, so that trimming never sees a record that is in the log but not hot yet.
            for (record, pending) in records.iter().zip(&group).filter(|_| written.is_ok()) {
                shared.hot.insert(&pending.batch, record.sequence, received);
            }
            drop(log);
            (group, written)
        });
        let Ok((group, written)) = committed.await else { return };
        if let Err(error) = &written {
            tracing::error!(%error, "the log could not be written; new data is refused");
        }
        for pending in group {
            let result = match &written {
                Ok(()) => Ok(()),
                Err(error) => Err(error.again()),
            };
            self.answer(pending, result);
        }
    }

    fn answer(&self, pending: Pending, written: Result<(), Error>) {
        if written.is_ok() {
            // Nobody may be listening.
            drop(self.shared.appended.send(Arc::new(appended(&pending.batch))));
        }
        // The sender may have gone; its data is kept all the same.
        drop(pending.done.send(written));
    }
}

fn record(sequence: u64, received: Timestamp, batch: &Batch) -> Record {
    Record {
        sequence,
        received,
        tenant: batch.tenant.clone(),
        signal: batch.signal,
        encoding: batch.encoding,
        wire: batch.wire.clone(),
    }
}

fn appended(batch: &Batch) -> Appended {
    let mut traces = Vec::new();
    for columns in &batch.columns {
        let Some(ids) =
            columns.column_by_name(schema::TRACE_ID).and_then(|ids| ids.as_fixed_size_binary_opt())
        else {
            break;
        };
        let valid = (0..ids.len()).filter(|row| ids.is_valid(*row));
        traces.extend(valid.filter_map(|row| ids.value(row).try_into().ok()).map(TraceId));
        traces.sort_unstable();
        traces.dedup();
    }
    traces.truncate(NAMED_TRACES);
    Appended { tenant: batch.tenant.clone(), signal: batch.signal, items: batch.accepted, traces }
}

/// Turns hot batches into blocks beside the appending, and lets old blocks go.
struct Sealer {
    shared: Arc<Shared>,
    log: Arc<Mutex<LogWriter>>,
}

impl Sealer {
    async fn run(
        &self,
        mut requests: mpsc::Receiver<SealRequest>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.seal_all().await,
                Some(request) = requests.recv() => drop(request.send(self.seal_all().await)),
                _ = ticks.tick() => self.tick().await,
            }
        }
    }

    async fn tick(&self) {
        let options = &self.shared.options;
        self.shared.free_bytes.store(free_bytes(&options.directory), Ordering::Relaxed);
        let age = u64::try_from(options.seal_age.as_nanos()).unwrap_or(u64::MAX);
        let oldest = Timestamp(Timestamp::now().0.saturating_sub(age));
        let due = self.shared.hot.shelves(|state| {
            state.hot_bytes >= options.seal_bytes || state.oldest.is_some_and(|received| received <= oldest)
        });
        for shelf in due {
            if let Err(error) = self.seal(&shelf).await {
                tracing::error!(tenant = %shelf.0, signal = %shelf.1, %error, "sealing failed; the data stays in the log");
            }
        }
        if let Err(error) = self.retain().await {
            tracing::error!(%error, "old blocks could not be deleted");
        }
    }

    async fn seal_all(&self) -> Result<(), Error> {
        for shelf in self.shared.hot.shelves(|_| true) {
            self.seal(&shelf).await?;
        }
        Ok(())
    }

    async fn seal(&self, shelf: &Shelf) -> Result<(), Error> {
        let Some(taken) = self.shared.hot.take(shelf) else { return Ok(()) };
        let through = taken.through;
        let directory = self.shared.options.directory.join("blocks");
        let relative = format!("{}/{}/{through:020}.parquet", shelf.0, shelf.1);
        let (path, signal) = (directory.join(&relative), shelf.1);
        let written = tokio::task::spawn_blocking({
            let path = path.clone();
            move || write_block(signal, &taken, &path)
        });
        let (bytes, schema, statistics) = written.await.map_err(|_| Error::Closed)??;
        let new = NewBlock { shelf, file: relative, bytes, schema: &schema, statistics: &statistics };
        let id = self.shared.catalog.enter(new, through).await?;
        let block = Arc::new(Block::new(id, path, bytes, schema, statistics));
        self.shared.hot.replace(shelf, through, Some(block));
        self.trim().await
    }

    /// Removes log segments that hold nothing unsealed.
    async fn trim(&self) -> Result<(), Error> {
        let (log, shared) = (Arc::clone(&self.log), Arc::clone(&self.shared));
        let trimmed = tokio::task::spawn_blocking(move || {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            let below = shared.hot.first_unsealed().unwrap_or(u64::MAX);
            let trimmed = log.trim_below(below);
            shared.log_bytes.store(log.bytes(), Ordering::Relaxed);
            trimmed
        });
        trimmed.await.map_err(|_| Error::Closed)?
    }

    /// Deletes blocks that are too old, and the oldest while there are too many bytes.
    async fn retain(&self) -> Result<(), Error> {
        let options = &self.shared.options;
        let mut blocks = self.shared.hot.blocks();
        blocks.sort_by_key(|block| block.statistics().sealed);
        let age = u64::try_from(options.max_age.as_nanos()).unwrap_or(u64::MAX);
        let oldest = Timestamp(Timestamp::now().0.saturating_sub(age));
        let mut bytes = blocks.iter().map(|block| block.bytes()).sum::<u64>();
        bytes += self.shared.log_bytes.load(Ordering::Relaxed);
        let mut gone = Vec::new();
        for block in blocks {
            if block.statistics().sealed >= oldest && bytes <= options.max_bytes {
                break;
            }
            bytes -= block.bytes();
            gone.push(block.id);
        }
        if gone.is_empty() {
            return Ok(());
        }
        self.shared.catalog.remove(&gone).await?;
        self.shared.hot.remove_blocks(&gone);
        tracing::info!(blocks = gone.len(), "deleted blocks past their retention");
        Ok(())
    }
}

fn write_block(
    signal: model::Signal,
    taken: &Taken,
    path: &Path,
) -> Result<(u64, arrow::datatypes::SchemaRef, BlockStatistics), Error> {
    if let Some(directory) = path.parent() {
        let io = |source| Error::Io { action: "creating", path: directory.to_owned(), source };
        std::fs::create_dir_all(directory).map_err(io)?;
    }
    let batches: Vec<&RecordBatch> = taken.batches.iter().map(|batch| &batch.columns).collect();
    let sorted = sort(signal, &concatenate(signal, &batches)?)?;
    let bytes = block::write(signal, &sorted, path)?;
    let statistics = BlockStatistics { sealed: Timestamp::now(), ..BlockStatistics::of(signal, &sorted) };
    Ok((bytes, sorted.schema(), statistics))
}
