//! What spans may hold, as it arrives. One telemetry for all cases: it is the process's.

use crate::receiver::{Receiver, spans, text};
use clew_sdk::opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use clew_sdk::opentelemetry::{Array, KeyValue, StringValue, Value};
use std::time::{Duration, Instant};

fn context(index: u64) -> SpanContext {
    let (trace, span) = (TraceId::from(u128::from(index)), SpanId::from(index));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default())
}

fn record() {
    let span = clew_sdk::span("full").start();
    for index in 0..200_i64 {
        // Keys of attributes live as long as the program.
        let key: &'static str = Box::leak(format!("key.{index}").into_boxed_str());
        span.set(key, index);
        span.event("event", vec![KeyValue::new("index", index)]);
    }
    span.end();
    let linked = (1..=200).fold(clew_sdk::span("linked"), |start, index| start.link(context(index)));
    linked.start().end();

    let span = clew_sdk::span("long").start();
    span.set("text", "ä".repeat(10_000));
    span.set(
        "texts",
        Value::Array(Array::String(vec![StringValue::from("b".repeat(10_000)), "short".into()])),
    );
    // Cut at the limit, it would be an address no more, and still tell whose.
    span.set("edge", format!("{} ada@example.com", "x".repeat(2_040)));
    span.set("twice", "first");
    span.set("twice", "last");
    span.set("user.email", "ada@example.com");
    span.set("api.key", "sk-abcdefgh12345678");
    span.set("note", "call me at ada@example.com");
    span.fail("timeout", "no answer with Bearer abcdefgh12345678");
    span.end();
}

#[test]
fn spans_are_bounded_redacted_and_counted() {
    let _alone = crate::alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder()
        .service("limits")
        .endpoint(receiver.endpoint())
        .header("api-key", "K")
        .build()
        .unwrap();
    record();
    telemetry.flush();
    let got = receiver.wait(Duration::from_secs(10), |got| spans(got).len() == 3);
    let all = spans(&got);
    let named = |name: &str| all.iter().find(|span| span.name == name).unwrap();

    let full = named("full");
    assert_eq!((full.attributes.len(), full.dropped_attributes_count), (128, 72));
    assert_eq!((full.events.len(), full.dropped_events_count), (128, 72));
    let linked = named("linked");
    assert_eq!((linked.links.len(), linked.dropped_links_count), (128, 72));

    let long = named("long");
    assert_eq!(text(&long.attributes, "text").unwrap().chars().count(), 2_048);
    let texts = long.attributes.iter().find(|attribute| attribute.key == "texts").unwrap();
    assert!(format!("{texts:?}").contains(&format!("\"{}\"", "b".repeat(2_048))));
    assert!(text(&long.attributes, "edge").unwrap().ends_with("x [redact"));
    assert_eq!(text(&long.attributes, "twice"), Some("last"));
    assert_eq!(long.attributes.iter().filter(|attribute| attribute.key == "twice").count(), 1);
    assert_eq!(text(&long.attributes, "user.email"), Some("[redacted]"));
    assert_eq!(text(&long.attributes, "note"), Some("call me at [redacted]"));
    for got in receiver.got() {
        assert!(got.headers.contains(&("api-key".to_owned(), "K".to_owned())), "{:?}", got.headers);
        let sent = String::from_utf8_lossy(&got.body).into_owned();
        assert!(!sent.contains("sk-abcdefgh") && !sent.contains("ada@example"), "{}", got.path);
        assert!(!sent.contains("Bearer abc"), "{}", got.path);
    }
    outage(receiver, &telemetry);
}

/// The receiver goes and comes back: nobody waits, the queue stays bounded, and what comes after arrives.
fn outage(receiver: Receiver, telemetry: &clew_sdk::Telemetry) {
    let address = receiver.address;
    drop(receiver);
    let before = telemetry.counts();
    let mut slowest = Duration::ZERO;
    for index in 0..20_000_i64 {
        let started = Instant::now();
        clew_sdk::span("lost").set("index", index).start().end();
        slowest = slowest.max(started.elapsed());
    }
    telemetry.flush();
    let lost = telemetry.counts();
    assert_eq!(lost.created - before.created, 20_000);
    assert_eq!(lost.ended - before.ended, 20_000);
    assert_eq!(lost.exported, before.exported);
    assert_eq!(lost.dropped - before.dropped, 20_000);
    // A machine under load may pause any thread; an export would have taken far longer than this.
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");

    let receiver = Receiver::at(address);
    clew_sdk::span("found").start().end();
    telemetry.flush();
    let got = receiver.wait(Duration::from_secs(10), |got| !spans(got).is_empty());
    assert_eq!(spans(&got).iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["found"]);
    let after = telemetry.counts();
    assert_eq!(after.exported - lost.exported, 1);
}

#[test]
fn what_is_refused_for_now_is_sent_again() {
    let _alone = crate::alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder().service("busy").endpoint(receiver.endpoint()).build().unwrap();
    let before = telemetry.counts();
    receiver.be_busy("/v1/traces", 2);
    clew_sdk::span("patient").start().end();
    telemetry.flush();
    let after = telemetry.counts();
    assert_eq!((after.exported - before.exported, after.dropped - before.dropped), (1, 0));
    assert_eq!(spans(&receiver.got()).len(), 1);
}

#[test]
fn a_receiver_that_hangs_costs_its_timeout_and_no_more() {
    let _alone = crate::alone();
    // It takes connections, as its backlog does, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let telemetry = clew_sdk::builder().service("hangs").endpoint(endpoint);
    let telemetry = telemetry.timeout(Duration::from_millis(300)).build().unwrap();
    let before = telemetry.counts();
    clew_sdk::span("unheard").start().end();
    let started = Instant::now();
    telemetry.flush();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    let after = telemetry.counts();
    assert_eq!((after.exported - before.exported, after.dropped - before.dropped), (0, 1));
    drop(telemetry);
    drop(silent);
}

#[test]
fn a_full_batch_goes_at_once_and_the_rest_after_the_delay() {
    let _alone = crate::alone();
    let receiver = Receiver::start();
    let delay = Duration::from_secs(4);
    let batch = clew_sdk::Batch { delay, ..clew_sdk::Batch::default() };
    let telemetry = clew_sdk::builder().service("batch").endpoint(receiver.endpoint()).batch(batch);
    let telemetry = telemetry.build().unwrap();
    let started = Instant::now();
    for _ in 0..513 {
        clew_sdk::span("step").start().end();
    }
    let first = receiver.wait(delay, |got| !spans(got).is_empty());
    assert_eq!(spans(&first).len(), 512);
    assert!(started.elapsed() < delay);
    receiver.wait(delay * 3, |got| spans(got).len() == 513);
    drop(telemetry);
}
