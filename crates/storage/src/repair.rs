//! Repairs a data directory that nobody uses: rebuilds a lost catalog from the blocks, and gives up what is beyond repair
//! when that is asked for.

use crate::block;
use crate::catalog::{CATALOG, Catalog};
use crate::error::Error;
use crate::opening;
use crate::place::Place;
use crate::rewriting::left_in;
use crate::snapshot::Block;
use crate::superseded::{Found, SpanKeys};
use crate::tables::Table;
use crate::{Options, Store, blocking, steps};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was repaired.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepairReport {
    /// Where the catalog went that could not be read, if one had to be made anew.
    pub catalog_put_aside: Option<PathBuf>,
    /// Whether the catalog was made anew.
    pub catalog_rebuilt: bool,
    /// What was found and done when the store was opened.
    pub notes: Vec<String>,
    /// Blocks and rows that the catalog has now.
    pub blocks: u64,
    pub rows: u64,
    /// Requests that are in the log and in no block yet, by their rows.
    pub rows_in_log: u64,
    /// Blocks that are damaged or missing, as they are now.
    pub damaged: Vec<String>,
    /// Of those, the ones that were given up, with the rows that could still be read and were kept.
    pub given_up: Vec<GivenUp>,
}

/// A damaged block that was given up.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenUp {
    pub block: String,
    /// Rows that it had, and those that were read and kept.
    pub rows: u64,
    pub kept_rows: u64,
}

/// Repairs the directory of these options. With `give_up`, of damaged blocks only what can be read is kept, and the catalog
/// forgets missing ones; deletions that waited for them end with the next run.
///
/// # Errors
/// When the directory is in use, or cannot be read or written.
pub async fn repair(options: Options, give_up: bool) -> Result<RepairReport, Error> {
    let mut report = RepairReport::default();
    let identity = opening::identity(&options.directory);
    let file = options.directory.join(CATALOG);
    let lock = opening::take(&options.directory).await?;
    let first = match is_readable(&options.directory, &file).await? {
        true => opening::open_taken(options.clone(), lock, identity.clone()).await,
        false => {
            drop(lock);
            Err(Error::CatalogLost { path: file.clone(), detail: String::new() })
        }
    };
    let store = match first {
        Err(Error::CatalogLost { .. }) => {
            let lock = opening::take(&options.directory).await?;
            report.catalog_put_aside = put_aside(&file)?;
            report.catalog_rebuilt = true;
            opening::open_taken(options, lock, identity).await?
        }
        opened => opened?,
    };
    let store = Arc::new(store);
    report.notes = crate::problem::of_store(&store).into_iter().map(|problem| problem.message).collect();
    for table in store.tables.all() {
        for block in &table.snapshot().blocks {
            check(&store, &table, block, give_up, &mut report).await?;
        }
        let snapshot = table.snapshot();
        report.blocks += snapshot.blocks.len() as u64;
        report.rows += snapshot.blocks.iter().map(|block| block.statistics().rows).sum::<u64>();
        report.rows_in_log += snapshot.hot.iter().map(|batch| batch.statistics.rows).sum::<u64>();
    }
    store.places.settle().await?;
    store.catalog.close().await;
    Ok(report)
}

/// Whether there is a catalog that can be used. One of a newer version is an error.
async fn is_readable(directory: &Path, file: &Path) -> Result<bool, Error> {
    if !file.exists() || Catalog::is_new(file).await {
        return Ok(false);
    }
    match Catalog::open(directory, None).await {
        Ok(catalog) => {
            catalog.close().await;
            Ok(true)
        }
        Err(Error::CatalogLost { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Moves the catalog out of the way, with what SQLite keeps beside it.
fn put_aside(file: &Path) -> Result<Option<PathBuf>, Error> {
    let mut moved = None;
    let number = (0..u32::MAX).find(|number| !named(file, &format!("damaged-{number}")).exists());
    let suffix = format!("damaged-{}", number.unwrap_or_default());
    for part in ["", "-wal", "-shm", "-journal"] {
        let from = PathBuf::from(format!("{}{part}", file.display()));
        if from.exists() {
            let to = named(file, &format!("{suffix}{part}"));
            std::fs::rename(&from, &to).map_err(Error::io("moving", &from))?;
            moved.get_or_insert(to);
        }
    }
    Ok(moved)
}

fn named(file: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}.{suffix}", file.display()))
}

/// Reads all of a block, and gives it up when it is damaged and that is asked for.
async fn check(
    store: &Arc<Store>,
    table: &Arc<Table>,
    block: &Arc<Block>,
    give_up: bool,
    report: &mut RepairReport,
) -> Result<(), Error> {
    let own = Arc::clone(block);
    let read = blocking(move || own.check_whole()).await?;
    let Err(error) = read else { return Ok(()) };
    if !error.is_of_block() {
        return Err(error);
    }
    if !give_up {
        report.damaged.push(error.to_string());
        return Ok(());
    }
    let kept_rows = salvage(store, table, block).await?;
    let rows = block.statistics().rows;
    report.given_up.push(GivenUp { block: block.name(), rows, kept_rows });
    Ok(())
}

/// Puts a block of what can still be read in the place of a damaged one; answers how many rows that has.
async fn salvage(store: &Arc<Store>, table: &Arc<Table>, block: &Arc<Block>) -> Result<u64, Error> {
    let key = table.key.clone();
    let directory = crate::place::directory(&key, block.statistics().sealed);
    let directory = crate::sealing::create_directory(&store.options.directory, &directory)?;
    let path = directory.join(format!("{:020}-salvaged-{:016x}.parquet", block.id, crate::place::unique()));
    let (of_thread, damaged) = (key.clone(), Arc::clone(block));
    let written = blocking(move || block::salvage(&path, &of_thread, &damaged)).await??;
    steps::reached("rewrite: file named");
    let mut name = String::new();
    let mut written = written;
    if let Some(description) = &mut written {
        description.place = store.places.keep(description.place.clone()).await?;
        name = store.places.name(&description.place);
    }
    let salvaged = written.clone().map(|description| Arc::new(Block::new(block.id, description)));
    let known = table.snapshot().superseded_in(block).cloned().unwrap_or_default();
    let superseded = left_in(salvaged.as_ref(), SpanKeys::clone(&known)).await?;
    let with = written.as_ref().map(|description| (name.as_str(), description));
    let found = Found::of(superseded.clone());
    store.catalog.replace(&key, &[block.id], with, &found).await?;
    let rows = written.as_ref().map_or(0, |description| description.statistics.rows);
    if let Place::Disk(_) = &block.place() {
        block.retire();
    }
    table.replace_blocks(std::slice::from_ref(block), salvaged.map(|block| (block, superseded)));
    Ok(rows)
}
