//! Opens a store: takes the directory, reads the catalog, puts the files in order, replays the log.

use crate::block::{Block, Coverage};
use crate::catalog::{CATALOG, Catalog, Contents, Entry};
use crate::clock::{Clock, Reading};
use crate::disk::{self, FreeSpace};
use crate::error::Error;
use crate::hot::Counted;
use crate::log::{Log, Record};
use crate::merging::{self, unite};
use crate::objects::Objects;
use crate::place::{self, BLOCKS, Place, Places};
use crate::problem::{Problem, Severity};
use crate::recovery::{self, Recovered};
use crate::sampling::Sampler;
use crate::snapshot::HotBatch;
use crate::superseded::SpanKeys;
use crate::tables::{TableKey, Tables};
use crate::{Options, Store, blocking, writing};
use arrow::record_batch::RecordBatch;
use model::{Timestamp, otlp};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many appends a subscriber may fall behind.
const APPENDED: usize = 1024;

pub(crate) async fn open(options: Options) -> Result<Store, Error> {
    let lock = take(&options.directory).await?;
    let identity = refuse_lost_catalog(&options.directory).await?;
    open_taken(options, lock, identity).await
}

/// Takes the directory, creating what is not there.
pub(crate) async fn take(directory: &Path) -> Result<File, Error> {
    let directory = directory.to_owned();
    blocking(move || {
        for wanted in [directory.clone(), directory.join("log"), directory.join(BLOCKS)] {
            std::fs::create_dir_all(&wanted).map_err(Error::io("creating", &wanted))?;
        }
        disk::keep_private(&directory)?;
        disk::sync_directory(&directory).map_err(Error::io("writing the directory", &directory))?;
        disk::lock(&directory)
    })
    .await?
}

/// Opens the store in a directory that was taken.
pub(crate) async fn open_taken(
    options: Options,
    lock: File,
    identity: Option<String>,
) -> Result<Store, Error> {
    let catalog = Catalog::open(&options.directory, identity.as_deref()).await?;
    keep_identity(&options.directory, &catalog.identity().await?).await?;
    let places = places(&options, &catalog).await?;
    let settled = settle(&catalog, &places).await;
    let file = options.directory.join(CATALOG);
    let (contents, mut recovered, mut problems) = settled.map_err(|error| Error::of_catalog(&file, error))?;
    let newest_block = contents.blocks.iter().map(|entry| entry.id).max().unwrap_or(0);
    let newest = contents.blocks.iter().map(|entry| entry.description.statistics.sealed).max();
    let clock = Clock::resume(catalog.clock().await?.as_ref(), newest, Reading::now());
    if let Some(jump) = clock.last_jump() {
        tracing::warn!("{}", jump.message());
    }
    catalog.save_clock(&clock.save()).await?;
    let replayed = replay(&options.directory, contents, clock.now()).await?;
    for (key, sequence) in &replayed.raised {
        catalog.seal(key, *sequence).await?;
    }
    problems.extend(replayed.problems);
    recovered.compare_with_log(&replayed.in_log);
    problems.extend(recovered.problems());
    let deletions = catalog.deletions().await?.len();
    let (submit, queue) = mpsc::channel(writing::QUEUE);
    let sampler = options.sampling.clone().map(|sampling| Sampler::new(sampling, newest_block, clock.now()));
    Ok(Store {
        tables: replayed.tables,
        log: replayed.log,
        catalog,
        places,
        clock,
        sealed: tokio::sync::Mutex::new(replayed.sealed),
        rewriting: tokio::sync::Mutex::new(()),
        counting: tokio::sync::Mutex::new(()),
        deleting: tokio::sync::Mutex::new(()),
        changes: TaskTracker::new(),
        runtime: Handle::current(),
        closing: CancellationToken::new(),
        problems: Mutex::new(problems),
        pending_deletions: AtomicU64::new(deletions as u64),
        sealing_failed: Mutex::new(None),
        submit,
        queue: Mutex::new(Some(queue)),
        waiting_bytes: Arc::new(AtomicU64::new(0)),
        appended: broadcast::channel(APPENDED).0,
        seal_due: Notify::new(),
        merge_due: Notify::new(),
        retention_due: Notify::new(),
        compaction_due: Notify::new(),
        deletion_due: Notify::new(),
        sampler,
        free: FreeSpace::new(&options.directory),
        options,
        _lock: lock,
    })
}

