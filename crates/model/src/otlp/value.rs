//! Attribute values between their bytes and their owned form.

use super::wire::{
    Data, Fields, Slice, put_bytes, put_fixed64, put_message, put_number, put_text, put_varint,
};
use crate::value::{Attribute, Resource, Scope, Value};

/// The value that these `AnyValue` bytes hold; what is not protobuf is skipped.
#[must_use]
pub fn any_value(bytes: &[u8]) -> Value {
    read_value(Slice { bytes, at: 0 }, 0)
}

fn read_value(slice: Slice<'_>, depth: usize) -> Value {
    if depth > super::validate::MAX_DEPTH {
        return Value::Empty;
    }
    let mut value = Value::Empty;
    for (number, data) in Fields::new(slice).flatten() {
        value = match number {
            1 => Value::String(text(data)),
            2 => Value::Bool(data.number() != 0),
            3 => Value::Int(data.number().cast_signed()),
            4 => Value::Double(data.double()),
            5 => Value::Array(nested(data).map(|item| read_value(item, depth + 1)).collect()),
            6 => Value::Map(nested(data).map(|item| read_attribute(item, depth + 1)).collect()),
            7 => Value::Bytes(data.slice().bytes.to_vec()),
            _ => continue,
        };
    }
    value
}

fn nested(data: Data<'_>) -> impl Iterator<Item = Slice<'_>> {
    Fields::new(data.slice()).flatten().filter(|(number, _)| *number == 1).map(|(_, item)| item.slice())
}

fn read_attribute(slice: Slice<'_>, depth: usize) -> Attribute {
    let mut attribute = Attribute::default();
    for (number, data) in Fields::new(slice).flatten() {
        match number {
            1 => attribute.key = text(data),
            2 => attribute.value = read_value(data.slice(), depth),
            _ => {}
        }
    }
    attribute
}

/// Text of a field; invalid UTF-8 has been refused before anything is stored.
pub fn text(data: Data<'_>) -> String {
    String::from_utf8_lossy(data.slice().bytes).into_owned()
}

/// The attribute that a `KeyValue` message holds.
pub fn attribute(data: Data<'_>) -> Attribute {
    read_attribute(data.slice(), 1)
}

/// The attributes of a row's tail, in order.
#[must_use]
pub fn tail_attributes(tail: &[u8]) -> Vec<Attribute> {
    Fields::new(Slice { bytes: tail, at: 0 }).flatten().map(|(_, data)| attribute(data)).collect()
}

/// The `AnyValue` bytes of the first attribute under this key in a row's tail.
#[must_use]
pub fn tail_find<'a>(tail: &'a [u8], key: &str) -> Option<&'a [u8]> {
    Fields::new(Slice { bytes: tail, at: 0 }).flatten().find_map(|(_, entry)| {
        let mut value: &'a [u8] = &[];
        // A key that is empty is not written.
        let mut found = key.is_empty();
        for (number, data) in Fields::new(entry.slice()).flatten() {
            match number {
                1 => found = data.slice().bytes == key.as_bytes(),
                2 => value = data.slice().bytes,
                _ => {}
            }
        }
        found.then_some(value)
    })
}

/// The text that these `AnyValue` bytes hold, without copying it; `None` when they hold something else.
#[must_use]
pub fn text_value(bytes: &[u8]) -> Option<&str> {
    match Fields::new(Slice { bytes, at: 0 }).flatten().last()? {
        (1, data) => std::str::from_utf8(data.slice().bytes).ok(),
        _ => None,
    }
}

/// Calls `each` with every text in an `AnyValue`, however deep, without copying it.
pub fn each_text<'a>(bytes: &'a [u8], each: &mut dyn FnMut(&'a str)) {
    text_in(Slice { bytes, at: 0 }, 0, each);
}

fn text_in<'a>(value: Slice<'a>, depth: usize, each: &mut dyn FnMut(&'a str)) {
    if depth > super::validate::MAX_DEPTH {
        return;
    }
    for (number, data) in Fields::new(value).flatten() {
        match number {
            1 => std::str::from_utf8(data.slice().bytes).into_iter().for_each(&mut *each),
            5 => nested(data).for_each(|item| text_in(item, depth + 1, each)),
            6 => nested(data).for_each(|entry| text_of_attribute(entry, depth + 1, each)),
            _ => {}
        }
    }
}

