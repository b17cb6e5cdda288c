//! Round trips, and bytes of any kind.

use super::generate;
use super::json_metrics::JSON as METRICS;
use crate::batch::{Batch, Encoding};
use crate::metric::Number;
use crate::otlp::{self, decode};
use crate::value::Attribute;
use crate::{MetricPoint, Signal, TenantId, Value};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::{prop_assert_eq, sample};

const JSON: [(Signal, &str); 3] = [
    (
        Signal::Traces,
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeSpans":[{"scope":{"name":"n"},"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"op","kind":"SPAN_KIND_CLIENT","startTimeUnixNano":"17","attributes":{"a":[1,{"b":null}],"c":{"doubleValue":"NaN"}},"events":[{"timeUnixNano":1,"name":"e"}],"links":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7"}],"status":{"code":2}}]}]}]}"#,
    ),
    (
        Signal::Logs,
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","severityNumber":"INFO","body":{"kvlistValue":{"values":[{"key":"k","value":{"bytesValue":"AA=="}}]}},"attributes":[{"key":"\ud83d\ude00","value":{"intValue":"-1"}}],"eventName":"e"}]}],"schemaUrl":"u"}]}"#,
    ),
    (Signal::Metrics, METRICS),
];

fn decoded(signal: Signal, wire: Vec<u8>) -> Batch {
    let batch =
        decode(TenantId::default(), signal, Encoding::Protobuf, wire.into()).expect("what we encode decodes");
    assert_eq!(batch.rejected.count, 0, "{:?}", batch.rejected.reasons);
    batch
}

/// The order between keys is not kept; the order of one key's values is.
fn by_key(attributes: &[Attribute]) -> Vec<Attribute> {
    let mut sorted = attributes.to_vec();
    sorted.sort_by(|left, right| left.key.cmp(&right.key));
    sorted
}

fn assert_attributes(found: &[Attribute], sent: &[Attribute]) {
    assert_eq!(by_key(found), by_key(sent));
}

/// What stands in a row's tail is told in the schema's metadata.
fn assert_tail_keys(columns: &arrow::array::RecordBatch) {
    let schema = columns.schema();
    let told = &schema.metadata()[crate::schema::TAIL_KEYS];
    let told: std::collections::BTreeSet<String> = serde_json::from_str(told).unwrap();
    let cells = otlp::columns::Columns::new(columns);
    let mut found = std::collections::BTreeSet::new();
    for row in 0..columns.num_rows() {
        let tail = cells.bytes(crate::schema::ATTRIBUTES_TAIL, row).unwrap_or_default();
        let attributes = otlp::tail_attributes(tail);
        for Attribute { key, .. } in &attributes {
            let first = attributes.iter().find(|other| other.key == *key).map(|first| first.value.clone());
            assert_eq!(otlp::tail_find(tail, key).map(otlp::any_value), first);
            found.insert(key.clone());
        }
        let mut encoded = Vec::new();
        attributes.iter().for_each(|attribute| otlp::encode_attribute(attribute, &mut encoded));
        assert_eq!(otlp::tail_attributes(&encoded), attributes);
    }
    assert_eq!(found, told);
}