/// What the catalog holds, after rows that are damaged were read from the blocks themselves, and files that it does not
/// know were judged.
async fn settle(catalog: &Catalog, places: &Places) -> Result<(Contents, Recovered, Vec<Problem>), Error> {
    let mut contents = catalog.contents(places).await?;
    let elsewhere = contents.blocks.iter().find_map(|entry| match &entry.description.place {
        Place::Elsewhere(url) => Some(Error::elsewhere(url)),
        _ => None,
    });
    if let Some(error) = elsewhere {
        return Err(error);
    }
    let mended = recovery::mend_rows(places, catalog, &contents.unreadable).await?;
    if mended {
        contents = catalog.contents(places).await?;
    }
    let left_alone = contents.unreadable.iter().map(|(_, place)| places.name(place)).collect();
    let recovered = recovery::recover(places, catalog, &contents, &left_alone).await?;
    let mut problems = Vec::new();
    if recovered.any_adopted() {
        contents = catalog.contents(places).await?;
    }
    if !contents.unreadable.is_empty() {
        let message = format!(
            "damaged rows of the catalog: {}. Their blocks are damaged too, or gone: what is in these is missing from answers",
            contents.unreadable.len()
        );
        problems.push(Problem::new("damagedBlocks", Severity::Degraded, message));
    }
    let directory = places.directory.join(BLOCKS);
    blocking(move || place::remove_empty(&directory)).await?;
    Ok((contents, recovered, problems))
}

/// Where the blocks are, as the options say.
async fn places(options: &Options, catalog: &Catalog) -> Result<Places, Error> {
    let objects = match &options.blocks_url {
        None => None,
        Some(url) => Some(Arc::new(Objects::open(url, &catalog.identity().await?)?)),
    };
    Ok(Places { directory: options.directory.clone(), objects })
}

/// The file that says once more what the catalog has as its identity.
const IDENTITY: &str = "identity";

/// A directory that had a catalog must have one: without it nobody could tell the blocks that are needed from leftovers.
/// Answers the identity that the directory had before.
async fn refuse_lost_catalog(directory: &Path) -> Result<Option<String>, Error> {
    let file = directory.join(CATALOG);
    let identity = identity(directory);
    let blocks = directory.join(BLOCKS);
    let mut files = Vec::new();
    place::list_files(&blocks, &mut files).map_err(Error::io("reading the directory", &blocks))?;
    let is_used = identity.is_some() || files.iter().any(|path| path.extension().is_some_and(is_parquet));
    if is_used && !file.exists() {
        return Err(Error::CatalogLost {
            path: file,
            detail: "missing, though there was a store".to_owned(),
        });
    }
    if is_used && Catalog::is_new(&file).await {
        return Err(Error::CatalogLost { path: file, detail: "empty, though there was a store".to_owned() });
    }
    Ok(identity)
}

fn is_parquet(extension: &std::ffi::OsStr) -> bool {
    extension == "parquet"
}

/// What tells this directory from others, if it had a store before.
pub(crate) fn identity(directory: &Path) -> Option<String> {
    let text = std::fs::read_to_string(directory.join(IDENTITY)).ok()?;
    let text = text.trim();
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_owned())
}

/// Writes it beside the catalog, whole or not at all.
async fn keep_identity(directory: &Path, id: &str) -> Result<(), Error> {
    if identity(directory).as_deref() == Some(id) {
        return Ok(());
    }
    let (directory, id) = (directory.to_owned(), id.to_owned());
    blocking(move || disk::write_whole(&directory.join(IDENTITY), id.as_bytes())).await?
}

/// The blocks of a table, and their rows that do not count.
type OfTable = (Vec<Arc<Block>>, Vec<(Arc<Block>, SpanKeys)>);

/// Adds all blocks, those too of which the file is missing or has another length: answers say then what they lack. The
/// files are not opened, and an object store is not asked.
fn add_blocks(tables: &Tables, blocks: Vec<Entry>, mut superseded: HashMap<i64, SpanKeys>) {
    let mut by_key: HashMap<TableKey, OfTable> = HashMap::new();
    for Entry { id, key, description } in blocks {
        let expected = description.bytes;
        let found = match &description.place {
            Place::Disk(path) => path.metadata().map(|found| found.len()),
            Place::Object(..) | Place::Elsewhere(_) => Ok(expected),
        };
        let block = Arc::new(Block::new(id, description));
        match found {
            Ok(found) if found == expected => {}
            Ok(found) => block.mark_damaged(&format!("it has {found} bytes instead of {expected}")),
            Err(error) => block.mark_damaged(&format!("its file cannot be read: {error}")),
        }
        let (blocks, of_blocks) = by_key.entry(key).or_default();
        of_blocks.extend(superseded.remove(&id).map(|spans| (Arc::clone(&block), spans)));
        blocks.push(block);
    }
    for (key, (mut blocks, of_blocks)) in by_key {
        // A block that was lost and found has a new id, and its old place among the others.
        if blocks.iter().all(|block| block.coverage().is_some()) {
            blocks.sort_by_key(|block| block.coverage());
        }
        tables.get_or_create(&key).add_blocks(blocks, of_blocks);
    }
}

