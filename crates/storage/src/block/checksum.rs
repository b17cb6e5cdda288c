//! Checksums of a block's file, so that what the disk alters is found and not believed.
//!
//! Parquet's own are optional and not written by its library. Ours are CRC-32C, one for each 16 KiB of the file, kept
//! in the catalog; whoever reads a part of the file checks the chunks that it lies in.

use crate::error::Error;
use crate::objects::Objects;
use crate::place::Place;
use bytes::{Buf, Bytes};
use object_store::path::Path as Key;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Small, for a trace lookup reads a little of each column.
const CHUNK: usize = 16 << 10;

/// Of each chunk, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checksums(Arc<[u32]>);

impl Checksums {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|sum| sum.to_le_bytes()).collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.as_chunks().0.iter().map(|sum| u32::from_le_bytes(*sum)).collect())
    }

    /// These, and after them the others' own.
    pub(crate) fn or(self, others: &Self) -> Self {
        let rest = others.0.get(self.0.len()..).unwrap_or_default();
        Self(self.0.iter().chain(rest).copied().collect())
    }

    /// Those of a file as it is now.
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        let mut summing = Summing::new(io::sink());
        io::copy(&mut File::open(path)?, &mut summing)?;
        Ok(summing.checksums())
    }
}

/// Counts up checksums of what is written.
pub(super) struct Summing<W> {
    inner: W,
    sums: Vec<u32>,
    current: u32,
    filled: usize,
}

impl<W: Write> Summing<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, sums: Vec::new(), current: 0, filled: 0 }
    }

    pub(super) fn inner(&self) -> &W {
        &self.inner
    }

    /// Of the chunks that are whole.
    pub(super) fn whole_chunks(&self) -> Checksums {
        Checksums(self.sums.iter().copied().collect())
    }

    /// Of all that was written.
    pub(super) fn checksums(&self) -> Checksums {
        let last = (self.filled > 0).then_some(self.current);
        Checksums(self.sums.iter().copied().chain(last).collect())
    }

    fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.filled));
            self.current = crc32c::crc32c_append(self.current, now);
            self.filled += now.len();
            if self.filled == CHUNK {
                self.sums.push(self.current);
                (self.current, self.filled) = (0, 0);
            }
            bytes = later;
        }
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.add(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A block's file, of which every part that is read is checked.
#[derive(Clone)]
pub(super) struct Checked {
    place: Place,
    content: Content,
    length: u64,
    sums: Checksums,
}

#[derive(Clone)]
enum Content {
    Disk(Arc<File>),
    Object(Arc<Object>),
}

struct Object {
    objects: Arc<Objects>,
    key: Key,
    /// Why the last reading failed, if it did: errors of Parquet's library do not say.
    failure: Mutex<Option<Error>>,
}

impl Checked {
    /// The file of a block that has so many bytes. To be read by threads that may wait.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(place: &Place, length: u64, sums: &Checksums) -> Result<Self, Error> {
        let content = match place {
            Place::Disk(path) => {
                Content::Disk(Arc::new(File::open(path).map_err(Error::io("opening", path))?))
            }
            Place::Object(objects, key) => {
                let (objects, key) = (Arc::clone(objects), key.clone());
                Content::Object(Arc::new(Object { objects, key, failure: Mutex::new(None) }))
            }
            Place::Elsewhere(url) => return Err(Error::elsewhere(url)),
        };
        Ok(Self { place: place.clone(), content, length, sums: sums.clone() })
    }

    /// What an error of reading means: that the object store does not answer, or that the file is damaged.
    pub(super) fn fault(&self, error: &dyn std::fmt::Display) -> Error {
        let failure = match &self.content {
            Content::Disk(_) => None,
            Content::Object(object) => object.failure().as_ref().map(Error::repeat),
        };
        failure.unwrap_or_else(|| Error::Damaged {
            what: format!("block {}", self.place),
            detail: error.to_string(),
        })
    }

    /// A part of the file.
    pub(super) fn read(&self, part: Range<u64>) -> io::Result<Bytes> {
        let mut parts = self.read_parts(std::slice::from_ref(&part))?;
        parts.pop().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Several parts, in their order.
    pub(super) fn read_parts(&self, parts: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        // Whole chunks, for these have checksums; and each once, for parts are often smaller.
        let chunks: Vec<Range<u64>> =
            parts.iter().map(|part| self.chunks(part)).collect::<io::Result<_>>()?;
        let whole = united(chunks);
        let read = match &self.content {
            Content::Disk(file) => {
                whole.iter().map(|range| read_at(file, range)).collect::<io::Result<Vec<_>>>()?
            }
            Content::Object(object) => object.read(self.length, &whole)?,
        };
        for (range, bytes) in whole.iter().zip(&read) {
            self.check(range, bytes)?;
        }
        let cut = |part: &Range<u64>| {
            let place = whole.partition_point(|range| range.start <= part.start).checked_sub(1)?;
            let start = usize::try_from(part.start - whole.get(place)?.start).ok()?;
            let length = usize::try_from(part.end - part.start).ok()?;
            let bytes = read.get(place)?;
            (start + length <= bytes.len()).then(|| bytes.slice(start..start + length))
        };
        parts.iter().map(|part| cut(part).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())).collect()
    }

    /// The range of the chunks that a part lies in.
    fn chunks(&self, part: &Range<u64>) -> io::Result<Range<u64>> {
        if part.start > part.end || part.end > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let chunk = CHUNK as u64;
        Ok(part.start / chunk * chunk..part.end.next_multiple_of(chunk).min(self.length))
    }

    /// Checks whole chunks.
    fn check(&self, chunks: &Range<u64>, bytes: &Bytes) -> io::Result<()> {
        let first = usize::try_from(chunks.start).map_err(io::Error::other)? / CHUNK;
        for (number, chunk) in (first..).zip(bytes.chunks(CHUNK)) {
            if self.sums.0.get(number) != Some(&crc32c::crc32c(chunk)) {
                let (at, length) = (number * CHUNK, chunk.len());
                return Err(io::Error::other(format!("the {length} bytes at {at} are not what was written")));
            }
        }
        Ok(())
    }
}

