//! Which traces are recorded.

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{ParentBasedSampler, Sampler, SamplingDecision, SamplingResult, ShouldSample};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Which traces are recorded, and, where that can be said, the share that it aims at.
#[derive(Debug, Clone)]
pub struct Sampling {
    sampler: Box<dyn ShouldSample>,
    pub(crate) ratio: Option<f64>,
    /// Whether what has a parent is sampled as that was; the sampler is then asked for roots alone.
    pub(crate) parent_decides: bool,
}

/// A span that someone wants to start, as samplers see it.
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: &'a SpanKind,
    pub(crate) attributes: &'a [KeyValue],
    pub(crate) links: &'a [Link],
}

impl Sampling {
    /// What becomes of a span below a context; the parent is the one that the context has, if it is valid.
    pub(crate) fn decide(
        &self,
        asked: &Asked<'_>,
        trace_id: TraceId,
        parent: Option<&SpanContext>,
        context: &Context,
    ) -> SamplingResult {
        match parent {
            Some(parent) if self.parent_decides => result(parent.is_sampled(), parent.trace_state().clone()),
            _ => {
                let Asked { name, kind, attributes, links } = asked;
                self.sampler.should_sample(Some(context), trace_id, name, kind, attributes, links)
            }
        }
    }

    /// The same as a sampler that is asked for all spans.
    fn whole(self) -> Box<dyn ShouldSample> {
        if self.parent_decides { Box::new(ParentBasedSampler::new(self.sampler)) } else { self.sampler }
    }
}

/// All.
#[must_use]
pub fn always() -> Sampling {
    Sampling { sampler: Box::new(Sampler::AlwaysOn), ratio: Some(1.0), parent_decides: false }
}

/// None.
#[must_use]
pub fn never() -> Sampling {
    Sampling { sampler: Box::new(Sampler::AlwaysOff), ratio: Some(0.0), parent_decides: false }
}

/// This share of traces, chosen by their ids: each program that is told the same share chooses the same ones.
#[must_use]
pub fn ratio(share: f64) -> Sampling {
    let share = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
    Sampling {
        sampler: Box::new(Sampler::TraceIdRatioBased(share)),
        ratio: Some(share),
        parent_decides: false,
    }
}

/// This share of traces, by the last 56 bits of their ids as W3C and OpenTelemetry have it. The threshold travels in
/// `tracestate` (`ot=th:…`), so that whoever counts spans knows how many each stands for.
#[must_use]
pub fn consistent(share: f64) -> Sampling {
    let share = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
    Sampling {
        sampler: Box::new(Consistent { threshold: threshold(share) }),
        ratio: Some(share),
        parent_decides: false,
    }
}

/// At most so many new traces a second; after a quiet second, so many at once.
#[must_use]
pub fn rate_limited(traces_per_second: u32) -> Sampling {
    // The first trace of a program is kept; the rest of the allowance is earned, or ten seconds would have eleven's worth.
    let allowance = Allowance { left: 1.0, at: None };
    let sampler =
        RateLimited { per_second: traces_per_second.into(), allowance: Arc::new(Mutex::new(allowance)) };
    Sampling { sampler: Box::new(sampler), ratio: None, parent_decides: false }
}

/// What the parent decided; the root's sampler where there is no parent. See [`parent_based_by`] for what else each kind of
/// parent may mean.
#[must_use]
pub fn parent_based(root: impl Into<Sampling>) -> Sampling {
    let root = root.into();
    Sampling { parent_decides: true, ..root }
}

/// What each kind of parent means; see [`parent_based_by`].
#[derive(Debug, Clone)]
#[must_use = "it decides once it is given to a builder"]
pub struct ParentBased {
    sampler: ParentBasedSampler,
    ratio: Option<f64>,
}

/// As [`parent_based`], for those who decide each branch.
pub fn parent_based_by(root: impl Into<Sampling>) -> ParentBased {
    let root = root.into();
    ParentBased { ratio: root.ratio, sampler: ParentBasedSampler::new(root.whole()) }
}

impl ParentBased {
    /// Below a sampled span of another process; always, unless told otherwise.
    pub fn remote_sampled(mut self, sampling: impl Into<Sampling>) -> Self {
        self.sampler = self.sampler.with_remote_parent_sampled(sampling.into().whole());
        self
    }

    /// Below a span of another process that is not sampled; never, unless told otherwise.
    pub fn remote_not_sampled(mut self, sampling: impl Into<Sampling>) -> Self {
        self.sampler = self.sampler.with_remote_parent_not_sampled(sampling.into().whole());
        self
    }

