//! What to do with files of blocks that the catalog does not know.
//!
//! A crash leaves some: a block that was written and not committed, or one that was given up and not removed. So does a
//! catalog that lost commits: it was put back from a backup, or the disk lost what it had promised to keep. Which of the
//! two it is must be proven before anything is deleted; what is needed is entered into the catalog again, and what cannot
//! be judged is put aside.

use crate::block::{Checksums, Coverage, Description, Manifest, describe_plain};
use crate::catalog::{Catalog, Contents, Entry};
use crate::error::Error;
use crate::place::{BLOCKS, Place, Places};
use crate::problem::{Problem, Severity};
use crate::snapshot::{Block, Snapshot};
use crate::superseded::{self, Found, SpanKeys};
use crate::tables::TableKey;
use crate::{blocking, disk};
use arrow::datatypes::SchemaRef;
use model::{Signal, TenantId};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where files are put that cannot be judged.
const QUARANTINE: &str = "quarantine";

/// A file that the catalog does not know.
pub(crate) struct Candidate {
    pub(crate) place: Place,
    /// Where it can be read: on the disk, whole.
    pub(crate) path: PathBuf,
    key: Option<TableKey>,
    manifest: Option<(Manifest, SchemaRef)>,
    facts: Facts,
}

/// What is known of a block's file, whether the catalog has it or not.
#[derive(Debug, Clone, Default)]
struct Facts {
    /// In the catalog.
    id: Option<i64>,
    /// The file's own name.
    name: String,
    coverage: Option<Coverage>,
    generation: u32,
    sources: Vec<String>,
    /// Whether the file is there, as long as it should be.
    is_there: bool,
    /// Whether it says of itself where it came from.
    is_described: bool,
}

/// What is done with a file.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// Its rows are all in other blocks.
    Remove,
    /// Its rows are nowhere else; it takes the place of blocks of which files are gone.
    Adopt { instead_of: Vec<i64> },
    /// It cannot be said.
    PutAside,
}

/// Decides on a file of a table of which these blocks are in the catalog.
fn decide(known: &[Facts], file: &Facts) -> Decision {
    let sources: Vec<&Facts> = known.iter().filter(|block| is_source(block, file)).collect();
    if !sources.is_empty() {
        // It was being made of these.
        return match sources.iter().all(|block| block.is_there) {
            true => Decision::Remove,
            false => Decision::Adopt { instead_of: sources.iter().filter_map(|block| block.id).collect() },
        };
    }
    if known.iter().any(|block| block.is_there && is_source(file, block)) {
        return Decision::Remove;
    }
    match file.coverage {
        Some(coverage) => {
            let mut others = known.iter().filter_map(|block| block.coverage);
            match others.any(|other| other.overlaps(coverage)) {
                true => Decision::PutAside,
                false => Decision::Adopt { instead_of: Vec::new() },
            }
        }
        // Made by an older version of blocks whose files are gone, if there are such.
        None if !file.is_described => {
            let gone: Vec<i64> =
                known.iter().filter(|block| !block.is_there).filter_map(|block| block.id).collect();
            if gone.is_empty() { Decision::PutAside } else { Decision::Adopt { instead_of: gone } }
        }
        None => Decision::Adopt { instead_of: Vec::new() },
    }
}

/// Whether all rows of one block went into another.
fn is_source(block: &Facts, made: &Facts) -> bool {
    if made.sources.contains(&block.name) {
        return true;
    }
    let covers = block.coverage.zip(made.coverage).is_some_and(|(own, made)| made.includes(own));
    covers && block.generation < made.generation
}

impl Candidate {
    fn of_file(place: Place, path: PathBuf, below: &Path) -> Self {
        let manifest = Manifest::of_file(&path);
        let own = manifest.as_ref().map(|(manifest, _)| manifest);
        let name = below.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let facts = Facts {
            id: None,
            name,
            coverage: own.map_or_else(|| Coverage::of_name(below), Manifest::coverage),
            generation: own.map_or(0, Manifest::generation),
            sources: own.map(|manifest| manifest.sources.clone()).unwrap_or_default(),
            is_there: true,
            is_described: own.is_some(),
        };
        let key = own.and_then(Manifest::key).or_else(|| key_of(below));
        Self { place, path, key, manifest, facts }
    }

