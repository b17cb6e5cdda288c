//! OTLP's JSON to protobuf, in one streaming pass driven by a table of messages, so that there is one walk to keep right.
//! Lenient as real senders need it: `snake_case` keys, enums by name, ids in hex or base64, numbers as text, attributes as
//! a plain object, several requests one per line.

use super::error::DecodeError;
use super::json_scalar::put_scalar;
use super::value::put_any_value;
use super::wire::{put_bytes, put_message};
use crate::value::{Attribute, Value};
use crate::{Signal, otlp::json_tables};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// How a field is written in protobuf.
#[derive(Clone, Copy)]
pub enum Shape {
    Message(&'static [Field]),
    AnyValue,
    /// `KeyValue`s, as a list of them or as a plain object.
    Attributes,
    Text,
    /// Hex or base64.
    Id,
    /// Base64.
    Bytes,
    Varint,
    /// `sint32`.
    Zigzag,
    Fixed64,
    Fixed32,
    Double,
    Bool,
    Enum(&'static [(&'static str, u64)]),
}

/// A field of a message: its lowerCamelCase name, number and shape. Lists are told by the JSON itself.
pub struct Field {
    pub name: &'static str,
    pub number: u32,
    pub shape: Shape,
}

/// The request in protobuf.
pub fn to_protobuf(signal: Signal, json: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::with_capacity(json.len() / 2);
    let mut requests = serde_json::Deserializer::from_slice(json);
    loop {
        let at_end = requests.end().is_ok();
        if at_end {
            return Ok(out);
        }
        let fields = json_tables::request(signal);
        Message { fields, out: &mut out }
            .deserialize(&mut requests)
            .map_err(|error| not_json(signal, json, &error))?;
    }
}

fn not_json(signal: Signal, json: &[u8], error: &serde_json::Error) -> DecodeError {
    let line_start =
        json.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len);
    let at = line_start.sum::<usize>() + error.column().saturating_sub(1);
    DecodeError {
        at: at.min(json.len()),
        message: format!("not an OTLP {signal} export request in JSON: {error}"),
    }
}

/// Writes the fields of a message from a JSON object.
struct Message<'o> {
    fields: &'static [Field],
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Message<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Message<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields.iter().map(|field| field.name).take(4).collect();
        write!(formatter, "an object with keys such as {}", names.join(", "))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match self.fields.iter().find(|field| same_name(field.name, &key)) {
                Some(field) => map.next_value_seed(FieldValue { field, out: self.out })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Whether a key is this lowerCamelCase name, or its `snake_case` form.
fn same_name(name: &str, key: &str) -> bool {
    name == key
        || (key.contains('_')
            && key
                .bytes()
                .filter(|byte| *byte != b'_')
                .map(|byte| byte.to_ascii_lowercase())
                .eq(name.bytes().map(|byte| byte.to_ascii_lowercase())))
}

/// Writes one field, or one for each element of a list.
struct FieldValue<'o> {
    field: &'static Field,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for FieldValue<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.field.shape {
            Shape::Message(_) | Shape::Attributes | Shape::AnyValue => deserializer.deserialize_any(self),
            _ => {
                let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
                put_scalar(self.out, self.field, raw.get()).map_err(Error::custom)
            }
        }
    }
}

impl<'de> Visitor<'de> for FieldValue<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an object or a list of objects for {}", self.field.name)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        Element { shape: self.field.shape, number: self.field.number, out: self.out }.visit_str(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let element = Element { shape: self.field.shape, number: self.field.number, out: self.out };
            if list.next_element_seed(element)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Self { field, out } = self;
        if matches!(field.shape, Shape::Attributes) {
            return plain_object(map, field.number, out);
        }
        Element { shape: field.shape, number: field.number, out }.visit_map(map)
    }
}

/// Attributes given as `{"key": value}`.
fn plain_object<'de, A: MapAccess<'de>>(mut map: A, number: u32, out: &mut Vec<u8>) -> Result<(), A::Error> {
    while let Some(key) = map.next_key::<String>()? {
        let value = plain_value(map.next_value::<serde_json::Value>()?);
        super::value::put_attributes(out, number, &[Attribute { key, value }]);
    }
    Ok(())
}

/// A value written as plain JSON instead of OTLP's `{"stringValue": …}`.
fn plain_value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Empty,
        serde_json::Value::Bool(yes) => Value::Bool(yes),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::Double(number.as_f64().unwrap_or(f64::NAN)), Value::Int)
        }
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(items) => Value::Array(items.into_iter().map(plain_value).collect()),
        serde_json::Value::Object(map) => Value::Map(
            map.into_iter().map(|(key, value)| Attribute { key, value: plain_value(value) }).collect(),
        ),
    }
}

/// Writes one message with its tag and length.
struct Element<'o> {
    shape: Shape,
    number: u32,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    /// A value given as bare text, as some senders do.
    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if matches!(self.shape, Shape::AnyValue) {
            put_message(self.out, self.number, |out| put_any_value(out, &Value::String(text.to_owned())));
            return Ok(());
        }
        Err(E::invalid_type(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let fields = match self.shape {
            Shape::Message(fields) => fields,
            Shape::AnyValue => json_tables::ANY_VALUE,
            _ => json_tables::KEY_VALUE,
        };
        let mut inner = Vec::new();
        Message { fields, out: &mut inner }.visit_map(map)?;
        put_bytes(self.out, self.number, &inner);
        Ok(())
    }
}