proptest! {
    #[test]
    fn spans_round_trip(mut spans in vec(generate::span(), 1..6)) {
        let batch = decoded(Signal::Traces, otlp::encode_spans(&spans));
        let found: Vec<_> = batch.columns.iter().flat_map(otlp::spans).collect();
        prop_assert_eq!(found.len(), spans.len());
        spans.sort_by_key(|span| (span.trace_id, span.start));
        for (mut found, mut sent) in found.into_iter().zip(spans) {
            assert_attributes(&found.attributes, &sent.attributes);
            found.attributes.clear();
            sent.attributes.clear();
            prop_assert_eq!(found, sent);
        }
    }

    #[test]
    fn log_records_round_trip(records in vec(generate::log_record(), 1..6)) {
        let batch = decoded(Signal::Logs, otlp::encode_log_records(&records));
        let found: Vec<_> = batch.columns.iter().flat_map(otlp::log_records).collect();
        prop_assert_eq!(found.len(), records.len());
        for (mut found, mut sent) in found.into_iter().zip(records) {
            assert_attributes(&found.attributes, &sent.attributes);
            found.attributes.clear();
            sent.attributes.clear();
            prop_assert_eq!(found, sent);
        }
    }

    #[test]
    fn points_round_trip(points in vec(generate::point(), 1..6)) {
        let batch = decoded(Signal::Metrics, otlp::encode_metric_points(&points));
        let found: Vec<_> = batch.columns.iter().flat_map(otlp::metric_points).collect();
        prop_assert_eq!(found.len(), points.len());
        for (mut found, mut sent) in found.into_iter().zip(points) {
            assert_attributes(&found.attributes, &sent.attributes);
            found.attributes.clear();
            sent.attributes.clear();
            // NaN is not equal to itself; its bits are.
            prop_assert_eq!(take_bits(&mut found), take_bits(&mut sent));
            prop_assert_eq!(found, sent);
        }
    }

    #[test]
    fn json_says_the_same((signal, wire) in request()) {
        let json = otlp::to_json(signal, &wire);
        prop_assert_eq!(json.lines().count(), 1);
        let again = otlp::from_json(signal, json.as_bytes()).unwrap();
        // Written once more, it must be the same text: fields may stand in another order in protobuf.
        prop_assert_eq!(otlp::to_json(signal, &again), json);
        let told = |wire: Vec<u8>| {
            let batch = decoded(signal, wire);
            let spans: Vec<_> = batch.columns.iter().flat_map(otlp::spans).collect();
            let records: Vec<_> = batch.columns.iter().flat_map(otlp::log_records).collect();
            format!("{spans:?} {records:?}")
        };
        if signal != Signal::Metrics {
            prop_assert_eq!(told(again), told(wire));
        }
    }

    #[test]
    fn any_bytes_are_survived(
        bytes in bytes(),
        signal in sample::select(&Signal::ALL[..]),
        json in any::<bool>(),
    ) {
        survive(signal, if json { Encoding::Json } else { Encoding::Protobuf }, bytes);
    }

    #[test]
    fn changed_requests_are_survived((signal, wire) in request(), changes in changes()) {
        survive(signal, Encoding::Protobuf, changed(wire, &changes));
    }

    #[test]
    fn changed_json_is_survived((signal, json) in sample::select(&JSON[..]), changes in changes()) {
        survive(signal, Encoding::Json, changed(json.as_bytes().to_vec(), &changes));
    }

    /// The order of columns, and which there are, is the reader's choice.
    #[test]
    fn a_part_of_the_columns_reads_as_that_part(mut spans in vec(generate::span(), 1..6)) {
        let batch = decoded(Signal::Traces, otlp::encode_spans(&spans));
        let columns = &batch.columns[0];
        let reversed: Vec<_> = (0..columns.num_columns()).rev().collect();
        let reversed = columns.project(&reversed).unwrap();
        for (mut found, mut same) in otlp::spans(&reversed).into_iter().zip(otlp::spans(columns)) {
            assert_attributes(&found.attributes, &same.attributes);
            found.attributes.clear();
            same.attributes.clear();
            prop_assert_eq!(found, same);
        }
        let one = columns.project(&[columns.schema().index_of(crate::schema::SPAN_ID).unwrap()]).unwrap();
        let ids: Vec<_> = otlp::spans(&one).into_iter().map(|span| span.span_id).collect();
        spans.sort_by_key(|span| (span.trace_id, span.start));
        prop_assert_eq!(ids, spans.iter().map(|span| span.span_id).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]

    /// In enough rows for rare keys to lose their columns.
    #[test]
    fn tails_are_as_told(attributes in vec(generate::attributes(), 65..80)) {
        let records: Vec<_> = attributes
            .into_iter()
            .map(|attributes| crate::LogRecord { attributes, ..crate::LogRecord::default() })
            .collect();
        let batch = decoded(Signal::Logs, otlp::encode_log_records(&records));
        assert_tail_keys(&batch.columns[0]);
        for (found, sent) in otlp::log_records(&batch.columns[0]).iter().zip(&records) {
            assert_attributes(&found.attributes, &sent.attributes);
        }
    }
}

fn take_bits(point: &mut MetricPoint) -> Option<(bool, u64)> {
    point.number.take().map(|number| match number {
        Number::Int(number) => (true, number.cast_unsigned()),
        Number::Double(number) => (false, number.to_bits()),
    })
}

/// Decodes and, when that works, reads and encodes: no panic, rows as told, nothing lost on a second round.
fn survive(signal: Signal, encoding: Encoding, bytes: Vec<u8>) {
    let Ok(batch) = decode(TenantId::default(), signal, encoding, bytes.into()) else { return };
    let encoded = match signal {
        Signal::Traces => otlp::encode_spans(&all(&batch, otlp::spans)),
        Signal::Logs => otlp::encode_log_records(&all(&batch, otlp::log_records)),
        Signal::Metrics => otlp::encode_metric_points(&all(&batch, otlp::metric_points)),
    };
    let again = decode(TenantId::default(), signal, Encoding::Protobuf, encoded.into()).unwrap();
    assert_eq!(again.accepted, batch.accepted);
    assert_eq!(again.rejected.reasons, Vec::<String>::new());
}

fn all<T>(batch: &Batch, read: impl Fn(&arrow::array::RecordBatch) -> Vec<T>) -> Vec<T> {
    let rows: Vec<T> = batch.columns.iter().flat_map(read).collect();
    assert_eq!(rows.len() as u64, batch.accepted);
    rows
}

/// Noise.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..300), "[\\[\\]{}\",:a-z0-9 ]{0,80}".prop_map(String::into_bytes)]
}

