//! The log: what was accepted, as it came, on disk before anyone is told so.
//!
//! A directory of *segments*, each at most about 64 MiB (or one record). A segment's name is the sequence number of
//! its first record and its *salt*, `00000000000000000042-9f3c51d2a7e80b46.log`; a salt is drawn anew for each segment
//! and goes into every checksum, so that bytes which a client sends can never pass for a record.
//!
//! ```text
//! segment = "CLEWLOG" version:u8 record*                     version is 1; all numbers are little-endian
//! record  = "CLWR" length:u32 checksum:u32 rest              length of rest; CRC-32C of salt and rest
//! rest    = sequence:u64 received:u64 signal:u8 encoding:u8 tenant_length:u8 tenant payload
//! ```
//!
//! The payload is the uncompressed request body. Sequence numbers only grow; some may be missing, because a group
//! that could not be written leaves a gap.
//!
//! **What a crash leaves behind.** A record that does not check, with none after it that does, is what a crash left of
//! an append that nobody was told of: the last segment is cut there. When records follow it, the disk has lost
//! something that was acknowledged: it is named in a warning, and the records after it are kept. No segment is
//! appended to after a restart.

mod reader;
mod record;
mod report;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use record::Record;
pub(crate) use report::read_segment_report;
pub use report::{RecordReport, SegmentReport};
pub(crate) use writer::Log;
