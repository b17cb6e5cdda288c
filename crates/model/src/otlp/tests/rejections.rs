//! Items that cannot be kept cost only themselves.

use crate::batch::Encoding;
use crate::otlp::wire::{put_bytes, put_message};
use crate::otlp::{self, decode};
use crate::{Signal, Span, SpanId, TenantId, TraceId, Value};
use expect_test::{Expect, expect};

fn good() -> Span {
    Span { trace_id: TraceId([1; 16]), span_id: SpanId([2; 8]), name: "good".to_owned(), ..Span::default() }
}

/// A request of a good span and one with these fields.
fn request(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut wire = otlp::encode_spans(&[good()]);
    put_message(&mut wire, 1, |out| put_message(out, 2, |out| put_message(out, 2, write)));
    wire
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn check(write: impl FnOnce(&mut Vec<u8>), expect: Expect) {
    let batch =
        decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, request(write).into()).unwrap();
    assert_eq!((batch.accepted, batch.rejected.count), (1, 1));
    expect.assert_eq(&batch.rejected.reasons.join("\n"));
}

#[test]
fn bad_spans() {
    check(
        |out| put_bytes(out, 1, &[0; 16]),
        expect![[
            r#"span 2: "" has no trace id (it is empty or all zero); every span needs one. If these are log records, send them to /v1/logs"#
        ]],
    );
    check(
        |out| put_bytes(out, 1, &[0xa1; 8]),
        expect![[
            r#"span 2: its trace id a1a1a1a1a1a1a1a1 has 8 bytes instead of 16; pad it with zeros on the left"#
        ]],
    );
    check(
        |out| {
            put_bytes(out, 1, &[1; 16]);
            put_bytes(out, 2, &[1; 9]);
        },
        expect![[r#"span 2: its span id 010101010101010101 has 9 bytes instead of 8"#]],
    );
    check(
        |out| put_bytes(out, 5, &[0xff]),
        expect![[r#"span 2: its name is not UTF-8 at byte 70; send bytes as bytesValue"#]],
    );
}

#[test]
fn deep_values_are_refused() {
    let mut value = Value::Int(1);
    for _ in 0..100 {
        value = Value::Array(vec![value]);
    }
    let span = Span { attributes: vec![crate::Attribute::new("deep", value)], ..good() };
    let wire = otlp::encode_spans(&[span, Span { span_id: SpanId([3; 8]), ..good() }]);
    let batch = decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, wire.into()).unwrap();
    assert_eq!((batch.accepted, batch.rejected.count), (1, 1));
    assert!(batch.rejected.reasons[0].contains("deeper than 64"));
}

#[test]
fn what_is_not_a_request_says_where() {
    let check = |wire: &'static [u8], expect: Expect| {
        let error = decode(TenantId::default(), Signal::Logs, Encoding::Protobuf, wire.into()).unwrap_err();
        expect.assert_eq(&error.to_string());
    };
    check(
        b"hello",
        expect![
            "not an OTLP logs export request in protobuf: a field has an unknown wire type; check the content type and that nothing on the way changed the body (at byte 3)"
        ],
    );
    check(
        &[0x0a, 0xff],
        expect![[
            r#"not an OTLP logs export request in protobuf: the bytes end within a number; check the content type and that nothing on the way changed the body (at byte 1)"#
        ]],
    );
}

#[test]
fn twenty_megabytes_in_one_value() {
    let text = "clew".repeat(5 << 20);
    let span = Span { attributes: vec![crate::Attribute::new("prompt", Value::String(text))], ..good() };
    let wire = otlp::encode_spans(std::slice::from_ref(&span));
    let batch = decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, wire.into()).unwrap();
    assert_eq!(otlp::spans(&batch.columns[0]), [span]);
}
