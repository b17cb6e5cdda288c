//! The engine over a real store: the same answers whether spans are hot, sealed or both.

use model::batch::Encoding;
use model::value::Resource;
use model::{Attribute, Signal, Span, SpanId, TenantId, TimeRange, Timestamp, TraceId, Value, otlp};
use query::result::flag;
use query::{Deadline, Engine, SearchRequest, filter};
use std::sync::Arc;
use std::time::Duration;
use storage::{Options, Storage};
use tokio_util::sync::CancellationToken;

mod newest;
mod resent;

struct Fixture {
    engine: Arc<dyn Engine>,
    storage: Storage,
    _directory: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            directory: directory.path().to_owned(),
            max_age: Duration::from_secs(3_600),
            max_bytes: 1 << 40,
            seal_bytes: 1 << 40,
            seal_age: Duration::from_secs(3_600),
            hot_limit_bytes: 1 << 40,
            min_free_bytes: 0,
        };
        let storage = Storage::open(options).await.unwrap();
        let running = storage.clone();
        #[expect(clippy::disallowed_methods, reason = "the test is the supervisor")]
        drop(tokio::spawn(async move { running.run(CancellationToken::new()).await }));
        Self { engine: crate::open(storage.clone()).unwrap(), storage, _directory: directory }
    }

    async fn send(&self, spans: &[Span]) {
        let wire = otlp::encode_spans(spans).into();
        let batch = otlp::decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, wire).unwrap();
        assert_eq!(batch.rejected.count, 0);
        self.storage.append(batch).await.unwrap();
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
                Attribute::new("list", Value::Array(vec![Value::String("needle".to_owned())])),
            ],
        ),
        span(
            3,
            1,
            None,
            "three",
            vec![text("http.status_code", "200"), text("twice", "a"), text("twice", "b")],
        ),
    ];
    spans[2].status.code = 2;
    spans[3].kind = 2;
    spans[3].resource = resource("other");
    spans
}

async fn check_all(fixture: &Fixture) {
    for (filter, expect) in [
        ("", &["three", "two", "one"][..]),
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
    ] {
        assert_eq!(fixture.search(filter).await, expect, "{filter}");
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
    let summary = &fixture.engine.summaries(&tenant, &[TraceId([1; 16])]).await.unwrap()[0];
    assert_eq!((summary.spans, summary.input_tokens, summary.output_tokens), (2, 150, 200));
    assert_eq!(
        (summary.agents.as_slice(), summary.input.as_deref()),
        (&["planner".to_owned()][..], Some("Refund me"))
    );
    assert_eq!(fixture.engine.spans(&tenant, TraceId([1; 16]), None).await.unwrap().len(), 2);
    assert_eq!(fixture.engine.services(&tenant).await.unwrap(), ["other", "shop"]);
    assert_eq!(fixture.engine.operations(&tenant, "shop").await.unwrap().len(), 3);
    let nobody = TenantId::new("nobody").unwrap();
    assert!(fixture.engine.services(&nobody).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn skeletons_hold_every_span_however_odd() {
    let fixture = Fixture::new().await;
    let deep: Vec<_> = (1..=20_000)
        .map(|number| span(1, number, (number > 1).then(|| number - 1), "deep", vec![]))
        .collect();
    fixture.send(&deep).await;
    let circle = [
        span(2, 1, Some(2), "a", vec![]),
        span(2, 2, Some(1), "b", vec![]),
        span(2, 3, Some(3), "self", vec![]),
        span(2, 4, Some(2), "below", vec![]),
    ];
    fixture.send(&circle).await;
    let orphan = [
        span(3, 1, None, "root", vec![]),
        span(3, 2, Some(99), "lost", vec![]),
        span(3, 3, Some(2), "child", vec![]),
    ];
    fixture.send(&orphan).await;
    let skeleton =
        async |trace: u8| fixture.engine.skeleton(&TenantId::default(), TraceId([trace; 16])).await.unwrap();
    let deep = skeleton(1).await.unwrap();
    assert_eq!((deep.rows.len(), deep.orphans), (20_000, 0));
    assert_eq!(deep.rows.last().unwrap().depth, 19_999);
    assert!(
        deep.rows
            .iter()
            .enumerate()
            .all(|(place, row)| row.parent.map_or(place == 0, |parent| parent as usize + 1 == place))
    );
    let circle = skeleton(2).await.unwrap();
    assert_eq!((circle.rows.len(), circle.orphans), (4, 3));
    let orphan = skeleton(3).await.unwrap();
    assert_eq!((orphan.rows.len(), orphan.orphans), (3, 1));
    let flagged: Vec<_> = orphan.rows.iter().map(|row| row.flags & flag::ORPHAN != 0).collect();
    assert_eq!(flagged, [false, true, false]);
    assert!(skeleton(9).await.is_none());
}