/// The same ranges in order, those that touch as one.
fn united(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut united: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match united.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => united.push(range),
        }
    }
    united
}

impl Object {
    fn read(&self, length: u64, parts: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        let read = self.objects.read(&self.key, length, parts);
        *self.failure() = read.as_ref().err().map(Error::repeat);
        read.map_err(io::Error::other)
    }

    fn failure(&self) -> MutexGuard<'_, Option<Error>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_at(file: &File, range: &Range<u64>) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(range.end - range.start).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes.into())
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Checked {
    type T = Chunks;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Chunks> {
        Ok(Chunks { file: self.clone(), at: start, chunk: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let end = start.checked_add(length as u64);
        let end = end.ok_or_else(|| ParquetError::EOF("a part without an end".to_owned()))?;
        Ok(self.read(start..end)?)
    }
}

/// Reads on from some place, a chunk at a time.
pub(super) struct Chunks {
    file: Checked,
    at: u64,
    chunk: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            let next = (self.at + 1).next_multiple_of(CHUNK as u64);
            let end = next.min(self.file.length.max(self.at));
            self.chunk = self.file.read(self.at..end)?;
            self.at = end;
        }
        let count = into.len().min(self.chunk.len());
        self.chunk.split_to(count).copy_to_slice(into.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Checked, Checksums, Summing};
    use crate::place::Place;
    use parquet::file::reader::ChunkReader;
    use std::io::{Read, Write};

    #[test]
    fn a_flipped_bit_costs_its_chunk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("block");
        let mut content: Vec<u8> = (0..=250u8).cycle().take(CHUNK * 2 + 1000).collect();
        let mut summing = Summing::new(Vec::new());
        for part in content.chunks(777) {
            summing.write_all(part).unwrap();
        }
        let sums = Checksums::from_bytes(&summing.checksums().to_bytes());
        assert_eq!(sums, summing.checksums());
        content[CHUNK + 5] ^= 4;
        std::fs::write(&path, &content).unwrap();
        let file = Checked::open(&Place::Disk(path), content.len() as u64, &sums).unwrap();
        let check = |start: usize, length: usize, whole: bool| {
            let read = file.get_bytes(start as u64, length);
            assert_eq!(
                read.ok().as_deref(),
                whole.then(|| &content[start..start + length]),
                "{start} {length}"
            );
        };
        check(0, CHUNK, true);
        check(10, 100, true);
        check(CHUNK * 2, 1000, true);
        check(CHUNK * 2 + 999, 1, true);
        check(CHUNK - 1, 2, false);
        check(CHUNK * 2 - 1, 1, false);
        check(CHUNK * 2, 1001, false);
        let mut rest = Vec::new();
        file.get_read(CHUNK as u64 * 2 + 3).unwrap().read_to_end(&mut rest).unwrap();
        assert_eq!(rest, content[CHUNK * 2 + 3..]);
        assert!(file.get_read(3).unwrap().read_to_end(&mut rest).is_err());
    }
}
