//! What is wrong with traces themselves is found, whether their spans are hot or sealed; what is right is left alone.

use super::{Fixture, resource, text};
use model::span::Link;
use model::{Attribute, Span, SpanId, TenantId, TimeRange, Timestamp, TraceId, Value};
use query::findings::{FindingKind, FindingsResult};
use query::{Deadline, FindingsRequest};
use std::ops::Range;

const BASE: u64 = 1_700_000_000_000;
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

/// A span of a service by its number in the trace; times are in milliseconds.
fn span(
    trace: u8,
    number: u64,
    parent: u64,
    (service, name, kind): (&str, &str, i32),
    time: Range<u64>,
) -> Span {
    let at = |milliseconds| Timestamp((BASE + u64::from(trace) * 10_000 + milliseconds) * 1_000_000);
    Span {
        resource: resource(service),
        trace_id: TraceId([trace; 16]),
        span_id: SpanId(number.to_be_bytes()),
        parent_span_id: (parent > 0).then(|| SpanId(parent.to_be_bytes())),
        name: name.to_owned(),
        kind,
        start: at(time.start),
        end: at(time.end),
        ..Span::default()
    }
}

fn request() -> FindingsRequest {
    FindingsRequest {
        kind: None,
        service: None,
        range: TimeRange::ALL,
        settled: Timestamp(u64::MAX),
        limit: 100,
        deadline: Deadline::default(),
    }
}

async fn ask(fixture: &Fixture, request: FindingsRequest) -> FindingsResult {
    fixture.engine.findings(&TenantId::default(), request).await.unwrap()
}

/// Kind, operation and number of each finding, of the spans hot, half sealed and sealed.
async fn found(spans: &[Span]) -> Vec<(&'static str, String, u64)> {
    let mut answers = Vec::new();
    for sealed in [0, spans.len() / 2, spans.len()] {
        let fixture = Fixture::new().await;
        let (first, rest) = spans.split_at(sealed);
        if sealed > 0 {
            fixture.send(first).await;
            fixture.storage.seal().await.unwrap();
        }
        if !rest.is_empty() {
            fixture.send(rest).await;
        }
        let result = ask(&fixture, request()).await;
        assert!(result.complete && result.incomplete.is_none());
        assert_eq!(result.spans, spans.len() as u64);
        assert_eq!(
            result.totals.iter().sum::<u64>(),
            result.groups.iter().map(|group| group.spans).sum::<u64>()
        );
        let lines =
            result.groups.into_iter().map(|group| (group.kind.as_str(), group.operation.name, group.spans));
        answers.push(lines.collect::<Vec<_>>());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "hot and sealed differ: {answers:?}");
    answers.pop().unwrap()
}

fn line(kind: &'static str, operation: &str, spans: u64) -> (&'static str, String, u64) {
    (kind, operation.to_owned(), spans)
}

/// A request through three services, with a message at the end that is worked off after all else.
fn order(trace: u8) -> Vec<Span> {
    vec![
        span(trace, 1, 0, ("gateway", "POST /orders", SERVER), 0..100),
        span(trace, 2, 1, ("gateway", "POST", CLIENT), 5..90),
        span(trace, 3, 2, ("shop", "POST /buy", SERVER), 10..85),
        span(trace, 4, 3, ("shop", "price", INTERNAL), 12..30),
        span(trace, 5, 3, ("shop", "publish order", PRODUCER), 40..50),
        span(trace, 6, 5, ("mailer", "process order", CONSUMER), 2_000..4_000),
        span(trace, 7, 6, ("mailer", "send", INTERNAL), 2_100..4_500),
    ]
}

