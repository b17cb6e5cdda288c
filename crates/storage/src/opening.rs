//! Opens a store: takes the directory, reads the catalog, puts the files in order, replays the log.

use crate::block::Block;
use crate::catalog::{CATALOG, Catalog, Entry};
use crate::disk::{self, FreeSpace};
use crate::error::Error;
use crate::hot::Counted;
use crate::log::{Log, Record};
use crate::merging::{self, unite};
use crate::objects::Objects;
use crate::place::{self, BLOCKS, Place, Places};
use crate::sampling::Sampler;
use crate::snapshot::HotBatch;
use crate::tables::{TableKey, Tables};
use crate::{Options, Store, blocking, writing};
use arrow::record_batch::RecordBatch;
use model::{Timestamp, otlp};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, broadcast, mpsc};

/// How many appends a subscriber may fall behind.
const APPENDED: usize = 1024;

pub(crate) async fn open(options: Options) -> Result<Store, Error> {
    let directory = options.directory.clone();
    let lock = blocking(move || {
        for wanted in [directory.clone(), directory.join("log"), directory.join(BLOCKS)] {
            std::fs::create_dir_all(&wanted).map_err(Error::io("creating", &wanted))?;
        }
        disk::sync_directory(&directory).map_err(Error::io("writing the directory", &directory))?;
        let lock = disk::lock(&directory)?;
        refuse_without_catalog(&directory)?;
        Ok::<_, Error>(lock)
    })
    .await??;
    let catalog = Catalog::open(&options.directory).await?;
    let places = places(&options, &catalog).await?;
    let contents = catalog.contents(&places).await?;
    let elsewhere = contents.blocks.iter().find_map(|entry| match &entry.description.place {
        Place::Elsewhere(url) => Some(Error::elsewhere(url)),
        _ => None,
    });
    if let Some(error) = elsewhere {
        return Err(error);
    }
    let blocks = contents.blocks.iter().map(|entry| &entry.description.place);
    let known: HashSet<String> = blocks.chain(&contents.unreadable).map(ToString::to_string).collect();
    places.remove_orphans(&known).await;
    let interrupted = catalog.deletions().await?;
    let newest_block = contents.blocks.iter().map(|entry| entry.id).max().unwrap_or(0);
    let directory = options.directory.clone();
    let (tables, log, sealed) = blocking(move || {
        let tables = Tables::default();
        remove_orphans(&directory.join(BLOCKS), &known)?;
        add_blocks(&tables, contents.blocks);
        let log = replay(&directory.join("log"), &tables, &contents.sealed)?;
        Ok::<_, Error>((tables, log, contents.sealed))
    })
    .await??;
    let (submit, queue) = mpsc::channel(writing::QUEUE);
    let sampler = options.sampling.clone().map(|sampling| Sampler::new(sampling, newest_block));
    Ok(Store {
        tables,
        log,
        catalog,
        places,
        sealed: tokio::sync::Mutex::new(sealed),
        rewriting: tokio::sync::Mutex::new(()),
        interrupted,
        attempts: AtomicU64::new(0),
        submit,
        queue: Mutex::new(Some(queue)),
        waiting_bytes: AtomicU64::new(0),
        appended: broadcast::channel(APPENDED).0,
        seal_due: Notify::new(),
        merge_due: Notify::new(),
        retention_due: Notify::new(),
        compaction_due: Notify::new(),
        sampler,
        free: FreeSpace::new(&options.directory),
        options,
        _lock: lock,
    })
}

/// Where the blocks are, as the options say.
async fn places(options: &Options, catalog: &Catalog) -> Result<Places, Error> {
    let objects = match &options.blocks_url {
        None => None,
        Some(url) => Some(Arc::new(Objects::open(url, &catalog.identity().await?)?)),
    };
    Ok(Places { directory: options.directory.clone(), objects })
}

/// Blocks without the catalog that names them would be taken for leftovers and removed.
fn refuse_without_catalog(directory: &Path) -> Result<(), Error> {
    let blocks = directory.join(BLOCKS);
    let mut files = Vec::new();
    place::list_files(&blocks, &mut files).map_err(Error::io("reading the directory", &blocks))?;
    if files.is_empty() || directory.join(CATALOG).exists() {
        return Ok(());
    }
    let detail = format!("{CATALOG} is missing, though there are blocks; put it back, or move `blocks` away");
    Err(Error::Damaged { what: directory.display().to_string(), detail })
}

