//! What is wrong with traces themselves, over many of them: chains that broke, roots that should have had a parent,
//! parents that never came, clocks that differ.

use crate::request::Deadline;
use crate::result::Operation;
use model::{SpanId, TimeRange, Timestamp, TraceId};

/// What is wrong with a span's place in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingKind {
    /// A message was received without the context of its sender.
    BrokenChain,
    /// A root, where spans like it have a parent.
    SuspiciousRoot,
    /// Its parent never came.
    Orphan,
    /// It starts before its parent, which another service sent.
    ClockSkew,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::BrokenChain, Self::SuspiciousRoot, Self::Orphan, Self::ClockSkew];

    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BrokenChain => "brokenChain",
            Self::SuspiciousRoot => "suspiciousRoot",
            Self::Orphan => "orphan",
            Self::ClockSkew => "clockSkew",
        }
    }

    /// What mends it, in a sentence.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::BrokenChain => {
                "Write the context (traceparent) into the message's headers where it is sent, keep them on the way, and \
                 extract them where it is received."
            }
            Self::SuspiciousRoot => {
                "Start the span in its caller's context: extract that from the request's headers, and hand it on to \
                 threads, tasks and callbacks."
            }
            Self::Orphan => {
                "Let every service on the way export to this server, with a sampler that follows its parent's decision, \
                 and flush what is left before it ends."
            }
            Self::ClockSkew => {
                "Synchronise the clocks of both hosts; until then, times between these services are off by as much."
            }
        }
    }
}

/// What is wrong with the traces whose spans start within `range`?
#[derive(Debug, Clone, PartialEq)]
pub struct FindingsRequest {
    /// Only this kind; the totals are of all.
    pub kind: Option<FindingKind>,
    /// Only findings at spans of this service.
    pub service: Option<String>,
    /// When spans must have started.
    pub range: TimeRange,
    /// In traces of which a span ended later than this, parents may still come.
    pub settled: Timestamp,
    /// The most groups to return.
    pub limit: usize,
    /// How long it may take.
    pub deadline: Deadline,
}

/// Findings, by kind and operation; those of the most spans first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FindingsResult {
    /// The groups.
    pub groups: Vec<FindingGroup>,
    /// How many findings of each kind there are, in the order of [`FindingKind::ALL`].
    pub totals: [u64; FindingKind::ALL.len()],
    /// How many spans were looked at.
    pub spans: u64,
    /// Whether these are all.
    pub complete: bool,
    /// Why findings may be missing.
    pub incomplete: Option<String>,
}

/// Findings of one kind at spans of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingGroup {
    /// What is wrong.
    pub kind: FindingKind,
    /// Empty where the resource names none.
    pub service: String,
    /// The name of the spans, and their kind.
    pub operation: Operation,
    /// How many spans of the operation have it ...
    pub spans: u64,
    /// ... of so many that were looked at.
    pub of: u64,
    /// When the first of them started ...
    pub first: Timestamp,
    /// ... and the last.
    pub last: Timestamp,
    /// The newest of them.
    pub examples: Vec<FindingExample>,
}

/// One span with which something is wrong.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FindingExample {
    /// Its trace.
    pub trace_id: TraceId,
    /// Which span.
    pub span_id: SpanId,
    /// When it started.
    pub start: Timestamp,
    /// Why it is listed, in a sentence.
    pub why: String,
}
