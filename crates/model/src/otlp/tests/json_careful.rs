//! JSON with something wrong in an item: the item is refused with the reason, the rest is kept, as with protobuf.

use super::generate;
use super::json::{IDS, read};
use crate::batch::{Batch, Encoding};
use crate::otlp::{self, decode};
use crate::{Attribute, LogRecord, MetricPoint, Signal, Span, SpanId, TenantId, TraceId, Value};
use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, proptest};
use proptest::{prop_assert, prop_assert_eq};

/// What is told of a request: items kept and refused, and why.
fn told(signal: Signal, json: &str) -> String {
    let batch = read(signal, json).unwrap();
    format!("{} {} {}", batch.accepted, batch.rejected.count, batch.rejected.reasons.join("; "))
}

#[test]
fn a_bad_span_costs_itself() {
    let check = |fields: &str, expect: Expect| {
        let good = format!(r#"{{{IDS},"name":"good"}}"#);
        let json = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{good},{{{IDS},"name":"odd",{fields}}},{good}]}}]}}]}}"#
        );
        expect.assert_eq(&told(Signal::Traces, &json));
    };
    check(
        r#""startTimeUnixNano":"soon""#,
        expect![[
            r#"2 1 span 2 "odd": its startTimeUnixNano: "soon" is not a whole number in range for startTimeUnixNano"#
        ]],
    );
    check(
        r#""kind":"SPAN_KIND_FUTURE""#,
        expect![[r#"2 1 span 2 "odd": its kind: "SPAN_KIND_FUTURE" is not a known name or number for kind"#]],
    );
    check(
        r#""status":"OK""#,
        expect![[
            r#"2 1 span 2 "odd": its status: invalid type: string "OK", expected an object or a list of objects for status"#
        ]],
    );
    check(
        r#""flags":8589934592"#,
        expect![[r#"2 1 span 2 "odd": its flags: "8589934592" is not a whole number in range for flags"#]],
    );
    check(
        r#""attributes":[5]"#,
        expect![[r#"2 1 span 2 "odd": its attributes: invalid type: integer `5`, expected an object"#]],
    );
    check(
        r#""attributes":[{"key":"b","value":{"bytesValue":"***"}}]"#,
        expect![[r#"2 1 span 2 "odd": its attributes: "***" is not base64 for bytesValue"#]],
    );
    check(
        r#""attributes":[{"key":"b","value":{"boolValue":"yes"}}]"#,
        expect![[r#"2 1 span 2 "odd": its attributes: "yes" is not true or false for boolValue"#]],
    );
    check(
        r#""attributes":{"\ud83d":1}"#,
        expect![[r#"2 1 span 2 "odd": its attributes: unexpected end of hex escape"#]],
    );
    check(r#""\ud83d":1"#, expect!["2 1 span 2: unexpected end of hex escape"]);
    check(
        r#""events":["boom"]"#,
        expect![[r#"2 1 span 2 "odd": its events: invalid type: string "boom", expected an object"#]],
    );
    check(
        &format!(r#""events":["{}"]"#, "x".repeat(100_000)),
        expect![[
            r#"2 1 span 2 "odd": its events: invalid type: string "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"#
        ]],
    );
}

#[test]
fn what_is_no_item_is_refused_alone() {
    let check = |signal, json: &str, expect: Expect| expect.assert_eq(&told(signal, json));
    let span = format!("{{{IDS}}}");
    check(
        Signal::Traces,
        &format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[5,{span},null]}}]}}]}}"#),
        expect!["1 1 span 1: invalid type: integer `5`, expected an object"],
    );
    check(
        Signal::Traces,
        &format!(r#"{{"resourceSpans":{{"scopeSpans":{{"spans":{span}}},"resource":7}}}}"#),
        expect!["0 1 span 1: its resource: invalid type: integer `7`, expected an object"],
    );
    check(
        Signal::Traces,
        &format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"attributes":[7]}},"spans":[{span}]}},{{"spans":[{span}]}}]}}]}}"#
        ),
        expect!["1 1 span 1: its scope: its attributes: invalid type: integer `7`, expected an object"],
    );
    check(
        Signal::Logs,
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":"LOUD"},{"body":{"stringValue":"x"}}]}]}]}"#,
        expect![[
            r#"1 1 log record 1: its severityNumber: "LOUD" is not a known name or number for severityNumber"#
        ]],
    );
    check(
        Signal::Metrics,
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
            {"name":"m","sum":{"dataPoints":[{"asInt":"1"},{"asInt":"many"},{"asInt":"3"}]}},
            {"name":"n","sum":{"dataPoints":[{},{}],"aggregationTemporality":"SOME"}},
            {"name":"o","gauge":{"dataPoints":[{"asDouble":1}]}}]}]}]}"#,
        expect![[
            r#"3 3 metric 1 "m": its asInt: "many" is not a whole number in range for asInt; metric 2 "n": its aggregationTemporality: "SOME" is not a known name or number for aggregationTemporality"#
        ]],
    );
}