/// Removes the files that the catalog does not know: blocks that were not finished, or deleted but still being read.
fn remove_orphans(directory: &Path, known: &HashSet<String>) -> Result<(), Error> {
    let mut files = Vec::new();
    place::list_files(directory, &mut files).map_err(Error::io("reading the directory", directory))?;
    files.retain(|path| !known.contains(&*path.to_string_lossy()));
    for path in files {
        tracing::info!(path = %path.display(), "removing a file that the catalog does not know");
        disk::remove(&path);
    }
    place::remove_empty(directory);
    Ok(())
}

/// Adds the blocks whose files are there and as long as they should be. They are not opened, and an object store is not
/// asked.
fn add_blocks(tables: &Tables, blocks: Vec<Entry>) {
    let mut by_key: HashMap<TableKey, Vec<Arc<Block>>> = HashMap::new();
    for Entry { id, key, description } in blocks {
        let found = match &description.place {
            Place::Disk(path) => path.metadata().map(|found| found.len()),
            Place::Object(..) | Place::Elsewhere(_) => Ok(description.bytes),
        };
        match found {
            Ok(found) if found == description.bytes => {
                by_key.entry(key).or_default().push(Arc::new(Block::new(id, description)));
            }
            Ok(found) => {
                let (place, expected) = (&description.place, description.bytes);
                tracing::error!(%place, expected, found, "a block is damaged: it has another length; left out");
            }
            Err(error) => tracing::error!(place = %description.place, %error, "a block is missing; left out"),
        }
    }
    for (key, blocks) in by_key {
        tables.get_or_create(&key).add_blocks(blocks);
    }
}

/// Shows again what the log has and no block does.
fn replay(directory: &Path, tables: &Tables, sealed: &HashMap<TableKey, u64>) -> Result<Log, Error> {
    let floor = sealed.values().copied().max().unwrap_or(0);
    let mut pending: HashMap<TableKey, Replayed> = HashMap::new();
    let log = Log::open(directory, floor, |sequence, record| {
        let key = TableKey { tenant: record.tenant.clone(), signal: record.signal };
        if sealed.get(&key).is_some_and(|sealed| sequence <= *sealed) {
            return;
        }
        pending.entry(key).or_default().add(sequence, record);
    })?;
    for (key, mut replayed) in pending {
        replayed.finish(&key);
        tables.get_or_create(&key).append(replayed.hot);
    }
    Ok(log)
}

/// A table's requests out of the log, on their way into hot batches that are not small.
#[derive(Default)]
struct Replayed {
    hot: Vec<HotBatch>,
    columns: Vec<RecordBatch>,
    rows: u64,
    bytes: u64,
    received: Timestamp,
    youngest: Timestamp,
    sequences: (u64, u64),
}

impl Replayed {
    fn add(&mut self, sequence: u64, record: Record) {
        let Record { tenant, signal, encoding, received, payload } = record;
        let key = TableKey { tenant: tenant.clone(), signal };
        let bytes = payload.len() as u64;
        let batch = match otlp::decode(tenant, signal, encoding, payload) {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(sequence, %signal, %error, "a request in the log cannot be read; left out");
                return;
            }
        };
        if self.rows + batch.accepted > merging::MOST_ROWS || self.bytes + bytes > merging::MOST_BYTES {
            self.finish(&key);
        }
        if self.columns.is_empty() {
            (self.received, self.youngest, self.sequences.0) = (received, received, sequence);
        }
        self.youngest = self.youngest.max(received);
        self.sequences.1 = sequence;
        self.rows += batch.accepted;
        self.bytes += bytes;
        self.columns.extend(batch.columns);
    }

    /// Makes hot batches of what was gathered: one, unless a single request has more rows than fit in one.
    fn finish(&mut self, key: &TableKey) {
        let columns = std::mem::take(&mut self.columns);
        let parts: Vec<&RecordBatch> = columns.iter().collect();
        let united = match parts.as_slice() {
            [] => return,
            _ if self.rows > merging::MOST_ROWS => None,
            parts => unite(key.signal, parts).ok(),
        };
        let mut counted = Counted::new();
        for columns in united.map_or(columns, |united| vec![united]) {
            let mut hot = HotBatch::counting(key.signal, columns, self.received, &mut counted);
            (hot.sequences, hot.youngest) = (self.sequences, self.youngest);
            self.hot.push(hot);
        }
        (self.rows, self.bytes) = (0, 0);
    }
}
