//! What real senders write that is not quite OTLP's JSON, and JSON that means harm.

use super::json::{IDS, check_value, read, span};
use crate::{Attribute, Signal, Value};
use expect_test::{Expect, expect};

fn rejections(fields: &str) -> (u64, String) {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#);
    let batch = read(Signal::Traces, &json).unwrap();
    (batch.accepted, batch.rejected.reasons.join("\n"))
}

#[test]
fn plain_values() {
    check_value("5", Value::Int(5));
    check_value("-9007199254740993", Value::Int(-9_007_199_254_740_993));
    check_value("1.5", Value::Double(1.5));
    check_value("true", Value::Bool(true));
    check_value(
        r#"[1,"a",null]"#,
        Value::Array(vec![Value::Int(1), Value::String("a".into()), Value::Empty]),
    );
    check_value(
        r#"{"arrayValue":{"values":[null,7,{"stringValue":"x"}]}}"#,
        Value::Array(vec![Value::Empty, Value::Int(7), Value::String("x".into())]),
    );
    check_value(r#"{"futureValue":1}"#, Value::Empty);
    check_value(r#"{"futureValue":1,"boolValue":true}"#, Value::Bool(true));
}

#[test]
fn a_plain_object_keeps_order_duplicates_and_types() {
    let span = span(r#""attributes":{"z":1,"m":{"y":[],"x":null,"y":"2"},"o":{"intValue":"7"},"z":2}"#);
    let nested = vec![
        Attribute::new("y", Value::Array(Vec::new())),
        Attribute::new("x", Value::Empty),
        Attribute::new("y", Value::String("2".into())),
    ];
    assert_eq!(
        span.attributes,
        [
            Attribute::new("z", Value::Int(1)),
            Attribute::new("m", Value::Map(nested)),
            Attribute::new("o", Value::Int(7)),
            Attribute::new("z", Value::Int(2)),
        ]
    );
}

#[test]
fn scalars() {
    assert_eq!(span(r#""kind":"client""#).kind, 3);
    assert_eq!(span(r#""kind":"2""#).kind, 2);
    assert_eq!(span(r#""status":{"code":"error"}"#).status.code, 2);
    assert_eq!(span(r#""startTimeUnixNano":1.7e15"#).start.0, 1_700_000_000_000_000);
    assert_eq!(span(r#""droppedAttributesCount":"3""#).dropped_attributes, 3);
    assert_eq!(span(r#""name":"cut \ud83d.""#).name, "cut \u{fffd}.");
    let link = &span(&format!(r#""links":[{{{IDS}}}]"#)).links[0];
    assert_eq!(link.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[test]
fn ids() {
    let check = |fields: &str, expect: Expect| {
        let (accepted, reasons) = rejections(fields);
        expect.assert_eq(&format!("{accepted} {reasons}"));
    };
    check(r#""traceId":"S/kvNXezTaajzpKdDg5HNg==","spanId":"APBnqgupArc=""#, expect!["1 "]);
    check(
        r#""traceId":"a1b2c3d4e5f67890","spanId":"00f067aa0ba902b7""#,
        expect![
            "0 span 1: its trace id a1b2c3d4e5f67890 has 8 bytes instead of 16; pad it with zeros on the left"
        ],
    );
    check(
        r#""traceId":"not an id 16byte","spanId":"00f067aa0ba902b7""#,
        expect![[r#"0 span 1: its trace id is "not an id 16byte"; write it as 32 hex digits"#]],
    );
    check(
        &format!(r#"{IDS},"parentSpanId":17"#),
        expect!["0 span 1: its parent span id 17 has 1 bytes instead of 8; pad it with zeros on the left"],
    );
}

#[test]
fn other_signals_are_told_apart() {
    let check = |signal, json: &str, expect: Expect| {
        let answer = read(signal, json).map(|batch| batch.accepted);
        expect.assert_eq(&format!("{answer:?}"));
    };
    let logs = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}"#;
    check(
        Signal::Traces,
        logs,
        expect![[r#"Err("this looks like logs; send them to /v1/logs (at byte 0)")"#]],
    );
    check(
        Signal::Logs,
        r#"{"resource_spans":[]}"#,
        expect![[r#"Err("this looks like traces; send them to /v1/traces (at byte 0)")"#]],
    );
    check(Signal::Logs, logs, expect!["Ok(1)"]);
    check(Signal::Logs, &format!("\u{feff}{logs}\r\n{logs}"), expect!["Ok(2)"]);
    check(Signal::Logs, r#"{"unknown":1}"#, expect!["Ok(0)"]);
}

#[test]
fn nesting_is_bounded_wherever_it_is() {
    // What is skipped or kept as text may nest; what is followed may not.
    let check = |open: &str, close: &str, places: &[(&str, bool)]| {
        let deep = format!("{}{}", open.repeat(50_000), close.repeat(50_000));
        for (place, accepted) in places {
            let json = format!(
                r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{IDS},"{place}":{deep}}}]}}]}}]}}"#
            );
            let batch = read(Signal::Traces, &json).unwrap();
            assert_eq!(batch.accepted == 1, *accepted, "{place} {open}");
            assert_eq!(batch.accepted + batch.rejected.count, 1, "{place} {open}");
        }
    };
    let places = [("kind", false), ("flags", false), ("links", false), ("name", true), ("surprise", true)];
    check("[", "]", &places);
    check(r#"{"attributes":["#, "]}", &[("kind", false), ("attributes", false), ("events", true)]);
    check(r#"{"a":["#, "]}", &[("attributes", false), ("status", true), ("surprise", true)]);
}
