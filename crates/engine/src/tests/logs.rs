//! Log records: of one trace, and the newest of all.

use super::{Fixture, text};
use model::{LogRecord, SpanId, TenantId, TimeRange, Timestamp, TraceId};
use query::{Deadline, LogRequest, filter};

fn record(time: u64, trace: Option<u8>, body: &str) -> LogRecord {
    LogRecord {
        time: Timestamp(time),
        trace_id: trace.map(|trace| TraceId([trace; 16])),
        span_id: trace.map(|_| SpanId(time.to_be_bytes())),
        body: Some(model::Value::String(body.to_owned())),
        attributes: vec![text("body.size", &body.len().to_string())],
        ..LogRecord::default()
    }
}

fn request(text: &str, limit: usize) -> LogRequest {
    LogRequest {
        trace_id: None,
        span_id: None,
        filter: filter::parse(text).unwrap(),
        range: TimeRange::ALL,
        limit,
        deadline: Deadline::default(),
    }
}

/// The times of the records found and whether these are all.
async fn found(fixture: &Fixture, request: LogRequest) -> (Vec<u64>, bool) {
    let result = fixture.engine.logs(&TenantId::default(), request).await.unwrap();
    let moment = |record: &LogRecord| if record.time.0 == 0 { record.observed_time.0 } else { record.time.0 };
    (result.records.iter().map(moment).collect(), result.complete)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_records_are_kept_though_sources_overlap() {
    let fixture = Fixture::new().await;
    fixture.send_logs(&[10, 11, 12, 95].map(|time| record(time, None, "old"))).await;
    fixture.storage.seal().await.unwrap();
    let observed = LogRecord { observed_time: Timestamp(97), ..record(0, None, "seen") };
    fixture.send_logs(&[record(1, None, "a"), record(2, Some(1), "b"), record(100, Some(1), "old")]).await;
    fixture.send_logs(&[record(90, None, "old"), record(96, None, "x"), observed]).await;
    assert_eq!(found(&fixture, request("", 4)).await, (vec![100, 97, 96, 95], false));
    assert_eq!(found(&fixture, request("old", 3)).await, (vec![100, 95, 90], false));
    assert_eq!(found(&fixture, request("body:old", 9)).await, (vec![100, 95, 90, 12, 11, 10], true));
    assert_eq!(found(&fixture, request("body:=none", 9)).await, (vec![], true));
    let range = TimeRange { from: Timestamp(11), to: Timestamp(96) };
    assert_eq!(found(&fixture, LogRequest { range, ..request("", 2) }).await, (vec![95, 90], false));
    let span_id = Some(SpanId(2u64.to_be_bytes()));
    assert_eq!(found(&fixture, LogRequest { span_id, ..request("", 2) }).await, (vec![2], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_trace_the_oldest_records_come_first_with_a_filter_too() {
    let fixture = Fixture::new().await;
    fixture.send_logs(&[1, 3, 5].map(|time| record(time, Some(1), "wanted"))).await;
    fixture.storage.seal().await.unwrap();
    fixture.send_logs(&[record(2, Some(1), "wanted"), record(4, Some(2), "wanted")]).await;
    fixture.send_logs(&[record(6, Some(1), "not")]).await;
    let trace_id = Some(TraceId([1; 16]));
    assert_eq!(found(&fixture, LogRequest { trace_id, ..request("", 9) }).await, (vec![1, 2, 3, 5, 6], true));
    assert_eq!(found(&fixture, LogRequest { trace_id, ..request("wanted", 2) }).await, (vec![1, 2], false));
    let span_id = Some(SpanId(3u64.to_be_bytes()));
    assert_eq!(found(&fixture, LogRequest { trace_id, span_id, ..request("", 2) }).await, (vec![3], true));
}