    /// Below a sampled span of this process; always, unless told otherwise.
    pub fn local_sampled(mut self, sampling: impl Into<Sampling>) -> Self {
        self.sampler = self.sampler.with_local_parent_sampled(sampling.into().whole());
        self
    }

    /// Below a span of this process that is not sampled; never, unless told otherwise.
    pub fn local_not_sampled(mut self, sampling: impl Into<Sampling>) -> Self {
        self.sampler = self.sampler.with_local_parent_not_sampled(sampling.into().whole());
        self
    }
}

impl From<ParentBased> for Sampling {
    fn from(branches: ParentBased) -> Self {
        Self { sampler: Box::new(branches.sampler), ratio: branches.ratio, parent_decides: false }
    }
}

impl From<Sampler> for Sampling {
    fn from(sampler: Sampler) -> Self {
        let ratio = match &sampler {
            Sampler::AlwaysOn => Some(1.0),
            Sampler::AlwaysOff => Some(0.0),
            Sampler::TraceIdRatioBased(share) => Some(*share),
            _ => None,
        };
        Self { sampler: Box::new(sampler), ratio, parent_decides: false }
    }
}

impl From<ParentBasedSampler> for Sampling {
    fn from(sampler: ParentBasedSampler) -> Self {
        Self { sampler: Box::new(sampler), ratio: None, parent_decides: false }
    }
}

impl From<Box<dyn ShouldSample>> for Sampling {
    fn from(sampler: Box<dyn ShouldSample>) -> Self {
        Self { sampler, ratio: None, parent_decides: false }
    }
}

/// One of a trace's ids, as a number below 2^56: its randomness.
const RANDOM: u64 = (1 << 56) - 1;

/// Ids below it are not sampled. Four digits beyond the leading `f`s are as exact as a share is meant.
fn threshold(share: f64) -> u64 {
    let rejected = (1.0 - share) * 72_057_594_037_927_936.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^56")]
    let exact = rejected.round() as u64;
    let leading = (exact << 8).leading_ones() / 4;
    let dropped = 4 * 14_u32.saturating_sub(leading + 4);
    (exact >> dropped) << dropped
}

#[derive(Debug, Clone)]
struct Consistent {
    threshold: u64,
}

impl Consistent {
    /// The list's members of `ot`, with this threshold and no other.
    fn state(&self, parent: TraceState) -> TraceState {
        let digits = format!("{:014x}", self.threshold);
        let short = digits.trim_end_matches('0');
        let threshold = format!("th:{}", if short.is_empty() { "0" } else { short });
        let others = parent.get("ot").unwrap_or_default().to_owned();
        let others = others.split(';').filter(|member| !member.is_empty() && !member.starts_with("th:"));
        let value: Vec<_> = std::iter::once(threshold.as_str()).chain(others).collect();
        parent.insert("ot", value.join(";")).unwrap_or(parent)
    }
}

impl ShouldSample for Consistent {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        _name: &str,
        _kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let parent = parent_state(parent);
        let [.., a, b, c, d, e, f, g] = trace_id.to_bytes();
        // The randomness that the trace's first program sent along goes before the id's.
        let sent =
            parent.get("ot").and_then(|list| list.split(';').find_map(|member| member.strip_prefix("rv:")));
        let sent = sent.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let random = sent.unwrap_or(u64::from_be_bytes([0, a, b, c, d, e, f, g])) & RANDOM;
        let keep = self.threshold <= random;
        let trace_state = if keep { self.state(parent) } else { parent };
        result(keep, trace_state)
    }
}

fn parent_state(parent: Option<&Context>) -> TraceState {
    parent.map(|parent| parent.span().span_context().trace_state().clone()).unwrap_or_default()
}

fn result(keep: bool, trace_state: TraceState) -> SamplingResult {
    let decision = if keep { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
    SamplingResult { decision, attributes: Vec::new(), trace_state }
}

#[derive(Debug)]
struct Allowance {
    left: f64,
    at: Option<Instant>,
}

impl Allowance {
    /// Takes one if there is one, at this moment.
    fn take(&mut self, per_second: f64, now: Instant) -> bool {
        let passed = self.at.map(|at| now.saturating_duration_since(at).as_secs_f64()).unwrap_or_default();
        self.at = Some(now);
        self.left = (self.left + passed * per_second).min(per_second.max(1.0));
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[derive(Debug, Clone)]
struct RateLimited {
    per_second: f64,
    allowance: Arc<Mutex<Allowance>>,
}

impl ShouldSample for RateLimited {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _trace_id: TraceId,
        _name: &str,
        _kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        result(allowance.take(self.per_second, Instant::now()), parent_state(parent))
    }
}

#[cfg(test)]
mod tests;