    /// What the catalog is to know of it.
    fn describe(&self, signal: Signal) -> Result<Description, Error> {
        let failed = Error::io("reading", &self.path);
        let bytes = self.path.metadata().map_err(failed)?.len();
        let sums = Checksums::of_file(&self.path).map_err(Error::io("reading", &self.path))?;
        match &self.manifest {
            Some((manifest, schema)) => {
                Ok(manifest.describe(self.place.clone(), bytes, schema.clone(), &sums))
            }
            None => describe_plain(&self.path, self.place.clone(), signal, (bytes, sums)),
        }
    }

    /// Wide blocks first, and of those the ones that were rewritten last: the others may be in them.
    fn rank(&self) -> (u64, u32) {
        let width = self.facts.coverage.map_or(0, |of| of.last.saturating_sub(of.first));
        (u64::MAX - width, u32::MAX - self.facts.generation)
    }
}

/// The table that a path below the directory of blocks is of: `TENANT/SIGNAL/DAY/NAME`.
fn key_of(below: &Path) -> Option<TableKey> {
    let mut parts = below.components().map(|part| part.as_os_str().to_str());
    let (tenant, signal) = (parts.next()??, parts.next()??);
    Some(TableKey { tenant: TenantId::new(tenant)?, signal: Signal::from_name(signal)? })
}

fn facts(entry: &Entry) -> Facts {
    let description = &entry.description;
    let is_there = match &description.place {
        Place::Disk(path) => path.metadata().is_ok_and(|found| found.len() == description.bytes),
        Place::Object(..) | Place::Elsewhere(_) => true,
    };
    let name = description.place.to_string();
    Facts {
        id: Some(entry.id),
        name: name.rsplit('/').next().unwrap_or(&name).to_owned(),
        coverage: description.coverage,
        generation: description.generation,
        sources: Vec::new(),
        is_there,
        is_described: true,
    }
}

/// The blocks of a table that the catalog has.
#[derive(Default)]
struct Known {
    facts: Vec<Facts>,
    /// In order.
    snapshot: Snapshot,
}

impl Known {
    fn add(&mut self, entry: &Entry, superseded: &HashMap<i64, SpanKeys>) {
        self.facts.push(facts(entry));
        let block = Arc::new(Block::new(entry.id, entry.description.clone()));
        let spans = superseded.get(&entry.id).cloned().unwrap_or_default();
        self.enter(block, Found::of(spans));
    }

    /// Adds a block, and what was found with it.
    fn enter(&mut self, block: Arc<Block>, found: Found) {
        let place = self.older(block.coverage());
        let own = (Arc::clone(&block), found.spans);
        self.snapshot.blocks.insert(place, block);
        let all = found.in_blocks.into_iter().chain([own]);
        self.snapshot.superseded = superseded::with(&self.snapshot.superseded, all);
    }

    /// How many blocks are older than one of this coverage.
    fn older(&self, coverage: Option<Coverage>) -> usize {
        self.snapshot.blocks.partition_point(|block| block.coverage() <= coverage)
    }

    /// Whether a block of this coverage begins after the newest one, if there is one.
    fn follows(&self, coverage: Option<Coverage>) -> bool {
        let last = self.snapshot.blocks.last().and_then(|block| block.coverage());
        coverage.is_some_and(|own| last.is_none_or(|last| own.first > last.last))
    }

    fn forget(&mut self, ids: &[i64]) {
        self.facts.retain(|block| block.id.is_none_or(|id| !ids.contains(&id)));
        self.snapshot.blocks.retain(|block| !ids.contains(&block.id));
    }

