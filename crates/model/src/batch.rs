//! What moves from the receivers to storage: the columns of one request, and the bytes that they were read from.

use crate::{Signal, TenantId};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;

/// How the bytes of a request are encoded. The numbers are written to the log; never change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    Protobuf = 0,
    Json = 1,
}

/// One export request, decoded.
#[derive(Debug, Clone)]
pub struct Batch {
    pub tenant: TenantId,
    pub signal: Signal,
    pub encoding: Encoding,
    /// The uncompressed request body, as the log keeps it: decoding it again gives `columns` again.
    pub wire: Bytes,
    /// Rows with the fixed columns of [`crate::schema`] and this request's attribute columns. At most 8,192 rows
    /// each, so that a request may give several; empty when nothing was accepted.
    pub columns: Vec<RecordBatch>,
    /// How many items (spans, log records, data points) were accepted: the rows of `columns`.
    pub accepted: u64,
    /// What was refused, in the order met; goes into `partial_success`.
    pub rejected: Rejected,
}

/// Items of a request that were refused, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejected {
    pub count: u64,
    /// The first few reasons: what, where, how to mend it.
    pub reasons: Vec<String>,
}
