//! Reads the log at start: every good record, what is damaged, and where the last segment's good part ends.

use super::record::{PREFIX, Record};
use super::writer::Segment;
use super::{MAGIC, record};
use crate::Error;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// A part of a segment that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub path: PathBuf,
    pub at: usize,
    pub bytes: usize,
}

/// Calls `each` for every good record, in order; gives the segments there are, and the damage met.
///
/// The last segment is cut after its last good record.
pub fn read_all(
    directory: &Path,
    mut each: impl FnMut(Record),
) -> Result<(Vec<Segment>, Vec<Damage>), Error> {
    let (mut segments, mut damage) = (Vec::new(), Vec::new());
    let paths = segment_paths(directory)?;
    for (place, path) in paths.iter().enumerate() {
        let io = |source| Error::Io { action: "reading the log", path: path.clone(), source };
        let bytes = Bytes::from(std::fs::read(path).map_err(io)?);
        let mut segment = Segment { path: path.clone(), last: 0, bytes: 0 };
        let mut end = 0;
        if bytes.starts_with(MAGIC) {
            end = read_segment(&bytes, path, &mut damage, |record| {
                segment.last = record.sequence;
                each(record);
            });
        } else if !bytes.is_empty() && !MAGIC.starts_with(&bytes) {
            damage.push(Damage { path: path.clone(), at: 0, bytes: bytes.len() });
        }
        if place + 1 == paths.len() && end < bytes.len() {
            cut(path, end)?;
        }
        segment.bytes = end as u64;
        segments.push(segment);
    }
    Ok((segments, damage))
}

/// Gives where the last good record ends. Bad bytes between good records are damage; those after the last are its tail.
fn read_segment(bytes: &Bytes, path: &Path, damage: &mut Vec<Damage>, mut each: impl FnMut(Record)) -> usize {
    let (mut at, mut good_end, mut last) = (MAGIC.len(), MAGIC.len(), 0);
    while at < bytes.len() {
        let next = record::Record::read(bytes, at).filter(|(record, _)| record.sequence > last);
        let Some((record, end)) = next else {
            at += 1;
            continue;
        };
        if at > good_end {
            damage.push(Damage { path: path.to_owned(), at: good_end, bytes: at - good_end });
        }
        last = record.sequence;
        each(record);
        (at, good_end) = (end, end);
    }
    good_end
}

fn cut(path: &Path, end: usize) -> Result<(), Error> {
    let io = |source| Error::Io { action: "cutting the torn end off", path: path.to_owned(), source };
    let file = std::fs::OpenOptions::new().write(true).open(path).map_err(io)?;
    file.set_len(end as u64).and_then(|()| file.sync_all()).map_err(io)
}

fn segment_paths(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let io = |source| Error::Io { action: "listing", path: directory.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

const _: () = assert!(PREFIX == 8, "the module's text draws the prefix");

#[cfg(test)]
mod tests {
    use super::{Damage, read_all};
    use crate::log::{LogWriter, Record};
    use model::batch::Encoding;
    use model::{Signal, TenantId, Timestamp};
    use std::path::Path;

    fn record(sequence: u64, size: usize) -> Record {
        Record {
            sequence,
            received: Timestamp(7),
            tenant: TenantId::default(),
            signal: Signal::Logs,
            encoding: Encoding::Json,
            wire: vec![b'x'; size].into(),
        }
    }

    fn sequences(directory: &Path) -> (Vec<u64>, Vec<Damage>) {
        let mut found = Vec::new();
        let (_, damage) = read_all(directory, |record| found.push(record.sequence)).unwrap();
        (found, damage)
    }

    #[test]
    fn a_torn_end_is_cut_wherever_it_tears() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path(), Vec::new()).unwrap();
        writer.append(&[record(1, 10), record(2, 10), record(3, 30)]).unwrap();
        let path = writer.segments()[0].path.clone();
        let whole = std::fs::read(&path).unwrap();
        let last = whole.len() - (8 + 19 + 7 + 30);
        for end in last..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            assert_eq!(sequences(directory.path()), (vec![1, 2], vec![]), "torn at {end}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), last as u64);
        }
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(sequences(directory.path()).0, [1, 2, 3]);
    }

    #[test]
    fn damage_costs_only_what_it_hit() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path(), Vec::new()).unwrap();
        writer.append(&[record(1, 10), record(2, 10), record(3, 30)]).unwrap();
        let path = writer.segments()[0].path.clone();
        let mut bytes = std::fs::read(&path).unwrap();
        let record_length = 8 + 19 + 7 + 10;
        bytes[8 + record_length + 20] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let (found, damage) = sequences(directory.path());
        assert_eq!(found, [1, 3]);
        assert_eq!((damage[0].at, damage[0].bytes), (8 + record_length, record_length));
    }
}
