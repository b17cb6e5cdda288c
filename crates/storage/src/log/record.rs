//! One record of the log: a request as it came, to bytes and back.

use bytes::Bytes;
use model::batch::Encoding;
use model::{Signal, TenantId, Timestamp};

/// Length and checksum.
pub const PREFIX: usize = 8;
/// Sequence, time, signal, encoding, length of the tenant's name.
const FIXED: usize = 8 + 8 + 3;

/// An acknowledged request.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub sequence: u64,
    pub received: Timestamp,
    pub tenant: TenantId,
    pub signal: Signal,
    pub encoding: Encoding,
    pub wire: Bytes,
}

impl Record {
    /// Appends the record's bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; PREFIX]);
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.received.0.to_le_bytes());
        let tenant = self.tenant.as_str().as_bytes();
        let tenant_length = u8::try_from(tenant.len()).expect("a tenant's name has at most 64 bytes");
        out.extend_from_slice(&[self.signal as u8, self.encoding as u8, tenant_length]);
        out.extend_from_slice(tenant);
        out.extend_from_slice(&self.wire);
        let body = &out[start + PREFIX..];
        let (length, checksum) = (u32::try_from(body.len()), crc32c::crc32c(body));
        let length = length.expect("a request is far smaller than 4 GiB");
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        out[start + 4..start + PREFIX].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads the record at `at`, and where it ends. `None` when it is torn or damaged.
    pub fn read(segment: &Bytes, at: usize) -> Option<(Self, usize)> {
        let number = |at: usize| Some(u32::from_le_bytes(segment.get(at..at + 4)?.try_into().ok()?));
        let length = usize::try_from(number(at)?).ok()?;
        let (start, end) = (at + PREFIX, at.checked_add(PREFIX)?.checked_add(length)?);
        let body = segment.get(start..end)?;
        if length < FIXED || crc32c::crc32c(body) != number(at + 4)? {
            return None;
        }
        let long = |at: usize| Some(u64::from_le_bytes(body.get(at..at + 8)?.try_into().ok()?));
        let tenant_end = FIXED + usize::from(body[18]);
        let tenant = TenantId::new(std::str::from_utf8(body.get(FIXED..tenant_end)?).ok()?)?;
        let record = Self {
            sequence: long(0)?,
            received: Timestamp(long(8)?),
            tenant,
            signal: *Signal::ALL.get(usize::from(body[16]))?,
            encoding: if body[17] == 0 { Encoding::Protobuf } else { Encoding::Json },
            wire: segment.slice(start + tenant_end..end),
        };
        Some((record, end))
    }
}
