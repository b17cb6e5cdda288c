//! Requests made to cost much more than they weigh.

use crate::batch::{Batch, Encoding};
use crate::otlp::wire::{put_bytes, put_message};
use crate::otlp::{decode, value};
use crate::{Attribute, Signal, TenantId, Value};

/// A request for logs with this resource and this many empty records.
fn empty_records(resource: &[Attribute], count: usize) -> Batch {
    let mut wire = Vec::new();
    put_message(&mut wire, 1, |out| {
        put_message(out, 1, |out| value::put_attributes(out, 1, resource));
        put_message(out, 2, |out| (0..count).for_each(|_| put_bytes(out, 2, &[])));
    });
    decode(TenantId::default(), Signal::Logs, Encoding::Protobuf, wire.into()).unwrap()
}

fn memory(batch: &Batch) -> usize {
    batch.columns.iter().map(arrow::array::RecordBatch::get_array_memory_size).sum()
}

#[test]
fn a_huge_resource_with_many_items() {
    let resource = [Attribute::new("k", Value::String("x".repeat(40 << 20)))];
    let batch = empty_records(&resource, 200_000);
    assert!(memory(&batch) < 600 << 20);
    assert_eq!(batch.accepted + batch.rejected.count, 200_000);
    assert!(batch.rejected.reasons[0].contains("more than 512 MiB"), "{:?}", batch.rejected.reasons);
    let few = empty_records(&resource, 20_000);
    assert_eq!((few.accepted, few.rejected.count), (20_000, 0));
}

#[test]
fn an_item_of_nothing_but_attributes() {
    let mut wire = Vec::new();
    put_message(&mut wire, 1, |out| {
        put_message(out, 2, |out| {
            put_message(out, 2, |record| (0..100_001).for_each(|_| put_bytes(record, 6, &[])));
        });
    });
    let batch = decode(TenantId::default(), Signal::Logs, Encoding::Protobuf, wire.into()).unwrap();
    assert_eq!((batch.accepted, batch.rejected.count), (0, 1));
    assert!(batch.rejected.reasons[0].ends_with("it has more than 100000 attributes"));
}

#[test]
fn a_key_of_its_own_for_each_record() {
    let mut wire = Vec::new();
    put_message(&mut wire, 1, |out| {
        put_message(out, 2, |out| {
            for number in 0..200_000u32 {
                put_message(out, 2, |record| {
                    let attribute = Attribute::new(format!("k{number}"), Value::Bool(true));
                    value::put_attributes(record, 6, &[attribute]);
                });
            }
        });
    });
    let size = wire.len();
    let batch = decode(TenantId::default(), Signal::Logs, Encoding::Protobuf, wire.into()).unwrap();
    assert_eq!(batch.accepted, 200_000);
    assert!(memory(&batch) < 20 * size, "{} for {size}", memory(&batch));
    assert!(!batch.columns[0].schema().metadata().contains_key(crate::schema::TAIL_KEYS));
}

/// Time grows with the size of the body, not with its square: that would take hours here.
#[test]
fn a_million_requests_in_one_body() {
    let body = bytes::Bytes::from("{}\n".repeat(1_000_000));
    let batch = decode(TenantId::default(), Signal::Logs, Encoding::Json, body).unwrap();
    assert_eq!((batch.accepted, batch.rejected.count), (0, 0));
}
