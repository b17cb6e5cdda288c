//! Spans that were sent again, and spans that stand for others.

use super::{Fixture, span, text};
use model::span::Status;
use model::{Signal, Span, SpanId, TenantId, TimeRange, Timestamp, TraceId};
use query::result::flag;
use query::{Deadline, Expression, FieldValuesRequest, OperationsRequest};

/// Of operations: the spans, those that failed, those that ended; the values of `state`; spans exported, and stored.
async fn counts(fixture: &Fixture) -> (Vec<(String, u64, u64, u64)>, Vec<(String, u64)>, usize, u64) {
    let (tenant, range, deadline) = (TenantId::default(), TimeRange::ALL, Deadline::default());
    let request = OperationsRequest { filter: Expression::All, range, limit: 10, deadline };
    let operations = fixture.engine.operation_statistics(&tenant, request).await.unwrap().operations;
    let operations = operations
        .into_iter()
        .map(|of| (of.operation.name, of.spans, of.errors, of.durations.count()))
        .collect();
    let (key, prefix) = ("state".to_owned(), String::new());
    let request = FieldValuesRequest { key, prefix, range, limit: 10, deadline };
    let values = fixture.engine.field_values(&tenant, request).await.unwrap().values;
    let exported = super::large::exported(fixture, Signal::Traces).await;
    (operations, values, exported, fixture.engine.stored(&tenant).await.unwrap().spans)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superseded_version_is_not_found() {
    let running = Span { end: Timestamp(0), ..span(1, 1, None, "run", vec![text("state", "working")]) };
    let done = Span {
        status: Status { code: 2, message: String::new() },
        ..span(1, 1, None, "run", vec![text("state", "done")])
    };
    let checks = async |fixture: &Fixture| {
        for (query, expect) in [
            ("status:error", 1),
            ("status:unset", 0),
            ("state:working", 0),
            ("state:done", 1),
            ("-state:done", 0),
            ("", 1),
        ] {
            assert_eq!(fixture.search(query).await.len(), expect, "{query:?}");
        }
        assert_eq!(
            counts(fixture).await,
            (vec![("run".to_owned(), 1, 1, 1)], vec![("done".to_owned(), 1)], 1, 1)
        );
    };
    // Both hot; one sealed and one hot; each in a block of its own; all in one block.
    let fixture = Fixture::new().await;
    fixture.send(std::slice::from_ref(&running)).await;
    assert_eq!(fixture.search("state:working").await, ["run"]);
    fixture.send(std::slice::from_ref(&done)).await;
    checks(&fixture).await;
    let fixture = Fixture::new().await;
    fixture.send(std::slice::from_ref(&running)).await;
    fixture.storage.seal().await.unwrap();
    fixture.send(std::slice::from_ref(&done)).await;
    checks(&fixture).await;
    fixture.storage.seal().await.unwrap();
    checks(&fixture).await;
    fixture.storage.compact().await.unwrap();
    checks(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_span_is_the_running_span_until_that_one_comes() {
    let fixture = Fixture::new().await;
    let parent_id = Some(SpanId(1u64.to_be_bytes()));
    let parent = SpanId(1u64.to_be_bytes()).to_string();
    let pending = span(
        1,
        77,
        Some(2),
        "call",
        vec![text("logfire.span_type", "pending_span"), text("logfire.pending_parent_id", &parent)],
    );
    let root = span(1, 1, None, "root", vec![]);
    fixture.send(&[root, pending]).await;
    let skeleton =
        async || fixture.engine.skeleton(&TenantId::default(), TraceId([1; 16])).await.unwrap().unwrap();
    let running = skeleton().await;
    let call = running.rows[1];
    assert_eq!((call.span_id, call.parent), (SpanId(2u64.to_be_bytes()), Some(0)));
    assert!(call.flags & flag::RUNNING != 0 && running.orphans == 0);
    let only = [call.span_id];
    let body = fixture.engine.spans(&TenantId::default(), TraceId([1; 16]), Some(&only)).await.unwrap();
    let body = body.items;
    assert_eq!((body[0].span_id, body[0].parent_span_id, body[0].end.0), (call.span_id, parent_id, 0));
    fixture.storage.seal().await.unwrap();
    fixture.send(&[span(1, 2, Some(1), "call", vec![])]).await;
    let ended = skeleton().await;
    assert_eq!(ended.rows.len(), 2);
    assert_eq!(ended.rows[1].flags & flag::RUNNING, 0);
}
