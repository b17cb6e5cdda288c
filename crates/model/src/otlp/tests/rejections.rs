//! Items that cannot be kept cost only themselves.

use crate::batch::Encoding;
use crate::otlp::wire::{put_bytes, put_message};
use crate::otlp::{self, decode, spans};
use crate::{LogRecord, MetricPoint, Signal, Span, SpanId, TenantId, Timestamp, TraceId, Value};
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
        expect!["span 2: it has no trace id (it is empty or all zero); every span needs one"],
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
fn reasons_name_the_span() {
    check(
        |out| {
            put_bytes(out, 1, &[1; 16]);
            put_bytes(out, 2, &[0; 8]);
            put_bytes(out, 5, b"chat gpt-4o");
        },
        expect![[
            r#"span 2 "chat gpt-4o": it has no span id (it is empty or all zero); every span needs one"#
        ]],
    );
    check(
        |out| {
            put_bytes(out, 1, &[1; 16]);
            put_bytes(out, 2, &[1; 8]);
            put_message(out, 13, |link| put_bytes(link, 1, &[7; 8]));
        },
        expect![
            "span 2: its link's trace id 0707070707070707 has 8 bytes instead of 16; pad it with zeros on the left"
        ],
    );
    check(
        |out| {
            put_bytes(out, 1, &[1; 16]);
            put_bytes(out, 2, &[1; 8]);
            put_bytes(out, 9, &[0x0a, 5, b'k']);
        },
        expect!["span 2: a field is longer than what is left at byte 100"],
    );
}

#[test]
fn what_the_context_has_wrong_costs_its_items() {
    let check = |write: &dyn Fn(&mut Vec<u8>), expect: Expect| {
        let mut wire = otlp::encode_spans(&[good()]);
        let span = wire.clone();
        wire.extend_from_slice(&span);
        put_message(&mut wire, 1, |out| {
            put_message(out, 2, |out| put_message(out, 2, |span| spans::put_span(span, &good())));
            write(out);
        });
        let batch = decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, wire.into()).unwrap();
        assert_eq!((batch.accepted, batch.rejected.count), (2, 1));
        expect.assert_eq(&batch.rejected.reasons.join("\n"));
    };
    check(
        &|out| put_bytes(out, 3, &[0xff]),
        expect![[
            r#"span 3 "good": its resource: its schema URL is not UTF-8 at byte 184; send bytes as bytesValue"#
        ]],
    );
    check(
        &|out| put_message(out, 1, |out| put_message(out, 1, |entry| put_bytes(entry, 1, &[0xff]))),
        expect![[
            r#"span 3 "good": its resource: an attribute's key is not UTF-8 at byte 188; send bytes as bytesValue"#
        ]],
    );
}

#[test]
fn status_code_two_is_an_error() {
    let status = crate::span::Status { code: 2, message: "boom".to_owned() };
    let span = Span { status: status.clone(), ..good() };
    let wire = otlp::encode_spans(&[span]);
    let batch = decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, wire.into()).unwrap();
    assert_eq!(otlp::spans(&batch.columns[0])[0].status, status);
}

#[test]
fn points_are_counted_one_by_one() {
    let mut wire = otlp::encode_metric_points(&[point()]);
    put_message(&mut wire, 1, |out| {
        put_message(out, 2, |out| {
            put_message(out, 2, |metric| {
                put_message(metric, 7, |sum| (0..3).for_each(|_| put_bytes(sum, 1, &[])));
            });
            put_message(out, 2, |metric| {
                put_bytes(metric, 1, b"m");
                put_message(metric, 5, |gauge| {
                    put_bytes(gauge, 1, &[]);
                    put_message(gauge, 1, |bad| put_bytes(bad, 7, &[0x0a, 1, 0xff]));
                });
            });
        });
    });
    let batch = decode(TenantId::default(), Signal::Metrics, Encoding::Protobuf, wire.into()).unwrap();
    assert_eq!((batch.accepted, batch.rejected.count), (2, 4));
    expect![[r#"
        metric 2: it has no name; every metric needs one
        metric 3 "m": an attribute's key is not UTF-8 at byte 75; send bytes as bytesValue"#]]
    .assert_eq(&batch.rejected.reasons.join("\n"));
}

fn point() -> MetricPoint {
    MetricPoint { name: "agent.tokens".to_owned(), time: Timestamp(5), ..MetricPoint::default() }
}

#[test]
fn other_signals_are_recognised() {
    let record =
        LogRecord { time: Timestamp(5), body: Some(Value::String("b".into())), ..Default::default() };
    let wires = [
        otlp::encode_spans(&[good(), Span { start: Timestamp(1), ..good() }]),
        otlp::encode_log_records(&[record.clone(), record]),
        otlp::encode_metric_points(&[point(), point()]),
    ];
    for (sent, wire) in Signal::ALL.into_iter().zip(&wires) {
        for read in Signal::ALL {
            let batch = decode(TenantId::default(), read, Encoding::Protobuf, wire.clone().into()).unwrap();
            let expected = if sent == read { (2, 0) } else { (0, 2) };
            assert_eq!((batch.accepted, batch.rejected.count), expected, "{sent} read as {read}");
            let told = format!("this looks like {sent}; send them to /v1/{sent}");
            let found = batch.rejected.reasons.first() == Some(&told);
            assert_eq!(found, sent != read, "{sent} as {read}: {:?}", batch.rejected.reasons);
        }
    }
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
