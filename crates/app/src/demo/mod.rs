//! A made-up run of several agents: a customer's broken order is replaced. Everything that agents do is in it, and
//! everything that goes wrong now and then. The same seed gives the same run.

mod conversation;
mod logistics;
mod metrics;
mod model_call;
mod random;
mod recorder;
mod story;
mod support;

use model::{LogRecord, MetricPoint, Span, Timestamp, TraceId};
pub use random::Random;

/// One run, in the three signals.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub trace_id: TraceId,
    pub spans: Vec<Span>,
    pub logs: Vec<LogRecord>,
    pub metrics: Vec<MetricPoint>,
}

/// The run of this seed, ending at `end`.
pub fn generate(seed: u64, end: Timestamp) -> Run {
    story::tell(seed, end)
}

#[cfg(test)]
pub mod tests;
