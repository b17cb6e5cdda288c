//! Appends groups of records, starts and trims segments.

use super::reader::{HEADER, scan};
use super::record::{Record, Salt};
use crate::disk;
use crate::error::Error;
use crate::problem::{Problem, Severity};
use crate::steps;
use crate::tables::TableKey;
use bytes::Bytes;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A new segment is started when the last one is this long.
const SEGMENT_BYTES: u64 = 64 << 20;

/// The log of one data directory.
pub(crate) struct Log {
    directory: PathBuf,
    state: Mutex<State>,
    bytes: AtomicU64,
}

struct State {
    /// Where the next group goes; `None` after opening, after a failure and when everything was trimmed.
    active: Option<Active>,
    closed: Vec<Segment>,
    next_sequence: u64,
}

struct Active {
    file: File,
    salt: Salt,
    segment: Segment,
}

/// A segment file, and the last sequence number that it has of each table.
struct Segment {
    path: PathBuf,
    bytes: u64,
    last: HashMap<TableKey, u64>,
}

impl Log {
    /// Opens the log and shows every record to `visit`, in order. New sequence numbers are above `floor` and above all
    /// that the log has.
    pub(crate) fn open(
        directory: &Path,
        floor: u64,
        mut visit: impl FnMut(u64, Record),
    ) -> Result<(Self, Vec<Problem>), Error> {
        let mut state = State { active: None, closed: Vec::new(), next_sequence: floor + 1 };
        let mut problems = Vec::new();
        let names = segments(directory).map_err(Error::io("reading the directory", directory))?;
        let count = names.len();
        for (place, (path, salt)) in names.into_iter().enumerate() {
            let (segment, records) = read_segment(path, salt, place + 1 == count, &mut problems)?;
            let Some(segment) = segment else { continue };
            for (sequence, record) in records {
                state.next_sequence = state.next_sequence.max(sequence + 1);
                visit(sequence, record);
            }
            state.closed.push(segment);
        }
        let bytes = AtomicU64::new(state.closed.iter().map(|segment| segment.bytes).sum());
        Ok((Self { directory: directory.to_owned(), state: Mutex::new(state), bytes }, problems))
    }

    /// Writes the records as one group and fsyncs it; the records' sequence numbers count up from the answer.
    pub(crate) fn append(&self, records: &[Record]) -> Result<u64, Error> {
        let mut state = self.lock();
        let first = state.next_sequence;
        // A number is never given twice, even when writing fails half way.
        state.next_sequence += records.len() as u64;
        let mut active = match state.active.take() {
            Some(active) => active,
            None => Active::create(&self.directory, first)?,
        };
        let written = active.write(records, first);
        match written {
            Ok(()) if active.segment.bytes < SEGMENT_BYTES => state.active = Some(active),
            Ok(()) => state.closed.push(active.segment),
            Err(_) => state.closed.extend(active.abandon()),
        }
        self.count(&state);
        written.map(|()| first).map_err(Error::io("writing to the log in", &self.directory))
    }

