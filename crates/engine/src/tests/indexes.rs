//! What blocks keep beside their rows gives the same answers as the rows.

use super::{Fixture, span, text};
use model::{Span, TenantId, TimeRange, Timestamp};
use query::result::OperationsResult;
use query::{Deadline, OperationsRequest, filter};

const TRACES: u8 = 60;

/// Traces whose spans say different things, some within JSON, in events, in nested values.
fn trace(number: u8) -> Vec<Span> {
    let told = format!(r#"[{{"content":"Please refund\norder-{number} to Zoe\u0301 No{number}"}}]"#);
    let mut root =
        span(number, 1, None, &format!("run {number}"), vec![text("user.id", &format!("u-{number}"))]);
    let mut call = span(number, 2, Some(1), "chat", vec![text("gen_ai.input.messages", &told)]);
    call.end = Timestamp(call.start.0 + u64::from(number) * 1_000_000);
    call.status.code = i32::from(number.is_multiple_of(3)) * 2;
    root.events.push(model::span::Event { name: format!("happened{number}"), ..Default::default() });
    vec![root, call]
}

async fn both() -> (Fixture, Fixture) {
    let (hot, sealed) = (Fixture::new().await, Fixture::new().await);
    for number in 1..TRACES {
        hot.send(&trace(number)).await;
        sealed.send(&trace(number)).await;
        if number % 7 == 0 {
            sealed.storage.seal().await.unwrap();
        }
    }
    sealed.storage.seal().await.unwrap();
    (hot, sealed)
}

#[tokio::test(flavor = "multi_thread")]
async fn words_find_the_same_in_blocks() {
    let (hot, sealed) = both().await;
    for (query, traces) in [
        ("refund", 59),
        ("order-17", 1),
        ("\"order 17\"", 1),
        ("ORDER", 59),
        ("orde", 0),
        ("*orde*", 59),
        ("no17", 1),
        ("happened17", 1),
        ("zebra", 0),
        ("\"->\"", 0),
        ("\"[{\"", 59),
        ("refund zebra", 0),
        ("refund OR zebra", 59),
        ("-zebra", 59),
        ("user.id:=u-17", 1),
        ("user.id:=17", 0),
        ("user.id:u-1", 11),
        ("user.id:-1", 11),
        ("name:=chat refund", 59),
        ("input:\"to Zoe\"", 59),
        ("input:\"order-17 t\"", 1),
    ] {
        let found = sealed.search(query).await;
        assert_eq!(found, hot.search(query).await, "{query}");
        assert_eq!(found.len(), traces, "{query}");
    }
}

async fn operations(fixture: &Fixture, query: &str, range: TimeRange) -> OperationsResult {
    let filter = filter::parse(query).unwrap();
    let request = OperationsRequest { filter, range, limit: 1_000, deadline: Deadline::default() };
    fixture.engine.operation_statistics(&TenantId::default(), request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn roll_ups_tell_the_same_as_rows() {
    let (hot, sealed) = both().await;
    let part = TimeRange { from: Timestamp(10_500_000_000), to: Timestamp(31_500_000_000) };
    for range in [TimeRange::ALL, part] {
        for query in ["", "name:chat", "has:error"] {
            let found = operations(&sealed, query, range).await;
            assert_eq!(found, operations(&hot, query, range).await, "{query}");
            assert!(!found.operations.is_empty() && found.complete, "{query}");
        }
    }
    let found = operations(&sealed, "", TimeRange::ALL).await;
    let chat = found.operations.iter().find(|operation| operation.operation.name == "chat").unwrap();
    assert_eq!((chat.spans, chat.errors, chat.durations.longest()), (59, 19, 59_000_000));
    let median = chat.durations.quantile(0.5).unwrap();
    assert!(median.abs_diff(30_000_000) < 1_000_000, "{median}");
    sealed.storage.compact().await.unwrap();
    assert_eq!(operations(&sealed, "", TimeRange::ALL).await, found);
}
