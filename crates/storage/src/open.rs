//! Opening the store: lock, catalog, blocks, replay of the log.

use crate::catalog::{Catalog, Shelf};
use crate::hot::Hot;
use crate::log::{self, LogWriter, Record};
use crate::store::{Shared, Worker, free_bytes};
use crate::{Error, Options, Storage};
use model::otlp;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, mpsc};

/// Requests that may wait for the log; more make their senders wait.
const QUEUE: usize = 1_024;
/// Notices of appends that a slow listener may be behind.
const NOTICES: usize = 1_024;

pub async fn open(options: Options) -> Result<Storage, Error> {
    let (logs, blocks) = (options.directory.join("log"), options.directory.join("blocks"));
    create(&logs)?;
    create(&blocks)?;
    let lock = lock(&options.directory)?;
    refuse_without_catalog(&options.directory, &blocks)?;
    let catalog = Catalog::open(&options.directory.join("catalog.sqlite"), blocks.clone()).await?;
    let contents = catalog.contents().await?;
    let hot = Hot::default();
    let mut known = HashSet::new();
    for (shelf, block) in contents.blocks {
        known.insert(block.path().to_owned());
        if block.path().metadata().is_ok_and(|file| file.len() == block.bytes()) {
            hot.add_block(&shelf, block);
        } else {
            tracing::error!(path = %block.path().display(), "a block is missing or cut short; its data is left out");
        }
    }
    remove_unknown(&blocks, &known)?;
    let sealed = contents.sealed;
    let replaying =
        tokio::task::spawn_blocking(move || replay(&logs, &hot, &sealed).map(|replayed| (replayed, hot)));
    let ((writer, last), hot) = replaying.await.map_err(|_| Error::Closed)??;
    Ok(assemble(options, hot, catalog, writer, last + 1, lock))
}

fn assemble(
    options: Options,
    hot: Hot,
    catalog: Catalog,
    log: LogWriter,
    next_sequence: u64,
    lock: std::fs::File,
) -> Storage {
    let (pending_sender, pending) = mpsc::channel(QUEUE);
    let (seals_sender, seals) = mpsc::channel(8);
    let shared = Arc::new(Shared {
        free_bytes: AtomicU64::new(free_bytes(&options.directory)),
        options,
        hot,
        catalog,
        appended: broadcast::channel(NOTICES).0,
        log_bytes: AtomicU64::new(log.bytes()),
    });
    let worker = Worker {
        shared: Arc::clone(&shared),
        log: Arc::new(Mutex::new(log)),
        next_sequence,
        pending,
        seals,
        _lock: lock,
    };
    Storage {
        shared,
        pending: pending_sender,
        seals: seals_sender,
        worker: Arc::new(Mutex::new(Some(worker))),
    }
}

/// Blocks without the catalog that names them would be taken for leftovers and removed.
fn refuse_without_catalog(directory: &Path, blocks: &Path) -> Result<(), Error> {
    let mut tenants = std::fs::read_dir(blocks).map(Iterator::peekable).into_iter();
    if directory.join("catalog.sqlite").exists() || tenants.all(|mut tenants| tenants.peek().is_none()) {
        return Ok(());
    }
    let detail = "catalog.sqlite is missing, though there are blocks; put it back, or move the directory `blocks` away";
    Err(Error::Damaged { what: format!("{}", directory.display()), detail: detail.to_owned() })
}

fn create(directory: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { action: "creating", path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(io)
}

fn lock(directory: &Path) -> Result<std::fs::File, Error> {
    let path = directory.join("lock");
    let io = |source| Error::Io { action: "creating", path: path.clone(), source };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked { path: directory.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(Error::Io { action: "locking", path, source }),
    }
}

/// Removes what a crash left behind: blocks that never were entered, or that were let go of.
fn remove_unknown(directory: &Path, known: &HashSet<PathBuf>) -> Result<(), Error> {
    let io = |source| Error::Io { action: "tidying", path: directory.to_owned(), source };
    for entry in std::fs::read_dir(directory).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            remove_unknown(&path, known)?;
        } else if !known.contains(&path) {
            std::fs::remove_file(&path).map_err(io)?;
        }
    }
    Ok(())
}

/// Shows again what was acknowledged but not sealed. Gives the log's end, and the last sequence ever used.
fn replay(logs: &Path, hot: &Hot, sealed: &HashMap<Shelf, u64>) -> Result<(LogWriter, u64), Error> {
    let mut last = sealed.values().copied().max().unwrap_or(0);
    let (segments, damage) = log::read_all(logs, |record| {
        last = last.max(record.sequence);
        let through = sealed.get(&(record.tenant.clone(), record.signal)).copied().unwrap_or(0);
        if record.sequence > through {
            replay_record(hot, record);
        }
    })?;
    for damage in damage {
        let (path, at, bytes) = (damage.path.display(), damage.at, damage.bytes);
        tracing::error!(%path, at, bytes, "the log is damaged; what stood there is lost, the rest was read");
    }
    Ok((LogWriter::open(logs, segments)?, last))
}

fn replay_record(hot: &Hot, record: Record) {
    let Record { sequence, received, tenant, signal, encoding, wire } = record;
    match otlp::decode(tenant, signal, encoding, wire) {
        Ok(batch) => hot.insert(&batch, sequence, received),
        Err(error) => tracing::error!(sequence, %error, "a request in the log can no longer be decoded"),
    }
}
