//! Tells what a segment holds, for people and programs that look into it.

use super::reader::scan;
use super::writer::salt_of;
use crate::error::Error;
use bytes::Bytes;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A segment of the log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentReport {
    pub path: PathBuf,
    pub bytes: u64,
    pub records: Vec<RecordReport>,
    /// Bytes, from and to, that are no record although records follow.
    pub damage: Vec<(usize, usize)>,
    /// Bytes at the end that are no record: an append that a crash interrupted, or damage.
    pub torn_bytes: usize,
}

/// A request in the log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordReport {
    pub sequence: u64,
    pub tenant: String,
    pub signal: String,
    pub encoding: String,
    /// Nanoseconds since the epoch.
    pub received: u64,
    /// Of the request's body.
    pub bytes: u64,
}

/// Reads a segment and changes nothing.
pub(crate) fn read_segment_report(path: &Path) -> Result<SegmentReport, Error> {
    let salt = salt_of(path).ok_or_else(|| Error::Damaged {
        what: path.display().to_string(),
        detail: "a segment's name is its first sequence number and its salt, NUMBER-SALT.log".to_owned(),
    })?;
    let content = Bytes::from(std::fs::read(path).map_err(Error::io("reading", path))?);
    let found = scan(&content, salt);
    let record = |(sequence, record): &(u64, super::Record)| RecordReport {
        sequence: *sequence,
        tenant: record.tenant.as_str().to_owned(),
        signal: record.signal.as_str().to_owned(),
        encoding: format!("{:?}", record.encoding).to_lowercase(),
        received: record.received.0,
        bytes: record.payload.len() as u64,
    };
    Ok(SegmentReport {
        path: path.to_owned(),
        bytes: content.len() as u64,
        records: found.records.iter().map(record).collect(),
        damage: found.damage.iter().map(|damage| (damage.start, damage.end)).collect(),
        torn_bytes: content.len() - found.end,
    })
}