    /// Which rows do not count once a block is entered: what sealing found of it was lost with its commit.
    async fn look(&self, key: &TableKey, description: Description) -> Result<Found, Error> {
        if key.signal != Signal::Traces {
            return Ok(Found::default());
        }
        let (block, others) = (Block::new(0, description), self.snapshot.clone());
        let older = self.older(block.coverage());
        let looked = blocking(move || superseded::look_again(&block, &others, older)).await?;
        // A block that cannot be read is told when it is asked for.
        Ok(looked.unwrap_or_default())
    }
}

/// What was done about files that the catalog does not know.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// The names of blocks that were entered into the catalog again.
    pub(crate) adopted: Vec<String>,
    /// Such as follow all those of their table that the catalog had: a crash leaves one between its file and its commit.
    followed: Vec<(TableKey, String)>,
    pub(crate) put_aside: Vec<PathBuf>,
    pub(crate) removed: u64,
}

impl Recovered {
    /// Whether the catalog has more blocks than before.
    pub(crate) fn any_adopted(&self) -> bool {
        !self.adopted.is_empty() || !self.followed.is_empty()
    }

    fn note_adopted(&mut self, key: &TableKey, name: &str, follows: bool) {
        tracing::warn!(block = name, "a block that the catalog did not know was entered");
        match follows {
            true => self.followed.push((key.clone(), name.to_owned())),
            false => self.adopted.push(name.to_owned()),
        }
    }

    /// What the log still has of tables, beside what the catalog says that blocks have: what was sealed last was not committed
    /// before a crash, and no catalog has lost it.
    pub(crate) fn compare_with_log(&mut self, in_log: &HashSet<TableKey>) {
        let lost = self.followed.drain(..).filter(|(key, _)| !in_log.contains(key));
        self.adopted.extend(lost.map(|(_, name)| name));
    }

    /// What the owner of the store should know of it.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.adopted.is_empty() {
            let message = format!(
                "blocks on the disk that the catalog had lost: {}. They were entered again, and nothing is missing. Was the catalog put back from a backup, or did the disk lose what it had written?",
                self.adopted.len()
            );
            problems.push(Problem::new("catalogRecovered", Severity::Notice, message));
        }
        if let Some(first) = self.put_aside.first() {
            let message = format!(
                "files among the blocks that the catalog does not know, and that cannot be judged: {}. They were put aside and not deleted: {}{}. `clew inspect` looks into them; delete them when they are of no use",
                self.put_aside.len(),
                first.display(),
                if self.put_aside.len() > 1 { " …" } else { "" }
            );
            problems.push(Problem::new("unknownFiles", Severity::Notice, message));
        }
        problems
    }
}

/// Reads from the blocks themselves what the catalog's damaged rows said; answers whether any was mended.
pub(crate) async fn mend_rows(
    places: &Places,
    catalog: &Catalog,
    damaged: &[(i64, Place)],
) -> Result<bool, Error> {
    let mut any = false;
    for (id, place) in damaged {
        let Place::Disk(path) = place.clone() else { continue };
        let below = path.strip_prefix(places.directory.join(BLOCKS)).unwrap_or(&path).to_owned();
        let candidate = blocking(move || Candidate::of_file(Place::Disk(path.clone()), path, &below)).await?;
        let Some(key) = candidate.key.clone() else { continue };
        let signal = key.signal;
        let Ok(description) = blocking(move || candidate.describe(signal)).await? else { continue };
        let name = places.name(&description.place);
        catalog.replace(&key, &[*id], Some((&name, &description)), &Found::default()).await?;
        tracing::warn!(block = name, "a damaged row of the catalog was read from its block");
        any = true;
    }
    Ok(any)
}