/// A request of any signal.
fn request() -> impl Strategy<Value = (Signal, Vec<u8>)> {
    prop_oneof![
        vec(generate::span(), 1..3).prop_map(|items| (Signal::Traces, otlp::encode_spans(&items))),
        vec(generate::log_record(), 1..3).prop_map(|items| (Signal::Logs, otlp::encode_log_records(&items))),
        vec(generate::point(), 1..3).prop_map(|items| (Signal::Metrics, otlp::encode_metric_points(&items))),
    ]
}

#[derive(Debug, Clone)]
enum Change {
    Byte(sample::Index, u8),
    Cut(sample::Index, usize),
    Repeat(sample::Index, usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let place = any::<sample::Index>;
    let change = prop_oneof![
        (place(), any::<u8>()).prop_map(|(place, byte)| Change::Byte(place, byte)),
        (place(), 1..20usize).prop_map(|(place, length)| Change::Cut(place, length)),
        (place(), 1..20usize).prop_map(|(place, length)| Change::Repeat(place, length)),
    ];
    vec(change, 1..5)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let (Change::Byte(place, _) | Change::Cut(place, _) | Change::Repeat(place, _)) = change;
        if bytes.is_empty() {
            return bytes;
        }
        let start = place.index(bytes.len());
        let end = |length: usize| (start + length).min(bytes.len());
        match change {
            Change::Byte(_, byte) => bytes[start] = *byte,
            Change::Cut(_, length) => drop(bytes.drain(start..end(*length))),
            Change::Repeat(_, length) => {
                let part = bytes[start..end(*length)].to_vec();
                drop(bytes.splice(start..start, part));
            }
        }
    }
    bytes
}

/// Also when there are more keys than columns.
#[test]
fn one_keys_values_keep_their_order() {
    let two = |first: Value, second: Value| vec![Attribute::new("k", first), Attribute::new("k", second)];
    let (number, text) = (Value::Int(1), || Value::String("x".to_owned()));
    let mut many: Vec<_> = (0..255).map(|key| Attribute::new(format!("many.{key}"), Value::Empty)).collect();
    many.push(Attribute::new("k", number.clone()));
    let rows = [many, two(text(), number.clone()), two(number.clone(), text()), two(number.clone(), number)];
    let spans: Vec<_> = (1..)
        .zip(rows)
        .map(|(id, attributes)| crate::Span {
            trace_id: crate::TraceId([id; 16]),
            span_id: crate::SpanId([id; 8]),
            attributes,
            ..crate::Span::default()
        })
        .collect();
    let batch = decoded(Signal::Traces, otlp::encode_spans(&spans));
    assert_eq!(otlp::spans(&batch.columns[0]), spans);
}

#[test]
fn many_rows_and_keys_stay_exact() {
    let spans: Vec<_> = (0..20_000u64)
        .map(|row| crate::Span {
            trace_id: crate::TraceId(u128::from(row + 1).to_be_bytes()),
            span_id: crate::SpanId((row + 1).to_be_bytes()),
            name: "op".to_owned(),
            attributes: vec![
                Attribute::new("common", crate::Value::Int(row.cast_signed())),
                Attribute::new(format!("rare.{row}"), crate::Value::String("x".to_owned())),
            ],
            ..crate::Span::default()
        })
        .collect();
    let batch = decoded(Signal::Traces, otlp::encode_spans(&spans));
    assert_eq!(
        batch.columns.iter().map(arrow::array::RecordBatch::num_rows).collect::<Vec<_>>(),
        [8192, 8192, 3616]
    );
    assert!(batch.columns.iter().all(|columns| columns.num_columns() < 30));
    let found: Vec<_> = batch.columns.iter().flat_map(otlp::spans).collect();
    for (found, sent) in found.iter().zip(&spans) {
        assert_attributes(&found.attributes, &sent.attributes);
    }
}

#[test]
fn an_attribute_without_a_key_is_found_under_the_empty_one() {
    // One attribute, of which only the value is written: an integer of 1.
    let tail = [0x0a, 0x04, 0x12, 0x02, 0x18, 0x01];
    assert_eq!(otlp::tail_attributes(&tail), [Attribute::new("", crate::Value::Int(1))]);
    assert_eq!(otlp::tail_find(&tail, "").map(otlp::any_value), Some(crate::Value::Int(1)));
    assert_eq!(otlp::tail_find(&tail, "k"), None);
}
