//! Where the file of a block rests: on the disk, or in an object store. Blocks are written on the disk in any case.

use crate::disk;
use crate::error::Error;
use crate::objects::Objects;
use crate::tables::TableKey;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::Timestamp;
use object_store::path::Path as Key;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of blocks in the data directory.
pub(crate) const BLOCKS: &str = "blocks";

/// Where a block is.
#[derive(Clone)]
pub(crate) enum Place {
    Disk(PathBuf),
    Object(Arc<Objects>, Key),
    /// In an object store that is not the one in use.
    Elsewhere(String),
}

impl Place {
    /// Removes the file, which is of no more use; failures are named.
    pub(crate) fn remove(&self) {
        match self {
            Self::Disk(path) => drop(disk::remove(path)),
            Self::Object(objects, key) => objects.remove(key.clone()),
            Self::Elsewhere(_) => {}
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(path) => path.display().fmt(formatter),
            Self::Object(objects, key) => formatter.write_str(&objects.url(key)),
            Self::Elsewhere(url) => formatter.write_str(url),
        }
    }
}

/// Where the blocks of a data directory may be.
#[derive(Clone)]
pub(crate) struct Places {
    pub(crate) directory: PathBuf,
    /// Where new blocks go, when not on the disk.
    pub(crate) objects: Option<Arc<Objects>>,
}

impl Places {
    /// The place that has this name in the catalog.
    pub(crate) fn named(&self, name: &str) -> Place {
        if !name.contains("://") {
            return Place::Disk(self.directory.join(name));
        }
        let objects = self.objects.as_ref();
        let found = objects.and_then(|objects| Some((Arc::clone(objects), objects.key(name)?)));
        found.map_or_else(|| Place::Elsewhere(name.to_owned()), |(objects, key)| Place::Object(objects, key))
    }

    /// How the catalog calls a place: on the disk, from the data directory on.
    pub(crate) fn name(&self, place: &Place) -> String {
        match place {
            Place::Disk(path) => {
                path.strip_prefix(&self.directory).unwrap_or(path).to_string_lossy().into_owned()
            }
            Place::Object(..) | Place::Elsewhere(_) => place.to_string(),
        }
    }

    /// Brings a block that was just written on the disk to where blocks are kept.
    ///
    /// # Errors
    /// When the object store does not take it; then it is nowhere.
    pub(crate) async fn keep(&self, place: Place) -> Result<Place, Error> {
        let (Some(objects), Place::Disk(path)) = (&self.objects, &place) else { return Ok(place) };
        let below = path.strip_prefix(self.directory.join(BLOCKS)).unwrap_or(path);
        let key = objects.key_of(below);
        let put = objects.put(path, &key).await;
        place.remove();
        put.map(|()| Place::Object(Arc::clone(objects), key))
    }

    /// The objects that are not known, after those were removed that were given up; each with where it was fetched to, and
    /// its path below the directory of blocks. Before anything is put there: what is being put is not known yet.
    pub(crate) async fn unknown_objects(
        &self,
        known: &BTreeSet<String>,
        garbage: &BTreeSet<String>,
    ) -> Result<Vec<(Place, PathBuf, PathBuf)>, Error> {
        let Some(objects) = &self.objects else { return Ok(Vec::new()) };
        let keys = match objects.list().await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(%error, "the object store cannot be listed; it is looked at with the next start");
                return Ok(Vec::new());
            }
        };
        let mut found = Vec::new();
        for key in keys.into_iter().filter(|key| !known.contains(&objects.url(key))) {
            if garbage.contains(&objects.url(&key)) {
                objects.remove(key);
                continue;
            }
            let copy = self.directory.join(BLOCKS).join(format!("fetched-{}.tmp", found.len()));
            objects.fetch(&key, &copy).await?;
            let below = objects.below(&key);
            found.push((Place::Object(Arc::clone(objects), key), copy, below));
        }
        objects.settle().await?;
        Ok(found)
    }

    /// Returns when all that was given up is removed.
    ///
    /// # Errors
    /// When something cannot be removed; it is tried again next time.
    pub(crate) async fn settle(&self) -> Result<(), Error> {
        match &self.objects {
            Some(objects) => objects.settle().await,
            None => Ok(()),
        }
    }
}

/// A number that no other file's name has.
pub(crate) fn unique() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// The directory, below that of all blocks, of those that are sealed at some time: tables and, within them, days.
pub(crate) fn directory(key: &TableKey, sealed: Timestamp) -> PathBuf {
    let day = day(sealed).map_or_else(|| "undated".to_owned(), |day| day.to_string());
    Path::new(key.tenant.as_str()).join(key.signal.as_str()).join(day)
}

/// The day of a time, in UTC; `None` for times beyond the calendar.
pub(crate) fn day(time: Timestamp) -> Option<Date> {
    let time = jiff::Timestamp::from_nanosecond(time.0.into()).ok()?;
    Some(time.to_zoned(TimeZone::UTC).date())
}

/// Removes the directories below this one that have nothing in them: days that are over.
pub(crate) fn remove_empty(directory: &Path) {
    for entry in directory.read_dir().into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty(&entry.path());
            // Fails when there is something in it.
            drop(std::fs::remove_dir(entry.path()));
        }
    }
}

/// All files below a directory.
pub(crate) fn list_files(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in directory.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list_files(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
