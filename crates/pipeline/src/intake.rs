//! The way in, whatever the protocol: room for the body, decompression, decoding, export, and what to say.

mod compression;

pub use compression::{Compression, too_large};

use crate::{Diagnostics, ExportError, Exporter};
use bytes::Bytes;
use model::batch::Encoding;
use model::{Kind, Signal, TenantId, otlp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Larger bodies are worked on by a thread that may take its time.
const INLINE_BYTES: usize = 64 << 10;

/// What a receiver bears.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most bytes of one request, compressed or not.
    pub request_bytes: usize,
    /// The most bytes of all requests being worked on; more are told to come back.
    pub in_flight_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request_bytes: 64 << 20, in_flight_bytes: 256 << 20 }
    }
}

/// A request that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub accepted: u64,
    pub rejected: u64,
    /// Why items were refused.
    pub message: String,
}

/// A request that was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    pub message: String,
    pub retry_after: Option<Duration>,
}

/// What a refusal is called in HTTP and gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Invalid,
    TooLarge,
    UnknownPath,
    WrongMethod,
    WrongType,
    Busy,
    Unavailable,
    TimedOut,
    Internal,
}

impl Refusal {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry_after: None }
    }

    fn later(reason: Reason, message: impl Into<String>, delay: Duration) -> Self {
        Self { retry_after: Some(delay.max(Duration::from_secs(1))), ..Self::new(reason, message) }
    }
}

impl From<ExportError> for Refusal {
    fn from(error: ExportError) -> Self {
        match error.kind {
            Kind::Busy => Self::later(Reason::Busy, error.message, error.retry_after),
            Kind::Unavailable => Self::later(Reason::Unavailable, error.message, error.retry_after),
            _ => Self::new(Reason::Internal, error.message),
        }
    }
}

/// What all receivers share.
pub struct Intake {
    exporter: Arc<dyn Exporter>,
    pub limits: Limits,
    pub diagnostics: Diagnostics,
    room: Arc<Semaphore>,
}

/// Room for a body, given back when dropped.
pub struct Room(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// A request's body and what is known of it.
pub struct Body {
    pub tenant: TenantId,
    pub signal: Signal,
    pub compression: Compression,
    /// `None` when the sender does not say: told from the first byte then.
    pub encoding: Option<Encoding>,
    pub bytes: Bytes,
}

impl Intake {
    #[must_use]
    pub fn new(exporter: Arc<dyn Exporter>, limits: Limits, diagnostics: Diagnostics) -> Self {
        let room = Arc::new(Semaphore::new(kibibytes(limits.in_flight_bytes)));
        Self { exporter, limits, diagnostics, room }
    }

    /// Room for this many bytes.
    ///
    /// # Errors
    /// When too much is being worked on.
    pub fn reserve(&self, bytes: usize) -> Result<Room, Refusal> {
        let wanted = u32::try_from(kibibytes(bytes)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.room).try_acquire_many_owned(wanted);
        permit.map(Room).map_err(|_| {
            let message =
                "too many bytes are being worked on at once; send smaller batches or fewer at a time";
            Refusal::later(Reason::Busy, message, Duration::from_secs(1))
        })
    }

    /// Decompresses, decodes and exports.
    ///
    /// # Errors
    /// When nothing of it was kept.
    pub async fn take(&self, body: Body) -> Result<Taken, Refusal> {
        let limit = self.limits.request_bytes;
        // Decompressed data takes room of its own; how much is known only afterwards, so a likely part is reserved before.
        let likely = if body.compression == Compression::Identity {
            0
        } else {
            body.bytes.len().saturating_mul(4).min(limit)
        };
        let _room = self.reserve(likely)?;
        let batch = if body.bytes.len() > INLINE_BYTES || likely > INLINE_BYTES {
            let decoding = tokio::task::spawn_blocking(move || decode(body, limit));
            decoding.await.map_err(|_| Refusal::new(Reason::Internal, "decoding failed"))??
        } else {
            decode(body, limit)?
        };
        let (accepted, rejected) = (batch.accepted, batch.rejected.clone());
        if accepted > 0 {
            self.exporter.export(batch).await?;
        }
        Ok(Taken { accepted, rejected: rejected.count, message: rejected.reasons.join("; ") })
    }
}

const fn kibibytes(bytes: usize) -> usize {
    bytes.div_ceil(1_024)
}

fn decode(body: Body, limit: usize) -> Result<model::Batch, Refusal> {
    let bytes = body.compression.decompress(body.bytes, limit)?;
    let encoding = body.encoding.unwrap_or_else(|| sniff(&bytes));
    otlp::decode(body.tenant, body.signal, encoding, bytes)
        .map_err(|error| Refusal::new(Reason::Invalid, error.to_string()))
}

/// A JSON request starts with a brace; no protobuf request does.
fn sniff(bytes: &[u8]) -> Encoding {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => Encoding::Json,
        _ => Encoding::Protobuf,
    }
}