fn orders(count: u8) -> Vec<Span> {
    (1..=count).flat_map(order).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_with_a_healthy_system() {
    let mut spans = orders(6);
    for trace in 20..26 {
        // What begins traces by nature: probes, timers, a consumer that links to its senders, parallel agents.
        spans.push(span(trace, 1, 0, ("shop", "GET /health", SERVER), 0..1));
        spans.push(span(trace + 20, 1, 0, ("shop", "sweep", INTERNAL), 5_000..5_900));
        let mut batch = span(trace + 40, 1, 0, ("mailer", "process batch", CONSUMER), 0..9);
        batch.links = vec![Link { trace_id: TraceId([1; 16]), ..Link::default() }];
        spans.push(batch);
    }
    for (number, times) in [(80, 0..900), (81, 100..800)] {
        let mut agent = span(number, 1, 0, ("agents", &format!("run {number}"), INTERNAL), times);
        agent.attributes = vec![text("gen_ai.operation.name", "invoke_agent")];
        spans.push(agent);
    }
    assert_eq!(found(&spans).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_without_their_context() {
    let mut spans = orders(3);
    spans.push(span(10, 1, 0, ("mailer", "process order", CONSUMER), 0..9));
    spans.push(span(11, 1, 0, ("mailer", "process order", CONSUMER), 0..9));
    let mut marked = span(12, 1, 0, ("hub", "consume_event", INTERNAL), 0..9);
    marked.attributes = vec![Attribute::new("messaging.context.missing", Value::Bool(true))];
    spans.push(marked);
    let expect = [line("brokenChain", "process order", 2), line("brokenChain", "consume_event", 1)];
    assert_eq!(found(&spans).await, expect);
    // The trace itself says so too.
    let fixture = Fixture::new().await;
    fixture.send(&spans).await;
    for (trace, findings) in [(1, 0), (10, 1), (12, 1)] {
        let run = fixture.engine.run(&TenantId::default(), TraceId([trace; 16])).await.unwrap().unwrap();
        let kinds: Vec<_> = run.findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, vec!["brokenChain"; findings]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_that_others_are_not() {
    let mut spans = orders(6);
    // The same operations begin traces elsewhere.
    spans.push(span(10, 4, 0, ("shop", "price", INTERNAL), 5_000..5_010));
    spans.push(span(11, 3, 0, ("shop", "POST /buy", SERVER), 5_000..5_010));
    // Operations that are there once, of a service that is called by others: a stream that begins by itself ...
    spans.push(span(12, 3, 0, ("shop", "subscribe", SERVER), 5_000..5_010));
    // ... and where names tell requests apart.
    for number in 0..9u64 {
        let name = format!("GET /stock/{number}");
        let parent = if number == 7 { 0 } else { 2 };
        spans.push(span(1, 100 + number, 1, ("gateway", "GET", CLIENT), 20..30));
        spans.push(span(1, 200 + number, parent, ("stock", &name, SERVER), 22..28));
    }
    let expect = [
        line("suspiciousRoot", "POST /buy", 1),
        line("suspiciousRoot", "price", 1),
        line("suspiciousRoot", "GET /stock/7", 1),
    ];
    assert_eq!(found(&spans).await, expect);
}

#[tokio::test(flavor = "multi_thread")]
async fn children_started_without_a_context() {
    let parent = || span(1, 1, 0, ("agent", "workflow", INTERNAL), 0..100);
    let fresh = |trace, times: Range<u64>| {
        // Times are those of the first trace.
        let mut fresh = span(1, 1, 0, ("agent", "calculate", INTERNAL), times);
        fresh.trace_id = TraceId([trace; 16]);
        fresh
    };
    let suspicious = |spans| vec![line("suspiciousRoot", "calculate", spans)];
    assert_eq!(found(&[parent(), fresh(2, 10..90)]).await, suspicious(1));
    // Several at once, with what they do.
    let mut below = fresh(2, 20..70);
    (below.span_id, below.parent_span_id) = (SpanId([9; 8]), Some(SpanId(1u64.to_be_bytes())));
    assert_eq!(found(&[parent(), fresh(2, 10..90), below, fresh(3, 12..80)]).await, suspicious(2));
    // The parent did something else meanwhile, or ended before it.
    let busy = span(1, 2, 1, ("agent", "chat", CLIENT), 20..60);
    assert_eq!(found(&[parent(), busy, fresh(2, 10..90)]).await, []);
    assert_eq!(found(&[parent(), fresh(2, 10..190)]).await, []);
    // Another trace was at work in the process; or another of the kind began outside of anything.
    let mut other = span(1, 1, 0, ("agent", "other", SERVER), 5..200);
    other.trace_id = TraceId([7; 16]);
    assert_eq!(found(&[parent(), other, fresh(2, 10..90)]).await, []);
    assert_eq!(found(&[parent(), fresh(2, 10..90), fresh(3, 500..600)]).await, []);
    // Another process has another resource.
    let mut elsewhere = fresh(2, 10..90);
    elsewhere.resource = resource("other");
    assert_eq!(found(&[parent(), elsewhere]).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn parents_that_never_came() {
    let mut spans = orders(2);
    spans.retain(|span| span.name != "POST");
    assert_eq!(found(&spans).await, [line("orphan", "POST /buy", 2)]);
    let fixture = Fixture::new().await;
    fixture.send(&spans).await;
    // While spans of a trace still come, so may the parent: the last of the second trace ended later.
    let settled = Timestamp((BASE + 10_000 + 4_500) * 1_000_000);
    let result = ask(&fixture, FindingsRequest { settled, ..request() }).await;
    let examples: Vec<_> = result.groups.iter().flat_map(|group| &group.examples).collect();
    assert_eq!((examples.len(), examples[0].trace_id), (1, TraceId([1; 16])));
    assert!(examples[0].why.starts_with("its parent 0000000000000002 never came"), "{}", examples[0].why);
}

#[tokio::test(flavor = "multi_thread")]
async fn parents_are_looked_for_beyond_the_range() {
    let fixture = Fixture::new().await;
    let mut spans = orders(2);
    spans.retain(|span| span.trace_id != TraceId([2; 16]) || span.name != "publish order");
    let (early, late): (Vec<_>, Vec<_>) = spans.into_iter().partition(|span| span.name != "process order");
    fixture.send(&early).await;
    fixture.storage.seal().await.unwrap();
    fixture.send(&late).await;
    let at = |milliseconds: u64| Timestamp((BASE + 10_000 + milliseconds) * 1_000_000);
    let range = TimeRange { from: at(1_000), to: Timestamp(u64::MAX) };
    let result = ask(&fixture, FindingsRequest { range, ..request() }).await;
    let group = &result.groups[0];
    assert_eq!(
        (result.groups.len(), group.kind, group.spans, result.complete),
        (1, FindingKind::Orphan, 1, true)
    );
    assert_eq!((group.operation.name.as_str(), group.of), ("process order", 2));
    // The trace goes on after the range's end.
    let range = TimeRange { from: at(1_000), to: at(12_050) };
    let settled = at(13_000);
    assert_eq!(ask(&fixture, FindingsRequest { range, settled, ..request() }).await.groups, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ() {
    let mut spans = orders(2);
    for span in spans.iter_mut().filter(|span| span.name == "POST /buy") {
        span.start = Timestamp(span.start.0 - 20_000_000);
    }
    assert_eq!(found(&spans).await, [line("clockSkew", "POST /buy", 2)]);
    let fixture = Fixture::new().await;
    fixture.send(&spans).await;
    let result = ask(&fixture, request()).await;
    let why = &result.groups[0].examples[0].why;
    assert_eq!(why, "it starts 15 ms before its parent, which gateway sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_narrowed_and_bounded() {
    let fixture = Fixture::new().await;
    let mut spans = orders(8);
    spans.retain(|span| span.name != "POST");
    spans.push(span(50, 1, 0, ("mailer", "process order", CONSUMER), 0..9));
    // A span that was sent again is one.
    fixture.send(&spans).await;
    fixture.storage.seal().await.unwrap();
    fixture.send(&spans).await;
    let result = ask(&fixture, request()).await;
    assert_eq!((result.groups.len(), result.totals), (2, [1, 0, 8, 0]));
    let orphans = &result.groups[0];
    let newest = orphans.examples.iter().map(|example| example.trace_id.0[0]).collect::<Vec<_>>();
    assert_eq!((orphans.spans, orphans.of, newest), (8, 8, vec![8, 7, 6, 5, 4]));
    let kind = Some(FindingKind::BrokenChain);
    let result = ask(&fixture, FindingsRequest { kind, ..request() }).await;
    assert_eq!(
        (result.groups.len(), result.groups[0].kind, result.totals),
        (1, FindingKind::BrokenChain, [1, 0, 8, 0])
    );
    let service = Some("shop".to_owned());
    let result = ask(&fixture, FindingsRequest { service, ..request() }).await;
    assert_eq!((result.groups.len(), result.totals), (1, [0, 0, 8, 0]));
    let result = ask(&fixture, FindingsRequest { limit: 1, ..request() }).await;
    assert_eq!((result.groups.len(), result.complete), (1, false));
}
