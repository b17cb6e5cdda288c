//! Checksums of a block's file, so that what the disk alters is found and not believed.
//!
//! Parquet's own are optional and not written by its library. Ours are CRC-32C, one for each 16 KiB of the file, kept
//! in the catalog; whoever reads a part of the file checks the chunks that it lies in.

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

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
    file: Arc<File>,
    length: usize,
    sums: Checksums,
}

impl Checked {
    pub(super) fn open(path: &Path, sums: &Checksums) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Ok(Self { file: Arc::new(file), length, sums: sums.clone() })
    }

    /// A part of the file.
    pub(super) fn read(&self, start: usize, length: usize) -> io::Result<Bytes> {
        let end = start.checked_add(length).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let from = start / CHUNK * CHUNK;
        let to = end.next_multiple_of(CHUNK).min(self.length);
        let mut bytes = vec![0; to - from];
        self.file.read_exact_at(&mut bytes, from as u64)?;
        for (number, chunk) in (from / CHUNK..).zip(bytes.chunks(CHUNK)) {
            if self.sums.0.get(number) != Some(&crc32c::crc32c(chunk)) {
                let at = number * CHUNK;
                return Err(io::Error::other(format!(
                    "the {} bytes at {at} are not what was written",
                    chunk.len()
                )));
            }
        }
        Ok(Bytes::from(bytes).slice(start - from..end - from))
    }
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.length as u64
    }
}

impl ChunkReader for Checked {
    type T = Chunks;

    fn get_read(&self, start: u64) -> Result<Chunks> {
        let at = usize::try_from(start).map_err(|error| ParquetError::External(error.into()))?;
        Ok(Chunks { file: self.clone(), at, chunk: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let start = usize::try_from(start).map_err(|error| ParquetError::External(error.into()))?;
        Ok(self.read(start, length)?)
    }
}

/// Reads on from some place, a chunk at a time.
pub(super) struct Chunks {
    file: Checked,
    at: usize,
    chunk: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            let length = (self.file.length.saturating_sub(self.at)).min(CHUNK - self.at % CHUNK);
            self.chunk = self.file.read(self.at, length)?;
            self.at += length;
        }
        let count = into.len().min(self.chunk.len());
        self.chunk.split_to(count).copy_to_slice(into.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Checked, Checksums, Summing};
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
        let file = Checked::open(&path, &sums).unwrap();
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
