//! Samplers as counts: what they keep of many traces.

use super::*;
use opentelemetry::trace::{SpanId, TraceFlags};
use std::time::Duration;

fn decide(sampling: &Sampling, parent: Option<&Context>, trace_id: TraceId) -> SamplingResult {
    let context = parent.cloned().unwrap_or_default();
    let above = context.span();
    let parent = Some(above.span_context()).filter(|parent| parent.is_valid());
    let asked = Asked { name: "root", kind: &SpanKind::Internal, attributes: &[], links: &[] };
    sampling.decide(&asked, trace_id, parent, &context)
}

fn keeps(sampling: &Sampling, parent: Option<&Context>, trace_id: TraceId) -> bool {
    decide(sampling, parent, trace_id).decision == SamplingDecision::RecordAndSample
}

/// Ids that are spread as random ones are, and the same in every run.
fn identifiers(many: u64) -> impl Iterator<Item = TraceId> {
    let mixed = |seed: u64| {
        let value = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    };
    (1..=many).map(move |count| {
        let seed = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        TraceId::from((u128::from(mixed(seed)) << 64) | u128::from(mixed(seed.wrapping_add(7))))
    })
}

fn parent(flags: TraceFlags, remote: bool) -> Context {
    let state = TraceState::default();
    Context::new().with_remote_span_context(SpanContext::new(
        TraceId::from(9_u128),
        SpanId::from(9_u64),
        flags,
        remote,
        state,
    ))
}

#[test]
fn shares_are_kept_within_one_in_a_hundred() {
    for sampling in [ratio(0.1), consistent(0.1), parent_based(ratio(0.1)), parent_based(consistent(0.1))] {
        let kept = identifiers(10_000).filter(|id| keeps(&sampling, None, *id)).count();
        assert!((900..=1_100).contains(&kept), "{sampling:?} kept {kept} of 10,000");
        assert_eq!(sampling.ratio, Some(0.1));
    }
    assert_eq!(identifiers(1_000).filter(|id| keeps(&always(), None, *id)).count(), 1_000);
    assert_eq!(identifiers(1_000).filter(|id| keeps(&never(), None, *id)).count(), 0);
}

#[test]
fn the_parent_decides_in_each_branch() {
    let id = TraceId::from(9_u128);
    let usual = parent_based(ratio(0.1));
    let turned = Sampling::from(
        parent_based_by(never())
            .remote_sampled(never())
            .remote_not_sampled(always())
            .local_sampled(never())
            .local_not_sampled(always()),
    );
    for (flags, remote, usually) in [
        (TraceFlags::SAMPLED, true, true),
        (TraceFlags::default(), true, false),
        (TraceFlags::SAMPLED, false, true),
        (TraceFlags::default(), false, false),
    ] {
        let parent = parent(flags, remote);
        assert_eq!(keeps(&usual, Some(&parent), id), usually, "{flags:?} {remote}");
        assert_eq!(keeps(&turned, Some(&parent), id), !usually, "{flags:?} {remote}");
    }
}

#[test]
fn a_rate_is_kept_over_ten_seconds_and_in_each_of_them() {
    let mut allowance = Allowance { left: 1.0, at: None };
    let start = Instant::now();
    let mut kept = Vec::new();
    for trace in 0..50_000_u64 {
        let now = start + Duration::from_micros(trace * 200);
        if allowance.take(100.0, now) {
            kept.push(trace / 5_000);
        }
    }
    assert!((950..=1_050).contains(&kept.len()), "{}", kept.len());
    for second in 1..10 {
        let many = kept.iter().filter(|at| **at == second).count();
        assert!((95..=101).contains(&many), "second {second}: {many}");
    }
}

#[test]
fn a_burst_is_no_larger_than_the_rate() {
    let start = Instant::now();
    let mut allowance = Allowance { left: 1.0, at: Some(start) };
    let burst = start + Duration::from_secs(30);
    assert_eq!((0..2_000).filter(|_| allowance.take(100.0, burst)).count(), 100);

    let sampling = rate_limited(100);
    let started = Instant::now();
    let kept = identifiers(2_000).filter(|id| keeps(&sampling, None, *id)).count();
    let earned = 100 * started.elapsed().as_millis() / 1_000;
    assert!(kept >= 1 && kept as u128 <= 2 + earned, "{kept}");
}

#[test]
fn the_threshold_travels() {
    for (share, state) in
        [(1.0, "th:0"), (0.5, "th:8"), (0.25, "th:c"), (0.1, "th:e666"), (0.001, "th:ffbe76")]
    {
        let last = TraceId::from(u128::MAX);
        let result = decide(&consistent(share), None, last);
        assert_eq!(result.trace_state.get("ot"), Some(state), "{share}");
    }
    let sent = TraceState::from_key_value([("ot", "th:0;rv:80000000000000"), ("other", "1")]).unwrap();
    let context =
        SpanContext::new(TraceId::from(9_u128), SpanId::from(9_u64), TraceFlags::SAMPLED, true, sent);
    let parent = Context::new().with_remote_span_context(context);
    // By its id it would not be kept; by the randomness that was sent it is.
    let result = decide(&consistent(0.5), Some(&parent), TraceId::from(1_u128));
    assert_eq!(result.decision, SamplingDecision::RecordAndSample);
    assert_eq!(result.trace_state.get("ot"), Some("th:8;rv:80000000000000"));
    assert_eq!(result.trace_state.get("other"), Some("1"));
}
