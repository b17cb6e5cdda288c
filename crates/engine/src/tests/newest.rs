//! Answers that are cut keep the newest, though blocks overlap in time.

use super::{Fixture, text};
use model::batch::Encoding;
use model::metric::Number;
use model::{LogRecord, MetricPoint, Signal, TenantId, TimeRange, Timestamp, TraceId, Value, otlp};
use query::{Deadline, Error, Expression, LogRequest, MetricRequest};

impl Fixture {
    async fn send_other(&self, signal: Signal, wire: Vec<u8>) {
        let batch = otlp::decode(TenantId::default(), signal, Encoding::Protobuf, wire.into()).unwrap();
        self.storage.append(batch).await.unwrap();
        self.storage.seal().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_points_come_from_all_blocks() {
    let fixture = Fixture::new().await;
    let point = |time| MetricPoint {
        name: "tokens".to_owned(),
        time: Timestamp(time),
        number: Some(Number::Int(time.cast_signed())),
        ..MetricPoint::default()
    };
    for times in [[1, 10], [2, 9], [3, 8]] {
        let points = times.map(point);
        fixture.send_other(Signal::Metrics, otlp::encode_metric_points(&points)).await;
    }
    let ask = async |name: &str, range, limit| {
        let request = MetricRequest { name: name.to_owned(), range, limit, deadline: Deadline::default() };
        fixture.engine.metric_points(&TenantId::default(), request).await
    };
    let times = async |range, limit| {
        let result = ask("tokens", range, limit).await.unwrap();
        let times: Vec<u64> = result.points.iter().map(|point| point.time.0).collect();
        (times, result.complete)
    };
    assert_eq!(times(TimeRange::ALL, 3).await, (vec![8, 9, 10], false));
    assert_eq!(times(TimeRange::ALL, 6).await, (vec![1, 2, 3, 8, 9, 10], true));
    let none = TimeRange { from: Timestamp(100), to: Timestamp(200) };
    assert_eq!(times(none, 3).await, (vec![], true));
    assert!(matches!(ask("unknown", TimeRange::ALL, 3).await, Err(Error::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_log_records_come_from_all_blocks() {
    let fixture = Fixture::new().await;
    let record = |time: u64| LogRecord {
        trace_id: time.is_multiple_of(2).then(|| TraceId([2; 16])),
        // One in three has only the time when it was observed.
        time: Timestamp(if time.is_multiple_of(3) { 0 } else { time }),
        observed_time: Timestamp(time),
        body: Some(Value::String(format!("line {time}"))),
        attributes: vec![text("http.status_code", &(time * 100).to_string())],
        ..LogRecord::default()
    };
    for times in [[1, 10], [2, 9], [3, 8]] {
        fixture.send_other(Signal::Logs, otlp::encode_log_records(&times.map(record))).await;
    }
    let ask = async |filter: &str, trace_id, limit| {
        let filter = if filter.is_empty() { Expression::All } else { query::filter::parse(filter).unwrap() };
        let deadline = Deadline::default();
        let request = LogRequest { trace_id, span_id: None, filter, range: TimeRange::ALL, limit, deadline };
        let result = fixture.engine.logs(&TenantId::default(), request).await.unwrap();
        let times: Vec<u64> = result.records.iter().map(|record| record.observed_time.0).collect();
        (times, result.complete)
    };
    assert_eq!(ask("", None, 3).await, (vec![10, 9, 8], false));
    assert_eq!(ask("", None, 6).await, (vec![10, 9, 8, 3, 2, 1], true));
    // Text that is a number is compared as one.
    assert_eq!(ask("http.status_code:>850", None, 6).await, (vec![10, 9], true));
    assert_eq!(ask("line", Some(TraceId([2; 16])), 2).await.0.len(), 2);
    assert_eq!(ask("line", Some(TraceId([2; 16])), 6).await, (vec![2, 8, 10], true));
}
