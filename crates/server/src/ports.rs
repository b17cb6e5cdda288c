//! What the server needs from outside, given by `app`.

use async_trait::async_trait;
use model::{Kind, TenantId, Timestamp, TraceId};
use query::Engine;
use std::sync::Arc;

/// Everything that the server needs.
#[derive(Clone)]
pub struct Ports {
    pub engine: Arc<dyn Engine>,
    pub application: Arc<dyn ApplicationStatus>,
    pub deletion: Arc<dyn Deletion>,
}

/// Forgets what is stored, for good.
#[async_trait]
pub trait Deletion: Send + Sync {
    /// Deletes a trace; when this returns, no file has it.
    ///
    /// # Errors
    /// Of this kind and for this reason.
    async fn delete_trace(&self, tenant: &TenantId, trace: TraceId) -> Result<Deleted, (Kind, String)>;

    /// Deletes everything of a tenant, likewise.
    ///
    /// # Errors
    /// Likewise.
    async fn delete_everything(&self, tenant: &TenantId) -> Result<Deleted, (Kind, String)>;
}

/// How much was deleted.
#[derive(Debug, Clone, Copy)]
pub struct Deleted {
    pub spans: u64,
    pub log_records: u64,
    pub metric_points: u64,
}

/// What the running program says of itself.
#[async_trait]
pub trait ApplicationStatus: Send + Sync {
    fn version(&self) -> &'static str;
    fn started(&self) -> Timestamp;
    fn retention(&self) -> Retention;
    /// `None` when every trace is kept.
    fn sampling(&self) -> Option<Sampling>;
    fn receivers(&self) -> Vec<Receiver>;
    fn health(&self) -> Health;
    /// What is wrong with what is stored or where it is stored, the worst first.
    fn problems(&self) -> Vec<Problem>;
    /// The last receiver events with a number above `after`, oldest first; at most 200.
    fn receiver_events(&self, after: u64) -> Vec<ReceiverEvent>;
    /// Waits until there is a receiver event with a number above `after`.
    async fn receiver_event_after(&self, after: u64);
    /// Stores a sample run, so that a newcomer has something to look at.
    ///
    /// # Errors
    /// Says why it could not be stored.
    async fn send_sample(&self) -> Result<TraceId, String>;
}

/// How long and how much is kept, as configured.
#[derive(Debug, Clone)]
pub struct Retention {
    /// `7d`.
    pub max_age: String,
    pub max_bytes: u64,
}

/// Which traces are kept, as configured.
#[derive(Debug, Clone)]
pub struct Sampling {
    /// The share of the traces that is kept whatever is in them, from 0 to 1.
    pub rest: f64,
    /// The filter for whose sake traces are kept; empty for none.
    pub keep: String,
    /// How long a trace has before it is decided on: `30s`.
    pub wait: String,
}

/// A port that takes telemetry in.
#[derive(Debug, Clone)]
pub struct Receiver {
    pub name: &'static str,
    pub address: String,
    pub accepting: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Ok,
    BackPressure,
    Rejecting,
}

/// Something that is wrong with what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which kind, in one word: `diskFull`, `damagedBlocks` and so on; `docs/api.md` lists them.
    pub kind: &'static str,
    pub severity: Severity,
    /// What is wrong, and how to fix it.
    pub message: String,
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is missing.
    Notice,
    /// Answers may lack something, or something is not done yet.
    Degraded,
    /// Telemetry is refused.
    Failing,
}

impl Severity {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        }
    }
}

/// What a receiver answered to a request; texts may come from outside.
#[derive(Debug, Clone)]
pub struct ReceiverEvent {
    pub number: u64,
    pub time: Timestamp,
    pub receiver: &'static str,
    /// `stored`, `rejected` or `hint`.
    pub outcome: &'static str,
    pub summary: String,
    pub hint: String,
    pub items: u64,
}
