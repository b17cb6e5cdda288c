//! Round trips, and bytes of any kind.

use super::generate;
use crate::batch::{Batch, Encoding};
use crate::otlp::{self, decode};
use crate::value::Attribute;
use crate::{Signal, TenantId};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::{prop_assert_eq, sample};

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

/// One key's values keep their multiplicity; of several in one row, columns come first.
fn assert_attributes(found: &[Attribute], sent: &[Attribute]) {
    let (found, mut sent) = (by_key(found), by_key(sent));
    assert_eq!(found.len(), sent.len());
    for attribute in found {
        let place = sent.iter().position(|other| *other == attribute).expect("every attribute was sent");
        sent.remove(place);
    }
}

proptest! {
    #[test]
    fn spans_round_trip(spans in vec(generate::span(), 1..6)) {
        let batch = decoded(Signal::Traces, otlp::encode_spans(&spans));
        let found: Vec<_> = batch.columns.iter().flat_map(otlp::spans).collect();
        prop_assert_eq!(found.len(), spans.len());
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
    fn points_round_trip(points in vec(generate::number_point(), 1..6)) {
        let batch = decoded(Signal::Metrics, otlp::encode_metric_points(&points));
        let found: Vec<_> = batch.columns.iter().flat_map(otlp::metric_points).collect();
        prop_assert_eq!(found.len(), points.len());
        for (mut found, mut sent) in found.into_iter().zip(points) {
            assert_attributes(&found.attributes, &sent.attributes);
            found.attributes.clear();
            sent.attributes.clear();
            // Gauges have no temporality on the wire that means anything, but it is kept.
            prop_assert_eq!(found, sent);
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in bytes(), signal in sample::select(&Signal::ALL[..]), json in any::<bool>()) {
        let encoding = if json { Encoding::Json } else { Encoding::Protobuf };
        if let Ok(batch) = decode(TenantId::default(), signal, encoding, bytes.into()) {
            for columns in &batch.columns {
                match signal {
                    Signal::Traces => drop(otlp::spans(columns)),
                    Signal::Logs => drop(otlp::log_records(columns)),
                    Signal::Metrics => drop(otlp::metric_points(columns)),
                }
            }
        }
    }
}

/// Noise, and requests with some bytes changed.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let changed = (vec(generate::span(), 1..3), vec((any::<sample::Index>(), any::<u8>()), 1..4)).prop_map(
        |(spans, changes)| {
            let mut wire = otlp::encode_spans(&spans);
            for (place, byte) in changes {
                let place = place.index(wire.len());
                wire[place] = byte;
            }
            wire
        },
    );
    prop_oneof![vec(any::<u8>(), 0..300), changed, "[\\[\\]{}\",:a-z0-9 ]{0,80}".prop_map(String::into_bytes)]
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
