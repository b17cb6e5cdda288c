//! The way in, whatever the protocol: room for the body, decompression, decoding, export, and what to say.

mod compression;
pub mod room;

pub use compression::Compression;
pub use room::{Buffer, Room};

use crate::{Diagnostics, ExportError, Exporter};
use bytes::Bytes;
use model::batch::Encoding;
use model::{Kind, Signal, TenantId, otlp};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Larger bodies are worked on by a thread that may take its time.
const INLINE_BYTES: usize = 64 << 10;
/// The same for compressed bodies: they may be much larger than they look.
const INLINE_COMPRESSED_BYTES: usize = 4 << 10;

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
    pub signal: Signal,
    pub encoding: Encoding,
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
    Denied,
    TooLarge,
    UnknownCompression,
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

    /// `Retry-After` has whole seconds: at least one, and never fewer than were asked for.
    fn later(reason: Reason, message: impl Into<String>, delay: Duration) -> Self {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        Self { retry_after: Some(Duration::from_secs(seconds.max(1))), ..Self::new(reason, message) }
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
    pool: Arc<Semaphore>,
    /// Large bodies are decoded here, whichever runtime the port is on: its threads may be held by questions.
    runtime: Handle,
}

/// A request's body and what is known of it.
pub struct Body {
    pub tenant: TenantId,
    /// `None` when the path does not say: told from the first key of its JSON then.
    pub signal: Option<Signal>,
    pub compression: Compression,
    /// `None` when the sender does not say: told from the first byte then.
    pub encoding: Option<Encoding>,
    pub bytes: Bytes,
    /// What `bytes` takes up; what they decompress to is added.
    pub room: Room,
}

impl Intake {
    /// `runtime` is the one whose threads are kept for intake.
    #[must_use]
    pub fn new(
        exporter: Arc<dyn Exporter>,
        limits: Limits,
        diagnostics: Diagnostics,
        runtime: Handle,
    ) -> Self {
        Self { exporter, limits, diagnostics, pool: room::pool(limits.in_flight_bytes), runtime }
    }

    /// Room for a request, empty as yet.
    #[must_use]
    pub fn room(&self) -> Room {
        Room::of(&self.pool)
    }

    /// Decompresses, decodes and exports.
    ///
    /// # Errors
    /// When nothing of it was kept.
    pub async fn take(&self, body: Body) -> Result<Taken, Refusal> {
        let limit = self.limits.request_bytes;
        let inline = match body.compression {
            Compression::Identity => INLINE_BYTES,
            _ => INLINE_COMPRESSED_BYTES,
        };
        // The room goes along, and stays taken even if the sender leaves meanwhile.
        let (batch, _room) = if body.bytes.len() > inline {
            let decoding = self.runtime.spawn_blocking(move || decode(body, limit));
            decoding.await.map_err(|_| Refusal::new(Reason::Internal, "decoding failed; this is a bug"))??
        } else {
            decode(body, limit)?
        };
        let taken = Taken {
            signal: batch.signal,
            encoding: batch.encoding,
            accepted: batch.accepted,
            rejected: batch.rejected.count,
            message: batch.rejected.reasons.join("; "),
        };
        if taken.accepted > 0 {
            self.exporter.export(batch).await?;
        }
        Ok(taken)
    }
}

/// The refusal of a body over the limit.
pub fn too_large(limit: usize) -> Refusal {
    let message = format!(
        "the request has more than {limit} bytes uncompressed; send smaller batches or raise limits.request-bytes"
    );
    Refusal::new(Reason::TooLarge, message)
}

fn decode(body: Body, limit: usize) -> Result<(model::Batch, Room), Refusal> {
    let mut room = body.room;
    let bytes = body.compression.decompress(body.bytes, limit, &mut room)?;
    let encoding = body.encoding.unwrap_or_else(|| sniff(&bytes));
    let signal = body.signal.or_else(|| signal_of_first_key(&bytes)).ok_or_else(|| {
        Refusal::new(Reason::UnknownPath, "the path is missing; send to /v1/traces, /v1/logs or /v1/metrics")
    })?;
    if let Some(name) = compressed(&bytes) {
        let message = format!("the body is compressed: say so with Content-Encoding: {name}");
        return Err(Refusal::new(Reason::Invalid, message));
    }
    let mislabelled = mislabelled(&bytes, encoding);
    otlp::decode(body.tenant, signal, encoding, bytes)
        .map(|batch| (batch, room))
        .map_err(|error| Refusal::new(Reason::Invalid, format!("{error}{mislabelled}")))
}

/// How bytes that should be plain are compressed. No request starts like this, but zstd's first bytes can pass for unknown
/// fields of protobuf, and the request for an empty one.
fn compressed(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        _ => None,
    }
}

/// What the body looks like instead of what its content type says.
fn mislabelled(bytes: &[u8], encoding: Encoding) -> &'static str {
    match (encoding, sniff(bytes), bytes.first()) {
        (Encoding::Protobuf, Encoding::Json, _) => {
            "; the body looks like JSON: say so with Content-Type: application/json"
        }
        // The first byte of a protobuf request.
        (Encoding::Json, Encoding::Protobuf, Some(0x0a)) => {
            "; the body looks like protobuf: say so with Content-Type: application/x-protobuf"
        }
        _ => "",
    }
}

/// A JSON request starts with a brace; no protobuf request does.
fn sniff(bytes: &[u8]) -> Encoding {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => Encoding::Json,
        _ => Encoding::Protobuf,
    }
}

/// The signal that the first key of a JSON request names.
fn signal_of_first_key(bytes: &[u8]) -> Option<Signal> {
    let inside = bytes.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"")?;
    let key = inside.split(|byte| *byte == b'"').next()?;
    match key {
        b"resourceSpans" | b"resource_spans" => Some(Signal::Traces),
        b"resourceLogs" | b"resource_logs" => Some(Signal::Logs),
        b"resourceMetrics" | b"resource_metrics" => Some(Signal::Metrics),
        _ => None,
    }
}