/// What is shown to readers after a start.
struct Shown {
    tables: Tables,
    log: Log,
    sealed: HashMap<TableKey, u64>,
    /// Tables of which more is sealed than the catalog knew.
    raised: Vec<(TableKey, u64)>,
    /// Tables of which the log has what blocks have, though the catalog did not know.
    in_log: HashSet<TableKey>,
    problems: Vec<Problem>,
}

/// Shows the blocks, and what the log has and no block does.
async fn replay(directory: &Path, contents: Contents, now: Timestamp) -> Result<Shown, Error> {
    let log = directory.join("log");
    blocking(move || {
        let mut covered: HashMap<TableKey, Vec<Coverage>> = HashMap::new();
        for entry in &contents.blocks {
            covered.entry(entry.key.clone()).or_default().extend(entry.description.coverage);
        }
        let tables = Tables::default();
        add_blocks(&tables, contents.blocks, contents.superseded);
        let mut sealed = contents.sealed;
        let (log, problems, InLog { oldest, in_blocks }) =
            replay_log(&log, &tables, (&sealed, &covered), now)?;
        let mut raised = Vec::new();
        for (key, blocks) in covered {
            let last = blocks.iter().map(|block| block.last).max().unwrap_or(0);
            let is_whole = oldest.get(&key).is_none_or(|oldest| *oldest > last);
            if is_whole && sealed.get(&key).is_none_or(|sealed| *sealed < last) {
                sealed.insert(key.clone(), last);
                raised.push((key, last));
            }
        }
        Ok(Shown { tables, log, sealed, raised, in_log: in_blocks, problems })
    })
    .await?
}

/// What the log has.
#[derive(Default)]
struct InLog {
    /// The oldest request of each table that no block has.
    oldest: HashMap<TableKey, u64>,
    /// Tables of which blocks have requests that the catalog did not know to be in them.
    in_blocks: HashSet<TableKey>,
}

fn replay_log(
    directory: &Path,
    tables: &Tables,
    (sealed, covered): (&HashMap<TableKey, u64>, &HashMap<TableKey, Vec<Coverage>>),
    now: Timestamp,
) -> Result<(Log, Vec<Problem>, InLog), Error> {
    let in_blocks = covered.values().flatten().map(|block| block.last);
    let floor = sealed.values().copied().chain(in_blocks).max().unwrap_or(0);
    let mut pending: HashMap<TableKey, Replayed> = HashMap::new();
    let mut found = InLog::default();
    let (log, problems) = Log::open(directory, floor, |sequence, record| {
        let key = TableKey { tenant: record.tenant.clone(), signal: record.signal };
        let in_block = || covered.get(&key).is_some_and(|all| all.iter().any(|block| block.has(sequence)));
        if sealed.get(&key).is_some_and(|sealed| sequence <= *sealed) {
            return;
        }
        if in_block() {
            found.in_blocks.insert(key);
            return;
        }
        found.oldest.entry(key.clone()).or_insert(sequence);
        pending.entry(key).or_insert_with(|| Replayed::new(now)).add(sequence, record);
    })?;
    for (key, mut replayed) in pending {
        replayed.finish(&key);
        tables.get_or_create(&key).append(replayed.hot);
    }
    Ok((log, problems, found))
}

/// A table's requests out of the log, on their way into hot batches that are not small.
struct Replayed {
    /// By the store's clock: their age begins anew.
    now: Timestamp,
    hot: Vec<HotBatch>,
    columns: Vec<RecordBatch>,
    rows: u64,
    bytes: u64,
    received: Timestamp,
    sequences: (u64, u64),
}

impl Replayed {
    fn new(now: Timestamp) -> Self {
        Self {
            now,
            hot: Vec::new(),
            columns: Vec::new(),
            rows: 0,
            bytes: 0,
            received: Timestamp(0),
            sequences: (0, 0),
        }
    }

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
            (self.received, self.sequences.0) = (received, sequence);
        }
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
            let times = (self.received, self.now);
            let mut hot = HotBatch::counting(key.signal, columns, times, &mut counted);
            hot.sequences = self.sequences;
            self.hot.push(hot);
        }
        (self.rows, self.bytes) = (0, 0);
    }
}
