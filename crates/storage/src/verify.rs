//! Reads every checksum of a data directory, which may be in use, and changes nothing.

use crate::catalog::{CATALOG, Catalog, Entry};
use crate::error::Error;
use crate::log::read_segment_report;
use crate::objects::Objects;
use crate::place::{Place, Places};
use crate::snapshot::Block;
use crate::{blocking, opening};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was read, and what is wrong.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    pub blocks: u64,
    pub rows: u64,
    /// Bytes of blocks and log that were read.
    pub bytes: u64,
    pub log_segments: u64,
    pub log_requests: u64,
    /// What is damaged or missing, in words, each with where it is.
    pub damaged: Vec<String>,
}

/// How far long work on a data directory is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// Reads all of it: the catalog, each block's checksums, each request in the log.
///
/// # Errors
/// When there is no store, or its catalog cannot be read.
pub async fn verify(
    directory: &Path,
    blocks_url: Option<&str>,
    mut tell: impl FnMut(Progress),
) -> Result<VerifyReport, Error> {
    let places = places(directory, blocks_url)?;
    let mut report = VerifyReport::default();
    let contents = read_catalog(&places).await?;
    let unreadable = contents.unreadable.iter().map(|(_, place)| place);
    report
        .damaged
        .extend(unreadable.map(|place| format!("the catalog's row of the block {place} is damaged")));
    let total = contents.blocks.len() as u64;
    for (done, entry) in (0..).zip(contents.blocks) {
        tell(Progress { done, total });
        if let Some(damage) = verify_block(&places, entry, &mut report).await? {
            report.damaged.push(damage);
        }
    }
    for path in segments(directory)? {
        verify_segment(&path, &mut report)?;
    }
    Ok(report)
}

/// The places of a data directory that is only read.
pub(crate) fn places(directory: &Path, blocks_url: Option<&str>) -> Result<Places, Error> {
    let identity = opening::identity(directory).unwrap_or_default();
    let objects = blocks_url.map(|url| Objects::open(url, &identity).map(Arc::new)).transpose()?;
    Ok(Places { directory: directory.to_owned(), objects })
}

pub(crate) async fn read_catalog(places: &Places) -> Result<crate::catalog::Contents, Error> {
    let file = places.directory.join(CATALOG);
    if !file.exists() {
        let detail = "missing; is this the data directory of a store?".to_owned();
        return Err(Error::CatalogLost { path: file, detail });
    }
    Catalog::read(places).await
}

/// Answers what is wrong with a block.
async fn verify_block(
    places: &Places,
    entry: Entry,
    report: &mut VerifyReport,
) -> Result<Option<String>, Error> {
    let Entry { id, description, .. } = entry;
    let (place, rows, bytes) = (description.place.clone(), description.statistics.rows, description.bytes);
    let block = Block::new(id, description);
    let checked = blocking(move || block.check_whole()).await?;
    report.blocks += 1;
    report.rows += rows;
    report.bytes += bytes;
    match checked {
        Ok(()) => Ok(None),
        // Since the catalog was read, it may have been given up for another one.
        Err(error) if error.is_of_block() => match is_known(places, id, &place).await? {
            true => Ok(Some(error.to_string())),
            false => Ok(None),
        },
        Err(error) => Err(error),
    }
}

/// Whether the catalog still has a block at this place.
pub(crate) async fn is_known(places: &Places, id: i64, place: &Place) -> Result<bool, Error> {
    let contents = Catalog::read(places).await?;
    let name = places.name(place);
    Ok(contents.blocks.iter().any(|entry| entry.id == id && places.name(&entry.description.place) == name))
}

/// The segments of a log, oldest first.
pub(crate) fn segments(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let log = directory.join("log");
    let entries = std::fs::read_dir(&log).map_err(Error::io("reading the directory", &log))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect();
    paths.sort();
    Ok(paths)
}

fn verify_segment(path: &Path, report: &mut VerifyReport) -> Result<(), Error> {
    let found = match read_segment_report(path) {
        Ok(found) => found,
        // It was trimmed meanwhile.
        Err(_) if !path.exists() => return Ok(()),
        Err(error) => return Err(error),
    };
    report.log_segments += 1;
    report.log_requests += found.records.len() as u64;
    report.bytes += found.bytes;
    let damage = found.damage.iter();
    report.damaged.extend(
        damage.map(|(from, to)| format!("the log {} is damaged from byte {from} to {to}", path.display())),
    );
    Ok(())
}