/// The texts in the value of a `KeyValue`.
fn text_of_attribute<'a>(entry: Slice<'a>, depth: usize, each: &mut dyn FnMut(&'a str)) {
    for (_, value) in Fields::new(entry).flatten().filter(|(number, _)| *number == 2) {
        text_in(value.slice(), depth, each);
    }
}

/// Calls `each` with every text in the values of a row's tail.
pub fn each_tail_text<'a>(tail: &'a [u8], each: &mut dyn FnMut(&'a str)) {
    for (_, entry) in Fields::new(Slice { bytes: tail, at: 0 }).flatten() {
        text_of_attribute(entry.slice(), 0, each);
    }
}

/// Calls `each` with every text in a cell of the `events` column: names, and the values of attributes.
pub fn each_event_text<'a>(cell: &'a [u8], each: &mut dyn FnMut(&'a str)) {
    for (_, event) in Fields::new(Slice { bytes: cell, at: 0 }).flatten() {
        for (number, data) in Fields::new(event.slice()).flatten() {
            match number {
                2 => std::str::from_utf8(data.slice().bytes).into_iter().for_each(&mut *each),
                3 => text_of_attribute(data.slice(), 0, each),
                _ => {}
            }
        }
    }
}

/// The resource in these bytes; its schema URL stands elsewhere.
#[must_use]
pub fn resource(bytes: &[u8]) -> Resource {
    let mut resource = Resource::default();
    for (number, data) in Fields::new(Slice { bytes, at: 0 }).flatten() {
        match number {
            1 => resource.attributes.push(attribute(data)),
            2 => resource.dropped_attributes = data.number32(),
            _ => {}
        }
    }
    resource
}

/// The scope in these bytes; its schema URL stands elsewhere.
#[must_use]
pub fn scope(bytes: &[u8]) -> Scope {
    let mut scope = Scope::default();
    for (number, data) in Fields::new(Slice { bytes, at: 0 }).flatten() {
        match number {
            1 => scope.name = text(data),
            2 => scope.version = text(data),
            3 => scope.attributes.push(attribute(data)),
            4 => scope.dropped_attributes = data.number32(),
            _ => {}
        }
    }
    scope
}

/// Appends the fields of an `AnyValue`.
pub fn put_any_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Empty => {}
        Value::String(text) => put_bytes(out, 1, text.as_bytes()),
        Value::Bool(yes) => out.extend_from_slice(&[0x10, u8::from(*yes)]),
        Value::Int(number) => {
            out.push(0x18);
            put_varint(out, number.cast_unsigned());
        }
        Value::Double(number) => put_fixed64(out, 4, number.to_bits()),
        Value::Array(values) => put_message(out, 5, |list| {
            for value in values {
                put_message(list, 1, |item| put_any_value(item, value));
            }
        }),
        Value::Map(attributes) => put_message(out, 6, |map| put_attributes(map, 1, attributes)),
        Value::Bytes(bytes) => put_bytes(out, 7, bytes),
    }
}

/// Appends attributes as `KeyValue` messages under this field number.
pub fn put_attributes(out: &mut Vec<u8>, number: u32, attributes: &[Attribute]) {
    for attribute in attributes {
        put_attribute(out, number, attribute);
    }
}

fn put_attribute(out: &mut Vec<u8>, number: u32, attribute: &Attribute) {
    put_message(out, number, |entry| {
        put_text(entry, 1, &attribute.key);
        put_message(entry, 2, |value| put_any_value(value, &attribute.value));
    });
}

/// Appends an attribute as an entry of a row's tail.
pub fn encode_attribute(attribute: &Attribute, tail: &mut Vec<u8>) {
    put_attribute(tail, 1, attribute);
}

/// Appends the fields of a `Resource`.
pub fn put_resource(out: &mut Vec<u8>, resource: &Resource) {
    put_attributes(out, 1, &resource.attributes);
    put_number(out, 2, u64::from(resource.dropped_attributes));
}

/// Appends the fields of an `InstrumentationScope`.
pub fn put_scope(out: &mut Vec<u8>, scope: &Scope) {
    put_text(out, 1, &scope.name);
    put_text(out, 2, &scope.version);
    put_attributes(out, 3, &scope.attributes);
    put_number(out, 4, u64::from(scope.dropped_attributes));
}
