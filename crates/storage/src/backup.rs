//! Copies a data directory, which may be in use, so that what was acknowledged before the copy began is in it; and puts
//! such a copy in the place of a data directory.
//!
//! ```text
//! BACKUP/clew-backup.json                  which snapshot is whole
//! BACKUP/snapshot-NUMBER/catalog.sqlite
//! BACKUP/snapshot-NUMBER/log/…             copied before the catalog: what was trimmed meanwhile is in blocks
//! BACKUP/blocks/…                          as in the data directory; those that are there already are not copied again
//! ```
//!
//! A backup that is broken off leaves the one before it whole.

use crate::block::Description;
use crate::catalog::{CATALOG, Catalog, Contents};
use crate::error::Error;
use crate::place::{self, BLOCKS, Place, Places};
use crate::snapshot::Block;
use crate::verify::{Progress, is_known, read_catalog, segments};
use crate::{blocking, disk, opening};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Says which snapshot is whole.
const MANIFEST: &str = "clew-backup.json";
/// The version of the layout above.
const VERSION: u32 = 1;
/// So often a backup is begun anew when blocks were replaced while they were copied.
const ATTEMPTS: u32 = 10;

/// What was copied.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupReport {
    pub blocks: u64,
    /// Of these, the ones that had to be copied, and their bytes.
    pub copied_blocks: u64,
    pub copied_bytes: u64,
    /// Blocks of the backup before that are of no more use.
    pub removed_blocks: u64,
    pub log_bytes: u64,
    /// Blocks that are damaged or missing, and so not in the backup.
    pub damaged: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    snapshot: String,
    /// Nanoseconds since the epoch.
    taken: u64,
}

/// Copies the data directory to `target`, which is empty or has a backup already; then only what is new is copied.
///
/// # Errors
/// When one of them cannot be read or written, or blocks are in an object store: that has means of its own.
pub async fn backup(
    directory: &Path,
    target: &Path,
    mut tell: impl FnMut(Progress),
) -> Result<BackupReport, Error> {
    let _lock = prepare(target)?;
    let source = Places { directory: directory.to_owned(), objects: None };
    let before = read_manifest(target)?;
    let number =
        before.as_ref().and_then(|manifest| manifest.snapshot.strip_prefix("snapshot-")?.parse().ok());
    let name = format!("snapshot-{}", number.unwrap_or(0u64) + 1);
    for _ in 0..ATTEMPTS {
        let mut report = BackupReport::default();
        let incoming = target.join("incoming");
        let contents = take_snapshot(&source, &incoming, &mut report).await?;
        if !copy_blocks(&source, target, &contents, &mut report, &mut tell).await? {
            continue;
        }
        let snapshot = target.join(&name);
        std::fs::rename(&incoming, &snapshot).map_err(Error::io("renaming", &incoming))?;
        disk::sync_directory(target).map_err(Error::io("writing the directory", target))?;
        let taken = model::Timestamp::now().0;
        write_manifest(target, &Manifest { version: VERSION, snapshot: name, taken })?;
        tidy(target, &source, &contents, before.as_ref(), &mut report)?;
        return Ok(report);
    }
    let detail =
        "blocks were replaced faster than they could be copied; try again when there is less to compact";
    Err(Error::Incomplete { what: "the backup".to_owned(), detail: detail.to_owned() })
}

/// Takes the folder of the backup for this process.
fn prepare(target: &Path) -> Result<std::fs::File, Error> {
    std::fs::create_dir_all(target).map_err(Error::io("creating", target))?;
    let mut entries = target.read_dir().map_err(Error::io("reading the directory", target))?;
    let is_ours = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            [MANIFEST, BLOCKS, "incoming", "lock"].contains(&&*name) || name.starts_with("snapshot-")
        })
    };
    if !entries.all(is_ours) {
        let detail = "there is something else in it; name an empty folder, or one of an earlier backup";
        return Err(Error::Incomplete {
            what: format!("a backup in {}", target.display()),
            detail: detail.to_owned(),
        });
    }
    disk::keep_private(target)?;
    disk::lock(target)
}