    /// Deletes the segments of which every record is sealed.
    pub(crate) fn trim(&self, sealed: &HashMap<TableKey, u64>) {
        let covered = |segment: &Segment| {
            segment.last.iter().all(|(key, last)| sealed.get(key).is_some_and(|sealed| last <= sealed))
        };
        let mut state = self.lock();
        if let Some(active) = state.active.take() {
            if covered(&active.segment) {
                state.closed.push(active.segment);
            } else {
                state.active = Some(active);
            }
        }
        state.closed.retain(|segment| {
            let removed = covered(segment) && disk::remove(&segment.path);
            if removed {
                steps::reached("trim: segment removed");
            }
            !removed
        });
        self.count(&state);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, state: &State) {
        let active = state.active.iter().map(|active| &active.segment);
        let bytes = active.chain(&state.closed).map(|segment| segment.bytes).sum();
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

impl Active {
    fn create(directory: &Path, first: u64) -> Result<Self, Error> {
        let salt = Salt(std::hash::RandomState::new().build_hasher().finish());
        let path = directory.join(format!("{first:020}-{:016x}.log", salt.0));
        let create = || {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            file.write_all(&HEADER)?;
            disk::sync_directory(directory)?;
            steps::reached("append: segment made");
            Ok(file)
        };
        let file = create().map_err(|source| {
            disk::remove(&path);
            Error::io("creating", &path)(source)
        })?;
        let segment = Segment { path, bytes: HEADER.len() as u64, last: HashMap::new() };
        Ok(Self { file, salt, segment })
    }

    fn write(&mut self, records: &[Record], first: u64) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(256 << 10, &self.file);
        let mut bytes = 0;
        for (sequence, record) in (first..).zip(records) {
            bytes += record.write(&mut out, sequence, self.salt)?;
        }
        out.flush()?;
        drop(out);
        steps::reached("append: written");
        self.file.sync_data()?;
        steps::reached("append: synced");
        self.segment.bytes += bytes;
        for (sequence, record) in (first..).zip(records) {
            let key = TableKey { tenant: record.tenant.clone(), signal: record.signal };
            self.segment.last.insert(key, sequence);
        }
        Ok(())
    }

    /// Cuts off what a failed write left, as far as the disk lets us. The segment is not written to again: after a
    /// failed fsync nobody knows what of it is on the disk.
    fn abandon(self) -> Option<Segment> {
        if self.segment.last.is_empty() && disk::remove(&self.segment.path) {
            return None;
        }
        if let Err(error) = self.file.set_len(self.segment.bytes).and_then(|()| self.file.sync_all()) {
            tracing::warn!(path = %self.segment.path.display(), %error, "cutting the log back failed");
        }
        Some(self.segment)
    }
}

/// Paths and salts of the segments, in order.
fn segments(directory: &Path) -> io::Result<Vec<(PathBuf, Salt)>> {
    let mut found = Vec::new();
    for entry in directory.read_dir()? {
        let path = entry?.path();
        match salt_of(&path) {
            Some(salt) => found.push((path, salt)),
            None => tracing::warn!(path = %path.display(), "not a segment of the log; left alone"),
        }
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(found)
}

pub(super) fn salt_of(path: &Path) -> Option<Salt> {
    let (_, salt) = path.file_name()?.to_str()?.strip_suffix(".log")?.split_once('-')?;
    u64::from_str_radix(salt, 16).ok().map(Salt)
}

type Records = Vec<(u64, Record)>;

/// Reads one segment; cuts or removes what a crash left of it.
fn read_segment(
    path: PathBuf,
    salt: Salt,
    is_last: bool,
    problems: &mut Vec<Problem>,
) -> Result<(Option<Segment>, Records), Error> {
    let content = Bytes::from(std::fs::read(&path).map_err(Error::io("reading", &path))?);
    let found = scan(&content, salt);
    for damage in &found.damage {
        problems.push(damaged(&path, (damage.start, damage.end)));
    }
    let torn = content.len() - found.end;
    if torn > 0 && !is_last {
        problems.push(damaged(&path, (found.end, content.len())));
    }
    if found.records.is_empty() && is_last {
        tracing::info!(path = %path.display(), bytes = torn, "the log's last segment holds nothing whole; removed");
        disk::remove(&path);
        return Ok((None, Vec::new()));
    }
    if torn > 0 && is_last {
        tracing::info!(path = %path.display(), bytes = torn, "cutting an unfinished append off the log");
        cut(&path, found.end as u64).map_err(Error::io("cutting back", &path))?;
    }
    let mut last = HashMap::new();
    for (sequence, record) in &found.records {
        last.insert(TableKey { tenant: record.tenant.clone(), signal: record.signal }, *sequence);
    }
    Ok((Some(Segment { path, bytes: found.end as u64, last }), found.records))
}

/// A part of the log that is no request, although there should be some.
fn damaged(path: &Path, (from, to): (usize, usize)) -> Problem {
    tracing::error!(path = %path.display(), from, to, "the log is damaged between these bytes; the rest is kept");
    let message = format!(
        "the log {} is damaged from byte {from} to {to}: requests that were stored there are lost, all others were kept",
        path.display()
    );
    Problem::new("logDamaged", Severity::Degraded, message)
}

fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_all()
}