/// A value below so many others.
fn nested(levels: &[bool], innermost: Value) -> Value {
    levels.iter().fold(innermost, |value, is_map| match is_map {
        true => Value::Map(vec![Attribute { key: "k".to_owned(), value }]),
        false => Value::Array(vec![value]),
    })
}

#[test]
fn values_may_nest_as_deep_as_in_protobuf() {
    for is_map in [false, true] {
        for (levels, kept) in [(0, 2), (41, 2), (60, 2), (63, 2), (64, 1), (100, 1), (300, 1)] {
            let value = nested(&vec![is_map; levels], Value::Int(1));
            let odd = Span { attributes: vec![Attribute::new("deep", value)], ..span() };
            let wire = otlp::encode_spans(&[span(), odd]);
            let json = otlp::to_json(Signal::Traces, &wire);
            let batch = read(Signal::Traces, &json).unwrap();
            assert_eq!(batch.accepted, kept, "{levels} {is_map}");
            assert_eq!(batch.rejected.count, 2 - kept, "{levels} {is_map}");
            if kept < 2 {
                assert!(batch.rejected.reasons[0].contains("deeper than 64 levels"), "{:?}", batch.rejected);
            }
        }
    }
}

fn span() -> Span {
    Span { trace_id: TraceId([1; 16]), span_id: SpanId([2; 8]), ..Span::default() }
}

/// What became of each item: the values that were kept, in order, and how many were not.
fn outcome(signal: Signal, encoding: Encoding, wire: Vec<u8>) -> (Vec<String>, u64) {
    let batch = decode(TenantId::default(), signal, encoding, wire.into()).expect("it is a request");
    let each = |columns| match signal {
        Signal::Traces => otlp::spans(columns).iter().map(|item| format!("{item:?}")).collect::<Vec<_>>(),
        Signal::Logs => otlp::log_records(columns).iter().map(|item| format!("{item:?}")).collect(),
        Signal::Metrics => otlp::metric_points(columns).iter().map(|item| format!("{item:?}")).collect(),
    };
    let Batch { columns, rejected, .. } = batch;
    (columns.iter().flat_map(each).collect(), rejected.count)
}

fn any_depth() -> impl Strategy<Value = Value> {
    (vec(any::<bool>(), 0..80), generate::value()).prop_map(|(levels, value)| nested(&levels, value))
}

proptest! {
    /// Whatever a value is and however deep, JSON costs what protobuf costs.
    #[test]
    fn json_and_protobuf_keep_the_same_items(values in vec(any_depth(), 1..4), in_resource in any_depth()) {
        let attributes = |value: &Value| vec![Attribute::new("a", value.clone())];
        let resource = std::sync::Arc::new(crate::Resource { attributes: attributes(&in_resource), ..Default::default() });
        let spans: Vec<_> = values.iter().map(|value| Span { attributes: attributes(value), ..span() }).collect();
        let records: Vec<_> = values
            .iter()
            .map(|value| LogRecord { body: Some(value.clone()), resource: resource.clone(), ..LogRecord::default() })
            .collect();
        let points: Vec<_> = values
            .iter()
            .map(|value| MetricPoint { name: "m".to_owned(), attributes: attributes(value), ..MetricPoint::default() })
            .collect();
        for (signal, wire) in [
            (Signal::Traces, otlp::encode_spans(&spans)),
            (Signal::Logs, otlp::encode_log_records(&records)),
            (Signal::Metrics, otlp::encode_metric_points(&points)),
        ] {
            let json = otlp::to_json(signal, &wire).into_bytes();
            let protobuf = outcome(signal, Encoding::Protobuf, wire);
            prop_assert!(protobuf.0.len() as u64 + protobuf.1 == values.len() as u64);
            prop_assert_eq!(outcome(signal, Encoding::Json, json), protobuf);
        }
    }
}
