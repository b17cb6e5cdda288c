//! What agents send again and again is stored once.

use super::{Open, batch, options, span};
use model::{Attribute, Signal, Span, TenantId, Timestamp, Value};
use std::hash::{DefaultHasher, Hash, Hasher};

const TURNS: u8 = 50;

/// Two kilobytes that are in no other turn.
fn turn(trace: u8, number: u8) -> String {
    let word = |place: u32| {
        let mut hasher = DefaultHasher::new();
        (trace, number, place).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    };
    let content: String = (0..128).map(word).collect();
    format!("{{\"role\":\"user\",\"content\":\"{content}\"}}")
}

/// The calls of a run, each with all that was said before it.
fn run(trace: u8) -> Vec<Span> {
    let mut said = Vec::new();
    let mut call = |number: u8| {
        said.push(turn(trace, number));
        let messages = format!("[{}]", said.join(","));
        Span {
            start: Timestamp(1_000 + u64::from(number)),
            attributes: vec![Attribute::new("gen_ai.input.messages", Value::String(messages))],
            ..span(trace, number, 9_000)
        }
    };
    (1..=TURNS).map(&mut call).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_resends_its_history_takes_a_twentieth() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(options(directory.path())).await;
    let mut sent = 0;
    for trace in 1..=3 {
        let spans = run(trace);
        let texts = spans.iter().flat_map(|span| &span.attributes);
        sent += texts
            .map(|it| if let Value::String(text) = &it.value { text.len() as u64 } else { 0 })
            .sum::<u64>();
        open.storage.append(batch(&spans)).await.unwrap();
        open.storage.seal().await.unwrap();
    }
    let stored = || open.storage.usage().block_bytes;
    assert!(stored() * 20 <= sent, "{} of {sent} bytes", stored());
    open.storage.compact().await.unwrap();
    assert!(stored() * 20 <= sent, "{} of {sent} bytes", stored());
    let snapshot = open.storage.snapshot(&TenantId::default(), Signal::Traces);
    let rows = snapshot.blocks[0].read_trace(model::TraceId([2; 16]), None, None).await.unwrap();
    let spans: Vec<Span> = rows.iter().flat_map(model::otlp::spans).collect();
    assert_eq!(spans.len(), usize::from(TURNS));
    let same =
        |span: &Span, sent: &Span| (span.span_id, &span.attributes) == (sent.span_id, &sent.attributes);
    assert!(spans.iter().zip(&run(2)).all(|(span, sent)| same(span, sent)));
    open.stop().await;
}
