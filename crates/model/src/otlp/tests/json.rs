//! OTLP's JSON as real senders write it.

use crate::batch::Encoding;
use crate::otlp::{self, decode};
use crate::{Signal, Span, TenantId, Value};
use expect_test::{Expect, expect};

pub const IDS: &str = r#""traceId":"4BF92F3577B34DA6A3CE929D0E0E4736","spanId":"00f067aa0ba902b7""#;

pub fn read(signal: Signal, json: &str) -> Result<crate::Batch, String> {
    let json = bytes::Bytes::copy_from_slice(json.as_bytes());
    decode(TenantId::default(), signal, Encoding::Json, json).map_err(|error| error.to_string())
}

pub fn span(fields: &str) -> Span {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{IDS},{fields}}}]}}]}}]}}"#);
    let batch = read(Signal::Traces, &json).unwrap();
    assert_eq!(batch.rejected.reasons, Vec::<String>::new());
    otlp::spans(&batch.columns[0]).remove(0)
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
pub fn check_value(json: &str, expect: Value) {
    let span = span(&format!(r#""attributes":[{{"key":"k","value":{json}}}]"#));
    assert_eq!(span.attributes[0].value, expect, "{json}");
}

#[test]
fn values() {
    check_value(r#"{"intValue":"9223372036854775807"}"#, Value::Int(i64::MAX));
    check_value(r#"{"intValue":-9007199254740993}"#, Value::Int(-9_007_199_254_740_993));
    check_value(r#"{"int_value":7}"#, Value::Int(7));
    check_value(r#"{"doubleValue":"NaN"}"#, Value::Double(f64::NAN));
    check_value(r#"{"doubleValue":1}"#, Value::Double(1.0));
    check_value(r#"{"doubleValue":"-Infinity"}"#, Value::Double(f64::NEG_INFINITY));
    check_value(r#"{"bytesValue":"AAH/"}"#, Value::Bytes(vec![0, 1, 255]));
    check_value(r#"{"boolValue":false}"#, Value::Bool(false));
    check_value(r#"{"stringValue":"a\u00e9\n"}"#, Value::String("aé\n".to_owned()));
    // What OTLP's integers cannot say, but JavaScript writes as one.
    check_value(r#"{"intValue":9223372036854775808}"#, Value::Double(9_223_372_036_854_775_808.0));
    check_value(r#"{"intValue":1e+21}"#, Value::Double(1e21));
    check_value(r#"{"intValue":"1.5"}"#, Value::Double(1.5));
    check_value(r#"{"intValue":1e18}"#, Value::Int(1_000_000_000_000_000_000));
    check_value(r#"{"intValue":-0}"#, Value::Int(0));
    check_value(r#"{"boolValue":1}"#, Value::Bool(true));
    check_value("{}", Value::Empty);
    check_value("null", Value::Empty);
    check_value(
        r#"{"arrayValue":{"values":[{"intValue":1},{}]}}"#,
        Value::Array(vec![Value::Int(1), Value::Empty]),
    );
    check_value(r#"{"arrayValue":{}}"#, Value::Array(Vec::new()));
    check_value(
        r#"{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}}]}}"#,
        Value::Map(vec![crate::Attribute::new("a", Value::Bool(true))]),
    );
    check_value(r#""bare""#, Value::String("bare".to_owned()));
}

#[test]
fn spans() {
    assert_eq!(span(r#""kind":"SPAN_KIND_SERVER""#).kind, 2);
    assert_eq!(span(r#""kind":3"#).kind, 3);
    assert_eq!(span(r#""status":{"code":"STATUS_CODE_ERROR"}"#).status.code, 2);
    assert_eq!(span(r#""status":{"code":2}"#).status.code, 2);
    assert_eq!(span(r#""start_time_unix_nano":"18446744073709551615""#).start.0, u64::MAX);
    assert_eq!(span(r#""startTimeUnixNano":1700000000000000001"#).start.0, 1_700_000_000_000_000_001);
    assert_eq!(span(r#""startTimeUnixNano":1.7645783025E+18"#).start.0, 1_764_578_302_500_000_000);
    assert_eq!(span(r#""startTimeUnixNano":1764578302500000000.0"#).start.0, 1_764_578_302_500_000_000);
    assert_eq!(span(r#""name":null,"events":null,"surprise":{"a":[1]}"#).name, "");
    let plain = span(r#""attributes":{"a":1,"b":"x"}"#);
    assert_eq!(plain.attributes.len(), 2);
    assert_eq!(span(r#""parentSpanId":"""#).parent_span_id, None);
}

#[test]
fn requests_one_per_line() {
    let line = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{IDS}}}]}}]}}]}}"#);
    assert_eq!(read(Signal::Traces, &format!("{line}\n{line}\n")).unwrap().accepted, 2);
    assert_eq!(read(Signal::Traces, "{}").unwrap().accepted, 0);
    assert_eq!(read(Signal::Traces, "").unwrap().accepted, 0);
}

#[test]
fn what_is_not_a_request_says_where() {
    let check = |json: &str, expect: Expect| expect.assert_eq(&read(Signal::Traces, json).unwrap_err());
    check(
        r#"{"resourceSpans":"#,
        expect![[
            r#"not an OTLP traces export request in JSON: EOF while parsing a value at line 1 column 17 (at byte 16)"#
        ]],
    );
    check(
        "[1]",
        expect![
            "not an OTLP traces export request in JSON: invalid type: sequence, expected an object with keys such as resourceSpans at line 1 column 1 (at byte 0)"
        ],
    );
    check(
        r#"{"resourceSpans":[{"scopeSpans":5}]}"#,
        expect![
            "not an OTLP traces export request in JSON: invalid type: integer `5`, expected an object or a list of objects for scopeSpans at line 1 column 33 (at byte 32)"
        ],
    );
}

#[test]
fn deep_nesting_is_refused_without_harm() {
    let deep = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(5_000), "]}}".repeat(5_000));
    let json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{IDS},"attributes":[{{"key":"k","value":{deep}}}]}}]}}]}}]}}"#
    );
    let batch = read(Signal::Traces, &json).unwrap();
    assert_eq!((batch.accepted, batch.rejected.count), (0, 1));
}
