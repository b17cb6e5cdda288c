//! A block that cannot be read, altered, cut short or gone, costs what is in it: everything else is answered, and each
//! answer tells.

use super::{Fixture, span, text};
use futures::StreamExt;
use model::batch::Encoding;
use model::{
    Kind, LogRecord, MetricPoint, Signal, SpanId, TenantId, TimeRange, Timestamp, TraceId, Value, otlp,
};
use query::promql::{Matcher, MatcherOperator, PromqlRequest, SeriesRequest, Steps};
use query::{
    Deadline, EntitiesRequest, EntityKind, ExportRequest, Expression, FieldValuesRequest, FindingsRequest,
    LogRequest, MetricRequest, OperationsRequest, SearchRequest, filter,
};
use std::path::Path;

/// What may become of a file.
const HARMS: [fn(&Path); 4] = [overwritten, flipped, cut, gone];

fn overwritten(path: &Path) {
    let length = std::fs::metadata(path).unwrap().len();
    std::fs::write(path, vec![0xa5; usize::try_from(length).unwrap()]).unwrap();
}

/// One bit in each chunk that has a checksum.
fn flipped(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes.iter_mut().step_by(1_000).for_each(|byte| *byte ^= 1);
    std::fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn gone(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

fn record(number: u8) -> LogRecord {
    LogRecord {
        time: Timestamp(u64::from(number) * 1_000_000_000),
        trace_id: Some(TraceId([4; 16])),
        span_id: Some(SpanId([number; 8])),
        body: Some(Value::String(format!("record {number}"))),
        ..LogRecord::default()
    }
}

fn point(number: u8) -> MetricPoint {
    MetricPoint {
        resource: super::resource("shop"),
        name: "load".to_owned(),
        time: Timestamp(u64::from(number) * 1_000_000_000),
        number: Some(model::metric::Number::Int(i64::from(number))),
        ..MetricPoint::default()
    }
}

/// Three blocks and a hot batch of each signal, of which the first block was harmed. Trace 4 is in all of them.
async fn harmed(harm: fn(&Path)) -> Fixture {
    let fixture = Fixture::new().await;
    for number in 1..=4u8 {
        let operation = text("gen_ai.operation.name", "invoke_agent");
        let agent = vec![operation, text("gen_ai.agent.name", "planner"), text("state", "done")];
        let shared = span(4, u64::from(number) + 10, None, "run", agent.clone());
        let own = if number == 4 { Vec::new() } else { vec![span(number, 1, None, "run", agent)] };
        fixture.send(&[vec![shared], own].concat()).await;
        fixture.send_logs(&[record(number)]).await;
        fixture.send_points(&[point(number)]).await;
        if number < 4 {
            fixture.storage.seal().await.unwrap();
        }
    }
    for signal in Signal::ALL {
        let snapshot = fixture.storage.snapshot(&TenantId::default(), signal);
        harm(Path::new(&snapshot.blocks[0].name()));
    }
    fixture
}

fn told(incomplete: Option<&String>) {
    let why = incomplete.unwrap();
    assert!(why.contains("1 of 3 blocks searched is damaged or missing; `clew doctor` names it"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_answered_from_the_other_blocks() {
    for harm in HARMS {
        let fixture = harmed(harm).await;
        let (engine, tenant) = (&fixture.engine, TenantId::default());
        for query in ["", "state:done", "run"] {
            let request = SearchRequest {
                filter: filter::parse(query).unwrap(),
                range: TimeRange::ALL,
                limit: 10,
                cursor: None,
                deadline: Deadline::default(),
            };
            let found = engine.search(&tenant, request).await.unwrap();
            let ids: Vec<u8> = found.traces.iter().map(|trace| trace.trace_id.0[0]).collect();
            assert_eq!(ids, [4, 3, 2], "{query:?}");
            told(found.incomplete.as_ref());
        }
        let trace = TraceId([4; 16]);
        let skeleton = engine.skeleton(&tenant, trace).await.unwrap().unwrap();
        assert_eq!(skeleton.rows.len(), 3);
        assert!(skeleton.incomplete.unwrap().contains("damaged or missing"));
        let run = engine.run(&tenant, trace).await.unwrap().unwrap();
        told(run.incomplete.as_ref());
        let summaries = engine.summaries(&tenant, &[trace]).await.unwrap();
        assert_eq!(summaries.items[0].spans, 3);
        told(summaries.incomplete.as_ref());
        let spans = engine.spans(&tenant, trace, None).await.unwrap();
        assert_eq!(spans.items.len(), 3);
        told(spans.incomplete.as_ref());
        // Whether what was in the block is stored cannot be told.
        let lost = TraceId([1; 16]);
        let only = [SpanId(11u64.to_be_bytes())];
        for error in [
            engine.skeleton(&tenant, lost).await.unwrap_err(),
            engine.run(&tenant, lost).await.unwrap_err(),
            engine.summaries(&tenant, &[lost]).await.unwrap_err(),
            engine.spans(&tenant, lost, None).await.unwrap_err(),
            engine.spans(&tenant, trace, Some(&only)).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), Kind::Unavailable, "{error}");
            assert!(error.to_string().contains("it cannot be told whether"), "{error}");
        }
        assert!(fixture.storage.usage().damaged_blocks >= 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_over_traces_tells() {
    for harm in HARMS {
        let fixture = harmed(harm).await;
        let (engine, tenant, range) = (&fixture.engine, TenantId::default(), TimeRange::ALL);
        let (deadline, limit) = (Deadline::default(), 10);
        let name = None;
        let filter = filter::parse("run").unwrap();
        let entities =
            EntitiesRequest { kind: EntityKind::Agent, name, filter: filter.clone(), range, limit, deadline };
        let entities = engine.entities(&tenant, entities).await.unwrap();
        assert_eq!((entities.entities[0].spans, entities.complete), (5, false));
        told(entities.incomplete.as_ref());
        let operations = OperationsRequest { filter, range, limit, deadline };
        let operations = engine.operation_statistics(&tenant, operations).await.unwrap();
        assert_eq!(operations.operations[0].spans, 5);
        told(operations.incomplete.as_ref());
        let findings =
            FindingsRequest { kind: None, service: None, range, settled: Timestamp(0), limit, deadline };
        let findings = engine.findings(&tenant, findings).await.unwrap();
        assert_eq!((findings.spans, findings.complete), (5, false));
        told(findings.incomplete.as_ref());
        let values = FieldValuesRequest { key: "state".into(), prefix: "".into(), range, limit, deadline };
        let values = engine.field_values(&tenant, values).await.unwrap();
        assert_eq!((values.values, values.complete), (vec![("done".to_owned(), 5)], false));
        told(values.incomplete.as_ref());
        let fields = engine.fields(&tenant, range).await.unwrap();
        told(fields.incomplete.as_ref());
        assert!(fields.items.iter().any(|field| field.key == "resource.service.name"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_metrics_tell() {
    for harm in HARMS {
        let fixture = harmed(harm).await;
        let (engine, tenant, range) = (&fixture.engine, TenantId::default(), TimeRange::ALL);
        let deadline = Deadline::default();
        for (trace_id, query) in [(None, ""), (None, "record"), (Some(TraceId([4; 16])), "")] {
            let filter = filter::parse(query).unwrap();
            let request = LogRequest { trace_id, span_id: None, filter, range, limit: 10, deadline };
            let found = engine.logs(&tenant, request).await.unwrap();
            assert_eq!((found.records.len(), found.complete), (3, false), "{query:?}");
            told(found.incomplete.as_ref());
        }
        let request = MetricRequest { name: "load".to_owned(), range, limit: 10, deadline };
        let found = engine.metric_points(&tenant, request).await.unwrap();
        assert_eq!((found.points.len(), found.complete), (3, false));
        told(found.incomplete.as_ref());
        let value = "load".to_owned();
        let matcher = Matcher { name: "__name__".to_owned(), operator: MatcherOperator::Equal, value };
        let request = SeriesRequest { selectors: vec![vec![matcher]], from: 0, to: 9_000, deadline };
        let series = engine.series(&tenant, request.clone()).await.unwrap();
        assert_eq!(series.items.len(), 1);
        told(series.incomplete.as_ref());
        told(engine.exemplars(&tenant, request).await.unwrap().incomplete.as_ref());
        let request = PromqlRequest {
            text: "load".to_owned(),
            expression: query::promql::parse("load").unwrap(),
            steps: Steps::Instant(5_000),
            lookback: 300_000,
            deadline,
        };
        let answer = engine.promql(&tenant, request).await.unwrap();
        assert_eq!(answer.value.len(), 1);
        told(answer.warnings.first());
    }
}

/// What an export gives, and how it ends.
async fn exported(fixture: &Fixture, signal: Signal) -> (usize, Option<String>, Option<String>) {
    let request = ExportRequest { signal, filter: Expression::All, range: TimeRange::ALL };
    let mut export = fixture.engine.export(&TenantId::default(), request).await.unwrap();
    let (mut items, mut end) = (0, None);
    while let Some(wire) = export.requests.next().await {
        match wire {
            Ok(wire) => {
                let batch = otlp::decode(TenantId::default(), signal, Encoding::Protobuf, wire.into());
                items +=
                    batch.unwrap().columns.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>();
            }
            Err(error) => end = Some(error.to_string()),
        }
    }
    (items, export.incomplete, end)
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_give_the_rest_and_tell_before_or_after() {
    for harm in HARMS {
        let fixture = harmed(harm).await;
        for (signal, left) in [(Signal::Traces, 5), (Signal::Logs, 3), (Signal::Metrics, 3)] {
            let (items, before, end) = exported(&fixture, signal).await;
            assert_eq!((items, before), (left, None), "{signal}");
            told(end.as_ref());
            // Once it is known, it is told before.
            let (items, before, end) = exported(&fixture, signal).await;
            assert_eq!((items, end), (left, None), "{signal}");
            told(before.as_ref());
        }
    }
}
