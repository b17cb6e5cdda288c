//! What receivers met lately, for the page and `clew doctor`: the last events, and how much was taken in.

use model::Timestamp;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Stored,
    /// Nothing of it was kept.
    Rejected,
    /// It was kept, but the sender should change something.
    Hint,
}

/// One request, or one burst of like requests, that a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverEvent {
    /// Counts up from 1.
    pub number: u64,
    pub time: Timestamp,
    /// `OTLP/gRPC` or `OTLP/HTTP`.
    pub receiver: &'static str,
    pub outcome: Outcome,
    /// `POST /v1/trace → 404`. Holds text from outside: bounded in length, control characters removed.
    pub summary: String,
    /// How to mend it; empty when there is nothing to mend.
    pub hint: String,
    /// Items stored.
    pub items: u64,
}

/// The last events. Cheap to share: clones see the same events.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {}
