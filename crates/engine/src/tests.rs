//! The engine over a real store: the same answers whether spans are hot, sealed or both.

mod damage;
mod filters;
mod findings;
mod indexes;
mod large;
mod logs;
mod metrics;
mod resent;
mod runs;
mod series;
mod trees;

use model::batch::Encoding;
use model::value::Resource;
use model::{
    Attribute, LogRecord, MetricPoint, Signal, Span, SpanId, TenantId, TimeRange, Timestamp, TraceId, Value,
    otlp,
};
use query::{Deadline, Engine, SearchRequest, filter};
use std::sync::Arc;
use std::time::Duration;
use storage::{Options, Storage};
use tokio_util::sync::CancellationToken;

struct Fixture {
    engine: Arc<dyn Engine>,
    storage: Storage,
    _directory: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(crate::EngineOptions::default()).await
    }

    /// With an engine that may use so much.
    async fn with(engine: crate::EngineOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            directory: directory.path().to_owned(),
            blocks_url: None,
            max_age: Duration::from_secs(3_600),
            max_bytes: 1 << 40,
            of_signal: [storage::Limits::default(); 3],
            seal_bytes: 1 << 40,
            seal_age: Duration::from_secs(3_600),
            hot_limit_bytes: 1 << 40,
            min_free_bytes: 0,
            sampling: None,
        };
        let storage = Storage::open(options).await.unwrap();
        let running = storage.clone();
        #[expect(clippy::disallowed_methods, reason = "the test is the supervisor")]
        drop(tokio::spawn(async move { running.run(CancellationToken::new()).await }));
        Self {
            engine: crate::open(storage.clone(), crate::prices::PriceTable::default(), engine).unwrap(),
            storage,
            _directory: directory,
        }
    }

    async fn append(&self, signal: Signal, wire: Vec<u8>) {
        let batch = otlp::decode(TenantId::default(), signal, Encoding::Protobuf, wire.into()).unwrap();
        assert_eq!(batch.rejected.count, 0);
        self.storage.append(batch).await.unwrap();
    }

    async fn send(&self, spans: &[Span]) {
        self.append(Signal::Traces, otlp::encode_spans(spans)).await;
    }

    async fn send_logs(&self, records: &[LogRecord]) {
        self.append(Signal::Logs, otlp::encode_log_records(records)).await;
    }

    async fn send_points(&self, points: &[MetricPoint]) {
        self.append(Signal::Metrics, otlp::encode_metric_points(points)).await;
    }

    /// The root names of the traces found, newest first, walking pages of two.
    async fn search(&self, text: &str) -> Vec<String> {
        let filter = filter::parse(text).unwrap();
        let (mut names, mut cursor) = (Vec::new(), None);
        loop {
            let deadline = Deadline::default();
            let request =
                SearchRequest { filter: filter.clone(), range: TimeRange::ALL, limit: 2, cursor, deadline };
            let page = self.engine.search(&TenantId::default(), request).await.unwrap();
            names.extend(page.traces.into_iter().map(|trace| trace.root_name));
            cursor = page.cursor;
            if cursor.is_none() {
                return names;
            }
        }
    }
}

/// A question that has its turn.
async fn question() -> Arc<crate::admission::Question> {
    let admission = crate::admission::Admission::new(crate::EngineOptions::default());
    admission.question(Deadline::default()).await.unwrap()
}

fn resource(service: &str) -> Arc<Resource> {
    let attributes = [("service.name", service), ("service.version", "1.0.0")];
    let attributes = attributes.map(|(key, value)| Attribute::new(key, Value::String(value.to_owned())));
    Arc::new(Resource { attributes: attributes.into(), ..Resource::default() })
}

/// A span of a trace; the number tells its id and start.
fn span(trace: u8, number: u64, parent: Option<u64>, name: &str, attributes: Vec<Attribute>) -> Span {
    Span {
        resource: resource("shop"),
        trace_id: TraceId([trace; 16]),
        span_id: SpanId(number.to_be_bytes()),
        parent_span_id: parent.map(|parent| SpanId(parent.to_be_bytes())),
        name: name.to_owned(),
        kind: 1,
        start: Timestamp(u64::from(trace) * 1_000_000_000 + number),
        end: Timestamp(u64::from(trace) * 1_000_000_000 + number + 5_000_000),
        attributes,
        ..Span::default()
    }
}

fn text(key: &str, value: &str) -> Attribute {
    Attribute::new(key, Value::String(value.to_owned()))
}