/// Looks at all files that the catalog does not know. Nothing may be written meanwhile.
pub(crate) async fn recover(
    places: &Places,
    catalog: &Catalog,
    contents: &Contents,
    left_alone: &BTreeSet<String>,
) -> Result<Recovered, Error> {
    let mut recovered = Recovered::default();
    let mut known: HashMap<TableKey, Known> = HashMap::new();
    let mut names: BTreeSet<String> = left_alone.clone();
    for entry in &contents.blocks {
        known.entry(entry.key.clone()).or_default().add(entry, &contents.superseded);
        names.insert(places.name(&entry.description.place));
    }
    let garbage = catalog.garbage().await?;
    let mut candidates = Vec::new();
    for (place, path, below) in unknown(places, &names, &garbage, &mut recovered).await? {
        candidates.push(blocking(move || Candidate::of_file(place, path, &below)).await?);
    }
    candidates.sort_by_key(Candidate::rank);
    for candidate in candidates {
        judge(places, catalog, &mut known, candidate, &mut recovered).await?;
    }
    catalog.forget_garbage(&garbage.into_iter().collect::<Vec<_>>()).await?;
    Ok(recovered)
}

/// The files that are not known, after those were removed that were given up or never finished.
async fn unknown(
    places: &Places,
    names: &BTreeSet<String>,
    garbage: &BTreeSet<String>,
    recovered: &mut Recovered,
) -> Result<Vec<(Place, PathBuf, PathBuf)>, Error> {
    let directory = places.directory.join(BLOCKS);
    let listing = directory.clone();
    let files = blocking(move || {
        let mut files = Vec::new();
        crate::place::list_files(&listing, &mut files).map(|()| files)
    });
    let files = files.await?.map_err(Error::io("reading the directory", &directory))?;
    let mut found = Vec::new();
    for path in files {
        let place = Place::Disk(path.clone());
        let name = places.name(&place);
        if names.contains(&name) {
            continue;
        }
        let unfinished = path.extension().is_some_and(|extension| extension == "tmp");
        if unfinished || garbage.contains(&name) {
            recovered.removed += u64::from(disk::remove(&path));
            continue;
        }
        let below = path.strip_prefix(&directory).unwrap_or(&path).to_owned();
        found.push((place, path, below));
    }
    found.extend(places.unknown_objects(names, garbage).await?);
    Ok(found)
}

/// Does with a file what is to be done.
async fn judge(
    places: &Places,
    catalog: &Catalog,
    known: &mut HashMap<TableKey, Known>,
    candidate: Candidate,
    recovered: &mut Recovered,
) -> Result<(), Error> {
    let decision = match &candidate.key {
        Some(key) => decide(known.get(key).map_or(&[], |known| &known.facts), &candidate.facts),
        None => Decision::PutAside,
    };
    let name = candidate.place.to_string();
    match (decision, candidate.key.clone()) {
        (Decision::Adopt { instead_of }, Some(key)) => {
            let signal = key.signal;
            let (candidate, described) = blocking(move || {
                let described = candidate.describe(signal);
                (candidate, described)
            })
            .await?;
            let Ok(description) = described else {
                return put_aside(places, &candidate, recovered);
            };
            let called = places.name(&description.place);
            let of_table = known.entry(key.clone()).or_default();
            of_table.forget(&instead_of);
            let found = of_table.look(&key, description.clone()).await?;
            let with = Some((called.as_str(), &description));
            let id = catalog.replace(&key, &instead_of, with, &found).await?.unwrap_or_default();
            let follows = instead_of.is_empty() && of_table.follows(candidate.facts.coverage);
            of_table.facts.push(Facts { id: Some(id), is_described: true, ..candidate.facts.clone() });
            of_table.enter(Arc::new(Block::new(id, description)), found);
            recovered.note_adopted(&key, &called, follows);
            candidate.forget_copy();
        }
        (Decision::Remove, _) => {
            tracing::info!(block = name, "removing a file whose rows are all in other blocks");
            candidate.place.remove();
            candidate.forget_copy();
            recovered.removed += 1;
        }
        _ => put_aside(places, &candidate, recovered)?,
    }
    Ok(())
}

