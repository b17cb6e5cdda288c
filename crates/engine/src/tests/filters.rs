//! What filters find, whatever the form in which a value came and wherever its span is stored.

use super::{Fixture, resource, span, text};
use model::batch::Encoding;
use model::{Attribute, Signal, Span, TenantId, TraceId, Value, otlp};
use query::filter;

fn spans() -> Vec<Span> {
    let mut spans = vec![
        span(
            1,
            1,
            None,
            "one",
            vec![text("gen_ai.operation.name", "invoke_agent"), text("gen_ai.agent.name", "planner")],
        ),
        span(
            1,
            2,
            Some(1),
            "chat",
            vec![
                text("gen_ai.operation.name", "chat"),
                text("gen_ai.request.model", "gpt-4o"),
                Attribute::new("gen_ai.usage.input_tokens", Value::Int(150)),
                Attribute::new("gen_ai.usage.output_tokens", Value::Int(200)),
                Attribute::new("gen_ai.request.temperature", Value::Double(0.7)),
                text(
                    "gen_ai.input.messages",
                    r#"[{"role":"user","parts":[{"type":"text","content":"Refund me"}]}]"#,
                ),
            ],
        ),
        span(
            2,
            1,
            None,
            "two",
            vec![
                Attribute::new("http.status_code", Value::Int(500)),
                Attribute::new("big", Value::Int(9_007_199_254_740_993)),
                Attribute::new("flagged", Value::Bool(true)),
                text("released", "2026-01-15"),
                Attribute::new("list", Value::Array(vec![Value::String("needle".to_owned())])),
            ],
        ),
        span(
            3,
            1,
            None,
            "three",
            vec![
                text("http.status_code", "200"),
                text("twice", "a"),
                text("twice", "b"),
                text("released", "2026-03-01"),
            ],
        ),
    ];
    spans[2].status.code = 2;
    spans[3].kind = 2;
    spans[3].resource = resource("other");
    spans
}

/// Filters, and the roots of the traces of which a span satisfies them.
const FILTERS: [(&str, &[&str]); 41] = [
    ("", &["three", "two", "one"]),
    ("service:shop", &["two", "one"]),
    ("status:error", &["two"]),
    ("has:error", &["two"]),
    ("-has:error", &["three", "one"]),
    ("kind:agent", &["one"]),
    ("kind:llm model:gpt-4o", &["one"]),
    ("kind:agent model:gpt-4o", &[]),
    ("kind:server", &["three"]),
    ("gen_ai.request.temperature:0.7", &["one"]),
    ("tokens:>300", &["one"]),
    ("tokens:>10k", &[]),
    ("http.status_code:500", &["two"]),
    ("http.status_code:200", &["three"]),
    ("big:9007199254740993", &["two"]),
    ("big:9007199254740992", &[]),
    ("flagged:true", &["two"]),
    ("flagged:false", &[]),
    ("list:needle", &["two"]),
    ("twice:b", &["three"]),
    ("has:twice OR has:flagged", &["three", "two"]),
    ("released:>=2026-01-15", &["three", "two"]),
    ("released:<2026-02", &["two"]),
    ("name:>one", &["three", "two"]),
    ("service:>=shop", &["two", "one"]),
    ("resource.service.version:<1.0.1", &["three", "two", "one"]),
    // Numbers that were sent as texts are still numbers, also against those that were not.
    ("http.status_code:>199", &["three", "two"]),
    ("http.status_code:>1000", &[]),
    ("http.status_code:>abc", &[]),
    ("released:>9", &[]),
    ("resource.service.version:1.0.0", &["three", "two", "one"]),
    ("service.version:=1.0.0", &["three", "two", "one"]),
    ("service.version:=1.0", &[]),
    ("refund", &["one"]),
    ("needle", &["two"]),
    ("name:t*", &["three", "two"]),
    ("duration:>=5ms duration:<1s", &["three", "two", "one"]),
    ("duration:>1s", &[]),
    ("trace:01010101010101010101010101010101", &["one"]),
    ("NOT missing:1", &["three", "two", "one"]),
    ("100%", &[]),
];

async fn check_all(fixture: &Fixture) {
    for (filter, expect) in FILTERS {
        assert_eq!(fixture.search(filter).await, *expect, "{filter}");
    }
}

#[test]
fn spans_are_kept_for_what_is_found_by_searching() {
    for (text, expect) in FILTERS {
        let keeps = crate::span_test(filter::parse(text).unwrap());
        let mut kept = Vec::new();
        for spans in [&spans()[..2], &spans()[2..3], &spans()[3..]] {
            let wire = otlp::encode_spans(spans).into();
            let batch = otlp::decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, wire).unwrap();
            if batch.columns.iter().any(|columns| keeps(columns).true_count() > 0) {
                kept.insert(0, spans[0].name.as_str().to_owned());
            }
        }
        assert_eq!(kept, expect, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_found_hot_sealed_and_mixed() {
    let fixture = Fixture::new().await;
    let spans = spans();
    fixture.send(&spans[..2]).await;
    fixture.send(&spans[2..]).await;
    check_all(&fixture).await;
    fixture.storage.seal().await.unwrap();
    check_all(&fixture).await;
    // Sent again: nothing changes, now that it is hot and sealed.
    fixture.send(&spans).await;
    check_all(&fixture).await;
    let tenant = TenantId::default();
    let summary = &fixture.engine.summaries(&tenant, &[TraceId([1; 16])]).await.unwrap().items[0];
    let usage = summary.account.usage;
    assert_eq!((summary.spans, usage.input, usage.output), (2, 150, 200));
    assert_eq!(
        (summary.agents.as_slice(), summary.input.as_deref()),
        (&["planner".to_owned()][..], Some("Refund me"))
    );
    assert_eq!(fixture.engine.spans(&tenant, TraceId([1; 16]), None).await.unwrap().items.len(), 2);
    assert_eq!(fixture.engine.services(&tenant).await.unwrap(), ["other", "shop"]);
    assert_eq!(fixture.engine.operations(&tenant, "shop").await.unwrap().len(), 3);
    let nobody = TenantId::new("nobody").unwrap();
    assert!(fixture.engine.services(&nobody).await.unwrap().is_empty());
}

/// On a fresh server, too, and whatever columns a field has twice.
#[tokio::test(flavor = "multi_thread")]
async fn every_field_has_values() {
    let fixture = Fixture::new().await;
    for filled in [false, true] {
        if filled {
            fixture.send(&[span(1, 1, None, "run", vec![text("state", "done")])]).await;
        }
        let keys = filter::Field::known_keys().into_iter().map(str::to_owned);
        for key in keys.chain(["state".to_owned(), "resource.service.name".to_owned()]) {
            let request = query::FieldValuesRequest {
                key: key.clone(),
                prefix: String::new(),
                range: model::TimeRange::ALL,
                limit: 10,
                deadline: query::Deadline::default(),
            };
            let found = fixture.engine.field_values(&TenantId::default(), request).await;
            assert!(found.unwrap().complete, "{key}");
        }
    }
}