/// Copies the log, and then the catalog.
async fn take_snapshot(
    source: &Places,
    incoming: &Path,
    report: &mut BackupReport,
) -> Result<Contents, Error> {
    if incoming.exists() {
        std::fs::remove_dir_all(incoming).map_err(Error::io("removing", incoming))?;
    }
    let log = incoming.join("log");
    std::fs::create_dir_all(&log).map_err(Error::io("creating", &log))?;
    for segment in segments(&source.directory)? {
        let to = log.join(segment.file_name().unwrap_or_default());
        match copy_file(&segment, &to) {
            Ok(bytes) => report.log_bytes += bytes,
            // It was trimmed: what it had is in blocks.
            Err(_) if !segment.exists() => {}
            Err(error) => return Err(error),
        }
    }
    disk::sync_directory(&log).map_err(Error::io("writing the directory", &log))?;
    let file = source.directory.join(CATALOG);
    if !file.exists() {
        // Says what is wrong.
        read_catalog(source).await?;
    }
    Catalog::copy(&file, &incoming.join(CATALOG)).await?;
    let own = Places { directory: incoming.to_owned(), objects: None };
    Catalog::read(&own).await
}

/// Copies what is not there yet; `false` when a block was given up meanwhile, so that the catalog that was copied is old.
async fn copy_blocks(
    source: &Places,
    target: &Path,
    contents: &Contents,
    report: &mut BackupReport,
    tell: &mut impl FnMut(Progress),
) -> Result<bool, Error> {
    let total = contents.blocks.len() as u64;
    for (done, entry) in (0..).zip(&contents.blocks) {
        tell(Progress { done, total });
        let below = name_of(&entry.description)?;
        let (from, to) = (source.directory.join(&below), target.join(&below));
        report.blocks += 1;
        if to.metadata().is_ok_and(|found| found.len() == entry.description.bytes) {
            continue;
        }
        match copy_block(&entry.description, from.clone(), to).await {
            Ok(bytes) => {
                report.copied_blocks += 1;
                report.copied_bytes += bytes;
            }
            Err(error) if error.is_of_block() => {
                if !is_known(source, entry.id, &Place::Disk(from)).await? {
                    return Ok(false);
                }
                report.blocks -= 1;
                report.damaged.push(error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// A block's path from the data directory on.
fn name_of(description: &Description) -> Result<PathBuf, Error> {
    let text = description.place.to_string();
    if let Place::Elsewhere(url) = &description.place {
        let detail = "blocks are there, and a backup has those on the disk only; let the store keep versions or copies of its own";
        return Err(Error::Incomplete { what: format!("a backup of {url}"), detail: detail.to_owned() });
    }
    let at = text.find(&format!("/{BLOCKS}/")).map_or(0, |at| at + 1);
    Ok(PathBuf::from(text.get(at..).unwrap_or_default()))
}

/// Copies a block, and checks what was copied.
async fn copy_block(description: &Description, from: PathBuf, to: PathBuf) -> Result<u64, Error> {
    let description = description.clone();
    blocking(move || {
        let parent = to.parent().unwrap_or(&to);
        std::fs::create_dir_all(parent).map_err(Error::io("creating", parent))?;
        let partial = to.with_extension("partial");
        let bytes = copy_file(&from, &partial)?;
        let block = Block::new(0, Description { place: Place::Disk(partial.clone()), ..description });
        let checked = block.check_whole();
        if let Err(error) = checked {
            disk::remove(&partial);
            // The name that the owner knows.
            let text = error.to_string().replace(&partial.display().to_string(), &from.display().to_string());
            return Err(Error::Damaged { what: format!("block {}", from.display()), detail: text });
        }
        std::fs::rename(&partial, &to).map_err(Error::io("renaming", &partial))?;
        disk::sync_directory(parent).map_err(Error::io("writing the directory", parent))?;
        Ok(bytes)
    })
    .await?
}

/// Copies a file, and fsyncs the copy.
fn copy_file(from: &Path, to: &Path) -> Result<u64, Error> {
    let mut source = std::fs::File::open(from).map_err(Error::io("opening", from))?;
    let mut copy = std::fs::File::create(to).map_err(Error::io("creating", to))?;
    let bytes = std::io::copy(&mut source, &mut copy).map_err(Error::io("copying", from))?;
    copy.sync_all().map_err(Error::io("writing", to))?;
    Ok(bytes)
}

/// Removes what only the backup before needed.
fn tidy(
    target: &Path,
    source: &Places,
    contents: &Contents,
    before: Option<&Manifest>,
    report: &mut BackupReport,
) -> Result<(), Error> {
    if let Some(before) = before {
        let old = target.join(&before.snapshot);
        std::fs::remove_dir_all(&old).map_err(Error::io("removing", &old))?;
    }
    let needed: BTreeSet<PathBuf> = contents
        .blocks
        .iter()
        .map(|entry| name_of(&entry.description).map(|below| target.join(below)))
        .collect::<Result<_, _>>()?;
    let blocks = target.join(BLOCKS);
    let mut files = Vec::new();
    if blocks.exists() {
        place::list_files(&blocks, &mut files).map_err(Error::io("reading the directory", &blocks))?;
    }
    for path in files.into_iter().filter(|path| !needed.contains(path)) {
        report.removed_blocks += u64::from(disk::remove(&path));
    }
    place::remove_empty(&blocks);
    tracing::debug!(from = %source.directory.display(), to = %target.display(), "backed up");
    Ok(())
}

fn read_manifest(target: &Path) -> Result<Option<Manifest>, Error> {
    let path = target.join(MANIFEST);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    let damaged = |detail: String| Error::Damaged { what: path.display().to_string(), detail };
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    let is_name = manifest
        .snapshot
        .strip_prefix("snapshot-")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    match (is_name, manifest.version) {
        (true, ..=VERSION) => Ok(Some(manifest)),
        (true, version) => {
            Err(Error::TooNew { path, version: i64::from(version), known: i64::from(VERSION) })
        }
        (false, _) => Err(damaged("it names no snapshot".to_owned())),
    }
}

fn write_manifest(target: &Path, manifest: &Manifest) -> Result<(), Error> {
    let path = target.join(MANIFEST);
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|error| Error::Damaged { what: path.display().to_string(), detail: error.to_string() })?;
    disk::write_whole(&path, &text)
}

/// What was put back.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreReport {
    pub blocks: u64,
    pub bytes: u64,
    /// When the backup was taken: nanoseconds since the epoch.
    pub taken: u64,
    /// Blocks that the backup does not have whole.
    pub damaged: Vec<String>,
}

/// Makes a data directory of a backup. The directory must not exist, or be empty.
///
/// # Errors
/// When there is something in it, or one of them cannot be read or written. What was put back until then has no catalog,
/// so that no store is opened on a half of it.
pub async fn restore(
    backup: &Path,
    directory: &Path,
    mut tell: impl FnMut(Progress),
) -> Result<RestoreReport, Error> {
    let manifest = read_manifest(backup)?.ok_or_else(|| Error::Incomplete {
        what: format!("restoring {}", backup.display()),
        detail: format!("there is no whole backup in it: {MANIFEST} is missing"),
    })?;
    refuse_used(directory)?;
    let _lock = opening::take(directory).await?;
    let snapshot = backup.join(&manifest.snapshot);
    let own = Places { directory: snapshot.clone(), objects: None };
    let contents = Catalog::read(&own).await?;
    let mut report = RestoreReport { taken: manifest.taken, ..RestoreReport::default() };
    let total = contents.blocks.len() as u64;
    for (done, entry) in (0..).zip(&contents.blocks) {
        tell(Progress { done, total });
        let below = name_of(&entry.description)?;
        match copy_block(&entry.description, backup.join(&below), directory.join(&below)).await {
            Ok(bytes) => {
                report.blocks += 1;
                report.bytes += bytes;
            }
            Err(error) if error.is_of_block() => report.damaged.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    for segment in segments(&snapshot)? {
        let to = directory.join("log").join(segment.file_name().unwrap_or_default());
        report.bytes += copy_file(&segment, &to)?;
    }
    // The catalog comes last: with it, the directory is a store.
    let partial = directory.join("catalog.partial");
    copy_file(&snapshot.join(CATALOG), &partial)?;
    let file = directory.join(CATALOG);
    std::fs::rename(&partial, &file).map_err(Error::io("renaming", &partial))?;
    disk::sync_directory(directory).map_err(Error::io("writing the directory", directory))?;
    Ok(report)
}

fn refuse_used(directory: &Path) -> Result<(), Error> {
    let mut entries = match directory.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("reading the directory", directory)(error)),
    };
    let is_used = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name() != "lost+found")
    };
    if entries.any(is_used) {
        let detail = "there is something in it already, and nothing is overwritten; name a directory that is empty or not there";
        return Err(Error::Incomplete {
            what: format!("restoring to {}", directory.display()),
            detail: detail.to_owned(),
        });
    }
    Ok(())
}