/// Moves a file where it is in nobody's way. Objects stay where they are.
fn put_aside(places: &Places, candidate: &Candidate, recovered: &mut Recovered) -> Result<(), Error> {
    let Place::Disk(path) = &candidate.place else {
        tracing::warn!(object = %candidate.place, "an object that the catalog does not know was left alone");
        candidate.forget_copy();
        recovered.put_aside.push(PathBuf::from(candidate.place.to_string()));
        return Ok(());
    };
    let below = path.strip_prefix(&places.directory).unwrap_or(path);
    let to = places.directory.join(QUARANTINE).join(below);
    let parent = to.parent().unwrap_or(&to);
    std::fs::create_dir_all(parent).map_err(Error::io("creating", parent))?;
    std::fs::rename(path, &to).map_err(Error::io("moving", path))?;
    tracing::warn!(path = %to.display(), "a file that the catalog does not know was put aside");
    recovered.put_aside.push(to);
    Ok(())
}

impl Candidate {
    /// Removes what was fetched from an object store only to be looked at.
    fn forget_copy(&self) {
        if matches!(self.place, Place::Object(..)) {
            disk::remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, Facts, decide};
    use crate::block::Coverage;

    fn block(id: i64, first: u64, last: u64, generation: u32) -> Facts {
        Facts {
            id: Some(id),
            name: format!("{first}-{last}-{generation}"),
            coverage: Some(Coverage { first, last }),
            generation,
            is_there: true,
            is_described: true,
            ..Facts::default()
        }
    }

    fn gone(facts: Facts) -> Facts {
        Facts { is_there: false, ..facts }
    }

    /// A block whose requests are not known, made of others.
    fn made_of(sources: &[&str]) -> Facts {
        let sources = sources.iter().map(|name| (*name).to_owned()).collect();
        Facts { name: "made".to_owned(), sources, is_there: true, is_described: true, ..Facts::default() }
    }

    fn of_old_version() -> Facts {
        Facts { name: "old".to_owned(), is_there: true, ..Facts::default() }
    }

    #[test]
    fn files_are_judged_by_what_can_be_proven() {
        let adopt = |instead_of: &[i64]| Decision::Adopt { instead_of: instead_of.to_vec() };
        let (one, two) = (block(1, 1, 10, 0), block(2, 11, 20, 0));
        for (why, known, file, expect) in [
            ("a commit was lost", vec![one.clone()], block(0, 11, 20, 0), adopt(&[])),
            ("all commits were lost", vec![], block(0, 1, 10, 3), adopt(&[])),
            ("rewriting did not end", vec![one.clone(), two.clone()], block(0, 1, 20, 1), Decision::Remove),
            (
                "rewriting ended, and that was lost",
                vec![gone(one.clone()), gone(two.clone())],
                block(0, 1, 20, 1),
                adopt(&[1, 2]),
            ),
            (
                "one of the sources is gone",
                vec![one.clone(), gone(two.clone())],
                block(0, 1, 20, 1),
                adopt(&[1, 2]),
            ),
            ("it was rewritten", vec![block(1, 1, 20, 1)], one.clone(), Decision::Remove),
            ("what it became is gone", vec![gone(block(1, 1, 20, 1))], one.clone(), Decision::PutAside),
            ("rewritten without a trace", vec![block(1, 1, 10, 1)], one.clone(), Decision::Remove),
            ("the same once more", vec![one.clone()], one.clone(), Decision::PutAside),
            ("it overlaps", vec![one.clone()], block(0, 5, 15, 0), Decision::PutAside),
            ("made of known ones", vec![one.clone(), two.clone()], made_of(&["1-10-0"]), Decision::Remove),
            (
                "made of those that are gone",
                vec![gone(one.clone()), two.clone()],
                made_of(&["1-10-0"]),
                adopt(&[1]),
            ),
            ("made of unknown ones", vec![two.clone()], made_of(&["1-10-0"]), adopt(&[])),
            ("an old one, nothing is gone", vec![one.clone()], of_old_version(), Decision::PutAside),
            ("an old one for those that are gone", vec![gone(one), two], of_old_version(), adopt(&[1])),
        ] {
            assert_eq!(decide(&known, &file), expect, "{why}");
        }
    }
}
