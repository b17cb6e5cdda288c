//! What holds for every run of the demo, whatever its seed.

use super::{Run, generate};
use model::batch::Encoding;
use model::{Signal, Span, TenantId, Timestamp, otlp};
use semconv::NodeKind;
use std::collections::{HashMap, HashSet};

const END: Timestamp = Timestamp(1_800_000_000_000_000_000);

fn runs() -> impl Iterator<Item = Run> {
    (0..50).map(|seed| generate(seed, END))
}

/// A span's attributes, as kinds are told from.
pub struct Keys<'a>(pub &'a Span);

impl semconv::node_kind::Attributes for Keys<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.attributes.iter().find(|attribute| attribute.key == key)?.value.as_str()
    }
    fn has(&self, key: &str) -> bool {
        self.0.attributes.iter().any(|attribute| attribute.key == key)
    }
    fn means(&self, meaning: semconv::Meaning) -> bool {
        meaning.carrier(self).is_some()
    }
    fn span_kind(&self) -> i32 {
        self.0.kind
    }
}

#[test]
fn ids_are_unique_and_parents_enclose_or_precede() {
    for run in runs() {
        let by_id: HashMap<_, _> = run.spans.iter().map(|span| (span.span_id, span)).collect();
        assert_eq!(by_id.len(), run.spans.len());
        assert_eq!(run.spans.iter().filter(|span| span.parent_span_id.is_none()).count(), 1);
        for span in &run.spans {
            assert!(span.start <= span.end && span.end <= END && span.end.0 > 0, "{}", span.name);
            if let Some(parent) = span.parent_span_id {
                assert!(by_id[&parent].start <= span.start, "{}", span.name);
            }
            assert!(
                span.events.iter().all(|event| span.start <= event.time && event.time <= span.end),
                "{}",
                span.name
            );
        }
        assert!(run.logs.iter().all(|record| record.span_id.is_some_and(|id| by_id.contains_key(&id))));
    }
}

#[test]
fn every_kind_of_node_takes_part_and_something_fails() {
    let run = generate(1, END);
    let kinds: HashSet<_> = run.spans.iter().map(|span| NodeKind::classify(&Keys(span))).collect();
    let absent: Vec<_> = NodeKind::ALL.into_iter().filter(|kind| !kinds.contains(kind)).collect();
    assert!(absent.contains(&NodeKind::Workflow) && absent.len() < 10, "{absent:?}");
    assert!(run.spans.iter().filter(|span| span.status.code == 2).count() >= 2);
    let services: HashSet<_> =
        run.spans.iter().map(|span| span.resource.attributes[0].value.as_str()).collect();
    assert_eq!(services.len(), 5);
}

#[test]
fn the_seed_decides_everything() {
    assert_eq!(generate(7, END), generate(7, END));
    let traces: HashSet<_> = runs().map(|run| run.trace_id).collect();
    assert_eq!(traces.len(), 50);
}

#[test]
fn the_decoder_accepts_all_of_it() {
    let run = generate(3, END);
    let check = |signal, wire: Vec<u8>, expect: usize| {
        let batch = otlp::decode(TenantId::default(), signal, Encoding::Protobuf, wire.into()).unwrap();
        assert_eq!((usize::try_from(batch.accepted).unwrap(), batch.rejected.count), (expect, 0), "{signal}");
    };
    check(Signal::Traces, otlp::encode_spans(&run.spans), run.spans.len());
    check(Signal::Logs, otlp::encode_log_records(&run.logs), run.logs.len());
    check(Signal::Metrics, otlp::encode_metric_points(&run.metrics), run.metrics.len());
}

#[test]
fn each_model_call_repeats_the_history() {
    let run = generate(5, END);
    let inputs: Vec<&str> = (run.spans.iter())
        .filter(|span| span.name == "chat gpt-4.1")
        .filter_map(|span| {
            semconv::node_kind::Attributes::text(&Keys(span), "gen_ai.input.messages")
                .map(str::to_owned)
                .map(|text| &*text.leak())
        })
        .collect();
    assert_eq!(inputs.len(), 3);
    assert!(inputs.windows(2).all(|pair| pair[1].starts_with(pair[0].trim_end_matches(']'))));
}
