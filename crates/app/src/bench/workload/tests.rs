//! What holds for the load, whatever its seed.

use super::{Request, Stream, Workload};
use crate::demo::tests::Keys;
use model::batch::Encoding;
use model::{Signal, Span, SpanId, TenantId, Timestamp, TraceId, otlp};
use semconv::NodeKind;
use std::collections::{HashMap, HashSet};

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);
const USUAL: Workload = Workload { seed: 1, run: 7, content: 0.1 };

fn requests(workload: Workload, spans: u64) -> Vec<Request> {
    let mut stream = Stream::new(workload, 0, spans);
    std::iter::from_fn(|| stream.request(512, NOW)).collect()
}

fn spans(workload: Workload, count: u64) -> Vec<Span> {
    let mut stream = Stream::new(workload, 0, count);
    stream.spans(usize::try_from(count).unwrap(), NOW)
}

fn traces(spans: &[Span]) -> HashMap<TraceId, Vec<&Span>> {
    let mut traces: HashMap<TraceId, Vec<&Span>> = HashMap::new();
    spans.iter().for_each(|span| traces.entry(span.trace_id).or_default().push(span));
    traces
}

fn says<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    span.attributes.iter().find(|attribute| attribute.key == key)?.value.as_str()
}

#[test]
fn the_seed_decides_the_work_and_the_run_only_the_ids() {
    let names = |workload| spans(workload, 500).into_iter().map(|span| span.name).collect::<Vec<_>>();
    let ids = |workload| spans(workload, 500).iter().map(|span| span.span_id).collect::<Vec<SpanId>>();
    assert_eq!(spans(USUAL, 500), spans(USUAL, 500));
    assert_ne!(names(USUAL), names(Workload { seed: 2, ..USUAL }));
    let again = Workload { run: 8, ..USUAL };
    assert_eq!(names(USUAL), names(again));
    assert!(ids(USUAL).iter().all(|id| !ids(again).contains(id)));
    let part = |part| Stream::new(USUAL, part, 500).spans(500, NOW);
    assert_ne!(part(0), part(1));
}

#[test]
fn requests_have_exactly_the_spans_asked_for_and_the_decoder_takes_them() {
    for count in [1, 7, 8, 61, 512, 2_000] {
        let sent = requests(USUAL, count);
        assert_eq!(sent.iter().map(|request| request.spans).sum::<u64>(), count);
        for request in sent {
            let batch =
                otlp::decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, request.wire).unwrap();
            assert_eq!((batch.accepted, batch.rejected.count), (request.spans, 0));
        }
    }
}

#[test]
fn spans_have_the_size_that_figures_are_quoted_for() {
    for seed in 1..6 {
        let sent = requests(Workload { seed, ..USUAL }, 40_000);
        let bytes = sent.iter().map(|request| request.wire.len()).sum::<usize>() / 40_000;
        assert!((800..=1_050).contains(&bytes), "{bytes} bytes a span, seed {seed}");
    }
    let all = spans(USUAL, 40_000);
    let attributes = all.iter().map(|span| span.attributes.len()).sum::<usize>() / all.len();
    assert!((14..=16).contains(&attributes), "{attributes} attributes a span");
}

#[test]
fn shares_are_as_promised() {
    let share = |content| {
        let all = spans(Workload { content, ..USUAL }, 40_000);
        let calls: Vec<_> = all.iter().filter(|span| span.name.starts_with("chat ")).collect();
        let recorded = calls.iter().filter(|span| says(span, "gen_ai.input.messages").is_some()).count();
        recorded * 1_000 / calls.len()
    };
    assert_eq!((share(0.0), share(1.0)), (0, 1_000));
    assert!((80..=120).contains(&share(0.1)), "{} in 1,000 calls are recorded", share(0.1));
    let all = spans(USUAL, 40_000);
    let failed = all.iter().filter(|span| span.status.code == 2).count() * 1_000 / all.len();
    assert!((15..=25).contains(&failed), "{failed} in 1,000 spans failed");
    let kinds: HashSet<_> = all.iter().map(|span| NodeKind::classify(&Keys(span)).as_str()).collect();
    for kind in ["agent", "workflow", "llm", "tool", "retrieval", "embedding", "http", "db"] {
        assert!(kinds.contains(kind), "no {kind}");
    }
}

#[test]
fn traces_are_whole_and_lie_in_the_past() {
    let all = spans(USUAL, 5_000);
    for (id, trace) in traces(&all) {
        assert!((8..=60).contains(&trace.len()), "{id}: {} spans", trace.len());
        let by_id: HashMap<_, _> = trace.iter().map(|span| (span.span_id, *span)).collect();
        assert_eq!(by_id.len(), trace.len());
        assert_eq!(trace.iter().filter(|span| span.parent_span_id.is_none()).count(), 1);
        for span in trace {
            assert!(span.start < span.end && span.end <= NOW);
            let parent = span.parent_span_id.map(|parent| by_id[&parent]);
            assert!(parent.is_none_or(|parent| parent.start <= span.start && span.end <= parent.end));
        }
    }
}

#[test]
fn a_recorded_conversation_sends_its_history_again() {
    let all = spans(Workload { content: 1.0, ..USUAL }, 5_000);
    let inputs: Vec<_> = all.iter().filter_map(|span| says(span, "gen_ai.input.messages")).collect();
    assert!(inputs.iter().all(|input| serde_json::from_str::<serde_json::Value>(input).is_ok()));
    let distinct: HashSet<_> = inputs.iter().collect();
    assert_eq!(distinct.len(), inputs.len(), "two calls say exactly the same");
    let resent = inputs
        .iter()
        .filter(|input| {
            let history = input.trim_end_matches(']');
            inputs.iter().any(|other| other.len() > input.len() && other.starts_with(history))
        })
        .count();
    assert!(resent * 2 > inputs.len(), "{resent} of {} are sent again in a later call", inputs.len());
}
