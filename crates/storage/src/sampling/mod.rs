//! Tail sampling: traces are decided on when hot batches are sealed, and the rows of those that are not kept do not get
//! into the block. Until then every span is on disk and visible; nothing is held back.
//!
//! A trace is kept for its id, or for one of its rows that was seen by then, be it among those that are sealed or among
//! those that came later. It stays kept: what is in blocks for a row's sake is remembered, and what was forgotten,
//! because the program was started again or because there was too much of it, is looked up in the blocks.

mod decision;
mod memory;

pub(crate) use decision::Decision;

use crate::Store;
use crate::snapshot::HotBatch;
use arrow::array::BooleanArray;
use arrow::record_batch::RecordBatch;
use memory::Memory;
use model::{TenantId, Timestamp, TraceId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Says of each row of spans whether its trace is kept for its sake.
pub type Keeps = Arc<dyn Fn(&RecordBatch) -> BooleanArray + Send + Sync>;

/// How many bits of a trace id are random: <https://www.w3.org/TR/trace-context-2/#randomness-of-trace-id>.
const RANDOM_BITS: u32 = 56;
/// That traces are decided on early is told in the program's log, and again when that had not happened for so long.
const BURST: Duration = Duration::from_secs(60);

/// Which traces are kept when they are sealed into blocks.
#[derive(Clone)]
pub struct Sampling {
    /// How long a trace has for its spans, from when its first one was received, before it is decided on.
    pub wait: Duration,
    /// Which share of the traces is kept whatever is in them, from 0 to 1. Their ids decide, as in OpenTelemetry's
    /// consistent probability sampling: <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>.
    pub rest: f64,
    /// Which spans their traces are kept for.
    pub keeps: Keeps,
}

impl fmt::Debug for Sampling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wait, rest, .. } = self;
        formatter.debug_struct("Sampling").field("wait", wait).field("rest", rest).finish_non_exhaustive()
    }
}

/// What sampling did with a tenant's traces since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Traces that were decided on, each once, for as long as it is remembered.
    pub kept_traces: u64,
    pub dropped_traces: u64,
    /// A span that was sent twice counts twice.
    pub kept_spans: u64,
    pub dropped_spans: u64,
    /// Of the traces, those that were decided on before they had their time, for want of room or for a deletion.
    pub early_traces: u64,
    /// Dropped traces of which a span came afterwards for whose sake they are kept: they are kept from there on.
    pub late_traces: u64,
}

/// What is done with traces that have not had their time yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unripe {
    /// They stay hot.
    Left,
    /// They are decided on as they are.
    Decided,
    /// They are kept, so that nothing is lost that could still be worth keeping.
    Kept,
}

/// As of when something is sealed, and how much of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) unripe: Unripe,
}

impl Moment {
    /// The present, by the store's clock.
    pub(crate) fn now(store: &Store, unripe: Unripe) -> Self {
        Self { now: store.clock.now(), unripe }
    }
}

/// The policy with what it remembers.
pub(crate) struct Sampler {
    sampling: Sampling,
    /// Traces are kept for ids whose random part is at least this.
    threshold: u64,
    /// A trace has its time from here on at the earliest: what a restart held up is still on its way.
    opened: Timestamp,
    state: Mutex<State>,
}

struct State {
    memory: Memory,
    sampled: HashMap<TenantId, Sampled>,
    early: Option<Instant>,
}

impl Sampler {
    /// For a store whose newest block has this id.
    pub(crate) fn new(sampling: Sampling, newest_block: i64, now: Timestamp) -> Self {
        let threshold = threshold(sampling.rest);
        let state = State { memory: Memory::new(newest_block), sampled: HashMap::new(), early: None };
        Self { sampling, threshold, opened: now, state: Mutex::new(state) }
    }

    /// Whether the traces that began in this batch have had their time.
    pub(crate) fn is_ripe(&self, batch: &HotBatch, now: Timestamp) -> bool {
        let wait = u64::try_from(self.sampling.wait.as_nanos()).unwrap_or(u64::MAX);
        now.0.checked_sub(wait).is_some_and(|limit| batch.youngest.max(self.opened).0 <= limit)
    }

    /// How old batches may become before those that have had their time are sealed: the usual age from then on, so that
    /// there is not a block for each request, but no longer than the wait itself.
    pub(crate) fn seal_age(&self, usual: Duration) -> Duration {
        let wait = self.sampling.wait;
        wait.saturating_add(usual.min(wait))
    }

    /// Whether a trace is kept whatever is in it.
    fn is_lucky(&self, trace: TraceId) -> bool {
        let random = u128::from_be_bytes(trace.0) & ((1 << RANDOM_BITS) - 1);
        random >= u128::from(self.threshold)
    }

    /// Remembers what was decided and is now in this block, if anything is.
    pub(crate) fn note(&self, tenant: &TenantId, decision: &Decision, block: Option<i64>) {
        let mut state = self.lock();
        for (trace, is_kept) in decision.remembered() {
            state.memory.note(tenant, trace, is_kept, block);
        }
        let told = decision.sampled;
        let total = state.sampled.entry(tenant.clone()).or_default();
        total.kept_traces += told.kept_traces;
        total.dropped_traces += told.dropped_traces;
        total.kept_spans += told.kept_spans;
        total.dropped_spans += told.dropped_spans;
        total.early_traces += told.early_traces;
        total.late_traces += told.late_traces;
    }

    /// Keeps a trace whatever is in it, until it is forgotten.
    pub(crate) fn keep(&self, tenant: &TenantId, trace: TraceId) {
        self.lock().memory.note(tenant, trace, true, None);
    }

    /// Decides anew on a trace when more of it comes.
    pub(crate) fn forget(&self, tenant: &TenantId, trace: TraceId) {
        self.lock().memory.forget(tenant, trace);
    }

    pub(crate) fn sampled(&self, tenant: &TenantId) -> Sampled {
        self.lock().sampled.get(tenant).copied().unwrap_or_default()
    }

    /// Tells that traces are decided on early, unless that was told of this burst.
    pub(crate) fn tell_early(&self) {
        let before = self.lock().early.replace(Instant::now());
        if before.is_none_or(|before| before.elapsed() > BURST) {
            let wait = self.sampling.wait;
            tracing::warn!(
                ?wait,
                "the hot buffer is half full: traces are decided on before they had their time; a larger storage.hot-limit or a shorter sampling.wait mends that"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "from 0 to 2^56; a share has fewer digits than a double"
)]
fn threshold(rest: f64) -> u64 {
    ((1.0 - rest.clamp(0.0, 1.0)) * (1u64 << RANDOM_BITS) as f64).round() as u64
}
