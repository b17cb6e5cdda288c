//! Protobuf requests as OTLP's JSON, driven by the same table of messages as reading: ids in hex, bytes in base64,
//! 64-bit numbers as text, enums as numbers. Source: OTLP specification, "JSON Protobuf Encoding".

use super::json::{Field, Shape};
use super::json_tables::{ANY_VALUE, KEY_VALUE, request};
use super::wire::{Data, Fields, Slice};
use crate::Signal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::{Display, Write};

/// The fields that are lists even where they have one entry. A name means the same in every message.
const LISTS: [&str; 16] = [
    "resourceSpans",
    "scopeSpans",
    "spans",
    "events",
    "links",
    "resourceLogs",
    "scopeLogs",
    "logRecords",
    "resourceMetrics",
    "scopeMetrics",
    "metrics",
    "dataPoints",
    "exemplars",
    "bucketCounts",
    "explicitBounds",
    "quantileValues",
];

/// The request in JSON, on one line. What is not protobuf, or not in the table, is left out: it was checked when it was
/// taken in.
pub fn from_protobuf(signal: Signal, wire: &[u8]) -> String {
    let mut out = String::with_capacity(wire.len() * 2);
    message(&mut out, request(signal), wire);
    out
}

fn message(out: &mut String, table: &[Field], wire: &[u8]) {
    let found: Vec<(u32, Data<'_>)> = Fields::new(Slice { bytes: wire, at: 0 }).flatten().collect();
    out.push('{');
    let start = out.len();
    let mut done: Vec<u32> = Vec::new();
    for (number, _) in &found {
        // The first of two names for a number is the current one.
        let Some(field) = table.iter().find(|field| field.number == *number) else { continue };
        if done.contains(number) {
            continue;
        }
        done.push(*number);
        let mut values = found.iter().filter(|(other, _)| other == number).map(|(_, data)| *data);
        let values: Vec<Data<'_>> = if is_list(field) {
            values.flat_map(|data| unpacked(field, data)).collect()
        } else {
            values.next_back().into_iter().collect()
        };
        if !values.is_empty() {
            if out.len() > start {
                out.push(',');
            }
            quoted(out, field.name);
            out.push(':');
            put_values(out, field, &values);
        }
    }
    out.push('}');
}

fn is_list(field: &Field) -> bool {
    matches!(field.shape, Shape::Attributes | Shape::AnyValues) || LISTS.contains(&field.name)
}

fn put_values(out: &mut String, field: &Field, values: &[Data<'_>]) {
    if !is_list(field) {
        return values.iter().for_each(|data| value(out, field, *data));
    }
    out.push('[');
    for (place, data) in values.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        value(out, field, *data);
    }
    out.push(']');
}

/// Numbers of a list, which protobuf packs into one field.
fn unpacked<'a>(field: &Field, data: Data<'a>) -> Vec<Data<'a>> {
    let Data::Bytes(slice) = data else { return vec![data] };
    match field.shape {
        Shape::Fixed64 | Shape::SignedFixed64 | Shape::Double => {
            let numbers = slice.bytes.chunks_exact(8).map_while(|bytes| bytes.try_into().ok());
            numbers.map(|bytes| Data::Fixed64(u64::from_le_bytes(bytes))).collect()
        }
        Shape::Varint => Fields::numbers(slice).map(Data::Varint).collect(),
        _ => vec![data],
    }
}

fn value(out: &mut String, field: &Field, data: Data<'_>) {
    let bytes = data.slice().bytes;
    match field.shape {
        Shape::Message(table) | Shape::Item(table) => message(out, table, bytes),
        Shape::AnyValue | Shape::AnyValues => message(out, ANY_VALUE, bytes),
        Shape::Attributes => message(out, KEY_VALUE, bytes),
        Shape::Text => text(out, &String::from_utf8_lossy(bytes)),
        Shape::Id => quoted(out, bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        Shape::Bytes => quoted(out, STANDARD.encode(bytes)),
        Shape::Bool => plain(out, data.number() != 0),
        Shape::Int | Shape::SignedFixed64 => quoted(out, data.number().cast_signed()),
        Shape::Fixed64 => quoted(out, data.number()),
        // The only 64-bit varints are the counts of an exponential histogram's buckets.
        Shape::Varint if field.name == "bucketCounts" => quoted(out, data.number()),
        Shape::Varint | Shape::Fixed32 => plain(out, data.number32()),
        Shape::Enum(_) => plain(out, data.int32()),
        Shape::Zigzag => {
            let number = data.number32();
            plain(out, (number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
        Shape::Double => double(out, data.double()),
    }
}

fn plain(out: &mut String, value: impl Display) {
    write!(out, "{value}").expect("a String takes all text");
}

/// For what has nothing that must be escaped.
fn quoted(out: &mut String, value: impl Display) {
    write!(out, "\"{value}\"").expect("a String takes all text");
}

fn text(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// JSON has no numbers for these three.
fn double(out: &mut String, number: f64) {
    let special = match number {
        _ if number.is_nan() => "\"NaN\"",
        f64::INFINITY => "\"Infinity\"",
        f64::NEG_INFINITY => "\"-Infinity\"",
        _ => return out.push_str(&serde_json::Value::from(number).to_string()),
    };
    out.push_str(special);
}
