//! One record of the log, to bytes and back. The format is drawn in the parent module.

use bytes::Bytes;
use model::batch::Encoding;
use model::{Signal, TenantId, Timestamp};
use std::io::{self, Write};

pub(super) const MARK: [u8; 4] = *b"CLWR";
/// Mark, length and checksum.
const PREFIX: usize = 12;
/// Sequence, received, signal, encoding, length of the tenant's name.
const FIXED: usize = 19;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) tenant: TenantId,
    pub(crate) signal: Signal,
    pub(crate) encoding: Encoding,
    pub(crate) received: Timestamp,
    pub(crate) payload: Bytes,
}

/// The number that starts every checksum of a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Salt(pub(super) u64);

impl Salt {
    fn checksum(self, parts: &[&[u8]]) -> u32 {
        let start = crc32c::crc32c(&self.0.to_le_bytes());
        parts.iter().fold(start, |sum, part| crc32c::crc32c_append(sum, part))
    }
}

impl Record {
    /// Writes the record; answers how many bytes it took.
    pub(super) fn write(&self, to: &mut impl Write, sequence: u64, salt: Salt) -> io::Result<u64> {
        let tenant = self.tenant.as_str().as_bytes();
        let mut head = Vec::with_capacity(FIXED + tenant.len());
        head.extend_from_slice(&sequence.to_le_bytes());
        head.extend_from_slice(&self.received.0.to_le_bytes());
        head.push(signal_number(self.signal));
        head.push(self.encoding as u8);
        head.push(u8::try_from(tenant.len()).map_err(io::Error::other)?);
        head.extend_from_slice(tenant);
        let length = u32::try_from(head.len() + self.payload.len()).map_err(io::Error::other)?;
        to.write_all(&MARK)?;
        to.write_all(&length.to_le_bytes())?;
        to.write_all(&salt.checksum(&[&head, &self.payload]).to_le_bytes())?;
        to.write_all(&head)?;
        to.write_all(&self.payload)?;
        Ok(PREFIX as u64 + u64::from(length))
    }

    /// The record that starts at `at`, with its sequence number and where it ends; `None` when none does.
    pub(super) fn read(segment: &Bytes, at: usize, salt: Salt) -> Option<(u64, Self, usize)> {
        let prefix = segment.get(at..at.checked_add(PREFIX)?)?;
        if !prefix.starts_with(&MARK) {
            return None;
        }
        let length = usize::try_from(u32_at(prefix, 4)?).ok()?;
        let start = at + PREFIX;
        let end = start.checked_add(length)?;
        let rest = segment.get(start..end)?;
        if salt.checksum(&[rest]) != u32_at(prefix, 8)? {
            return None;
        }
        let payload_at = FIXED + usize::from(*rest.get(18)?);
        let tenant = std::str::from_utf8(rest.get(FIXED..payload_at)?).ok()?;
        let record = Self {
            tenant: TenantId::new(tenant)?,
            signal: signal_from(*rest.get(16)?)?,
            encoding: encoding_from(*rest.get(17)?)?,
            received: Timestamp(u64_at(rest, 8)?),
            payload: segment.slice(start + payload_at..end),
        };
        Some((u64_at(rest, 0)?, record, end))
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

// The numbers are on disk; never change them.
const fn signal_number(signal: Signal) -> u8 {
    match signal {
        Signal::Traces => 0,
        Signal::Logs => 1,
        Signal::Metrics => 2,
    }
}

fn signal_from(number: u8) -> Option<Signal> {
    Signal::ALL.into_iter().find(|signal| signal_number(*signal) == number)
}

fn encoding_from(number: u8) -> Option<Encoding> {
    [Encoding::Protobuf, Encoding::Json].into_iter().find(|encoding| *encoding as u8 == number)
}
