//! The write-ahead log: raw requests in the order acknowledged, in segment files.
//!
//! ```text
//! segment   <first sequence, 20 digits>.log
//!           "CLEWLOG1"                         8 bytes
//!           record*
//! record    length of what follows the checksum   u32  little-endian, as all numbers
//!           CRC-32C of what follows               u32
//!           sequence                              u64  one more than the record before
//!           received, nanoseconds since 1970      u64
//!           signal  0 traces, 1 logs, 2 metrics   u8
//!           encoding  0 protobuf, 1 JSON          u8
//!           length of the tenant's name           u8
//!           tenant's name
//!           the request's uncompressed bytes
//! ```
//!
//! A record is there when its checksum holds. What follows the last good record of the last segment was never
//! acknowledged and is cut off. A bad record elsewhere is damage: it is named, and reading goes on at the next record that
//! checks.

mod reader;
mod record;
mod writer;

pub use reader::read_all;
pub use record::Record;
pub use writer::{LogWriter, sync_directory};

/// First bytes of a segment.
const MAGIC: &[u8; 8] = b"CLEWLOG1";
