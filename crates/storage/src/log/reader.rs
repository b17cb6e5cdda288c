//! Finds the records of a segment, also of a damaged one.

use super::record::{MARK, Record, Salt};
use bytes::Bytes;
use std::ops::Range;

/// "CLEWLOG" and the version.
pub(super) const HEADER: [u8; 8] = *b"CLEWLOG\x01";

/// What a segment's bytes hold.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Sequence numbers and records, in order.
    pub(super) records: Vec<(u64, Record)>,
    /// Bytes that are no record although records (or, for the header, nothing) should be there.
    pub(super) damage: Vec<Range<usize>>,
    /// Where the last record ends; what follows is torn.
    pub(super) end: usize,
}

/// Reads a segment's bytes. Damage costs the records it lies in, and no other.
pub(super) fn scan(segment: &Bytes, salt: Salt) -> Scan {
    let mut found = Scan { end: HEADER.len().min(segment.len()), ..Scan::default() };
    if !segment.starts_with(&HEADER) && segment.len() >= HEADER.len() {
        found.damage.push(0..HEADER.len());
    }
    let mut at = found.end;
    while let Some((start, sequence, record, end)) = next(segment, at, salt) {
        if start > found.end {
            found.damage.push(found.end..start);
        }
        found.records.push((sequence, record));
        found.end = end;
        at = end;
    }
    found
}

/// The first whole record at or after `from`: where it starts, its number, itself, and where it ends.
fn next(segment: &Bytes, from: usize, salt: Salt) -> Option<(usize, u64, Record, usize)> {
    let mut at = from;
    loop {
        if let Some((sequence, record, end)) = Record::read(segment, at, salt) {
            return Some((at, sequence, record, end));
        }
        let after = segment.get(at + 1..)?;
        at += 1 + after.windows(MARK.len()).position(|window| window == MARK)?;
    }
}
