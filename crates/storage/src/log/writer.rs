//! Appends groups of records to the last segment, each group with one write and one fsync.

use super::{MAGIC, Record};
use crate::Error;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A segment that has grown past this is followed by a new one.
const SEGMENT_BYTES: u64 = 64 << 20;

/// One file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub path: PathBuf,
    /// Sequence of its last record; zero when it has none.
    pub last: u64,
    pub bytes: u64,
}

/// The end of the log. Blocking: call it from a blocking thread.
pub struct LogWriter {
    directory: PathBuf,
    segments: Vec<Segment>,
    /// The last segment, when it can be appended to.
    file: Option<File>,
    buffer: Vec<u8>,
}

impl LogWriter {
    /// Goes on after these segments, as [`super::read_all`] found them.
    pub fn open(directory: &Path, segments: Vec<Segment>) -> Result<Self, Error> {
        Ok(Self { directory: directory.to_owned(), segments, file: None, buffer: Vec::new() })
    }

    #[cfg(test)]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Returns when all records are on disk. After an error none of them is, and the next call tries afresh.
    pub fn append(&mut self, records: &[Record]) -> Result<(), Error> {
        let Some(first) = records.first() else { return Ok(()) };
        self.buffer.clear();
        for record in records {
            record.write(&mut self.buffer);
        }
        if self.segments.last().is_none_or(|segment| segment.bytes >= SEGMENT_BYTES) || self.file.is_none() {
            self.start_segment(first.sequence)?;
        }
        let written = self.write_buffer();
        if let Err(source) = written {
            let error = Error::Io { action: "appending to the log", path: self.current_path(), source };
            self.undo();
            return Err(error);
        }
        let added = self.buffer.len() as u64;
        if let (Some(segment), Some(last)) = (self.segments.last_mut(), records.last()) {
            segment.bytes += added;
            segment.last = last.sequence;
        }
        if self.buffer.capacity() > 64 << 20 {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    fn write_buffer(&mut self) -> std::io::Result<()> {
        let Some(file) = &mut self.file else { return Err(std::io::Error::other("no segment is open")) };
        file.write_all(&self.buffer)?;
        file.sync_data()
    }

    fn current_path(&self) -> PathBuf {
        self.segments.last().map_or_else(|| self.directory.clone(), |segment| segment.path.clone())
    }

    /// Cuts a failed append off; when even that fails, the segment is left alone and a new one is started, for the
    /// reader skips what does not check.
    fn undo(&mut self) {
        let end = self.segments.last().map_or(0, |segment| segment.bytes);
        let file = self.file.take();
        self.file = file.filter(|file| {
            let mut handle = file;
            file.set_len(end).is_ok() && handle.seek(SeekFrom::Start(end)).is_ok() && file.sync_data().is_ok()
        });
    }

    fn start_segment(&mut self, first: u64) -> Result<(), Error> {
        let path = self.directory.join(format!("{first:020}.log"));
        let io = |source| Error::Io { action: "creating the log segment", path: path.clone(), source };
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&path).map_err(io)?;
        file.write_all(MAGIC).and_then(|()| file.sync_all()).map_err(io)?;
        sync_directory(&self.directory)?;
        self.segments.retain(|segment| segment.path != path);
        self.segments.push(Segment { path, last: 0, bytes: MAGIC.len() as u64 });
        self.file = Some(file);
        Ok(())
    }

    /// Removes segments whose records are all below `sequence`.
    pub fn trim_below(&mut self, sequence: u64) -> Result<(), Error> {
        while let Some(segment) = self.segments.first().filter(|segment| segment.last < sequence) {
            if self.segments.len() == 1 {
                self.file = None;
            }
            let path = segment.path.clone();
            std::fs::remove_file(&path).map_err(|source| Error::Io { action: "removing", path, source })?;
            self.segments.remove(0);
        }
        Ok(())
    }
}

/// Makes a created, renamed or removed file of this directory durable.
pub fn sync_directory(directory: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { action: "syncing the directory", path: directory.to_owned(), source };
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)
}
