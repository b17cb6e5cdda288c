//! OTLP's JSON to protobuf, in one streaming pass driven by a table of messages, so that there is one walk to keep right.
//! Lenient as real senders need it: `snake_case` keys, enums by name, ids in hex or base64, numbers as text, attributes as
//! a plain object, several requests one per line. What is wrong within an item costs that item: `json_careful.rs`.

use super::error::DecodeError;
use super::json_careful;
use super::json_place::Place;
use super::json_plain::{Plain, put_object};
use super::json_scalar::put_scalar;
use super::json_tables;
use super::wire::{begin_message, end_message};
use crate::Signal;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::value::RawValue;
use std::fmt;

/// How a field is written in protobuf.
#[derive(Clone, Copy)]
pub enum Shape {
    Message(&'static [Field]),
    /// A message that the decoder refuses alone, or with all that stands under it, when something in it is wrong.
    Item(&'static [Field]),
    AnyValue,
    /// A list of them.
    AnyValues,
    /// `KeyValue`s, as a list of them or as a plain object.
    Attributes,
    Text,
    /// Hex or base64.
    Id,
    /// Base64.
    Bytes,
    /// Unsigned, or negative as two's complement.
    Varint,
    /// `int64`.
    Int,
    /// `sint32`.
    Zigzag,
    Fixed64,
    /// `sfixed64`.
    SignedFixed64,
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
    // Some senders start with a byte order mark.
    let start = if json.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let json = &json[start..];
    // Looking at each item by itself costs time, which only requests with something wrong in them need.
    let out = converted::<QUICK>(signal, json).or_else(|_| converted::<CAREFUL>(signal, json));
    let out = out.map_err(|error| not_json(signal, json, start, &error))?;
    if out.is_empty()
        && let Some(other) = other_signal(signal, json)
    {
        let message = format!("this looks like {other}; send them to /v1/{other}");
        return Err(DecodeError { at: start, message });
    }
    Ok(out)
}

const TRACES: u8 = 0;
const LOGS: u8 = 1;
const METRICS: u8 = 2;

/// The first fault ends the reading, or costs its item only.
const QUICK: bool = false;
const CAREFUL: bool = true;

fn converted<const CARE: bool>(signal: Signal, json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    match signal {
        Signal::Traces => requests::<TRACES, CARE>(json),
        Signal::Logs => requests::<LOGS, CARE>(json),
        Signal::Metrics => requests::<METRICS, CARE>(json),
    }
}

/// A request of one signal in protobuf. The signal is part of the type because a stream of JSON values, which alone goes
/// on from where the last value ended without counting lines anew, takes types only.
struct Request<const SIGNAL: u8, const CARE: bool>(Vec<u8>);

impl<'de, const SIGNAL: u8, const CARE: bool> serde::Deserialize<'de> for Request<SIGNAL, CARE> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = json_tables::request(match SIGNAL {
            TRACES => Signal::Traces,
            LOGS => Signal::Logs,
            _ => Signal::Metrics,
        });
        let mut out = Vec::new();
        let place = Place::new(CARE);
        Message { fields, place, out: &mut out }.deserialize(deserializer)?;
        Ok(Self(out))
    }
}

/// Several requests, one after the other, are one request: that is how protobuf appends.
fn requests<const SIGNAL: u8, const CARE: bool>(json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let mut all = Vec::new();
    for request in serde_json::Deserializer::from_slice(json).into_iter::<Request<SIGNAL, CARE>>() {
        let Request(mut request) = request?;
        if all.is_empty() { all = request } else { all.append(&mut request) }
    }
    Ok(all)
}

/// The signal whose key a request has, when it has another's.
fn other_signal(signal: Signal, json: &[u8]) -> Option<Signal> {
    let mut seen = [false; 3];
    for keys in serde_json::Deserializer::from_slice(json).into_iter::<SignalKeys>().map_while(Result::ok) {
        (0..3).for_each(|place| seen[place] |= keys.0[place]);
    }
    let has = |signal: &Signal| seen[*signal as usize];
    (!has(&signal)).then(|| Signal::ALL.into_iter().find(has)).flatten()
}

/// Which signals' keys an object has, in the order of [`Signal::ALL`].
#[derive(Default)]
struct SignalKeys([bool; 3]);

impl<'de> serde::Deserialize<'de> for SignalKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self::default())
    }
}

impl<'de> Visitor<'de> for SignalKeys {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(field) = map.next_key_seed(Key { fields: json_tables::SIGNALS })? {
            map.next_value::<IgnoredAny>()?;
            if let Some(field) = field {
                self.0[field.number as usize] = true;
            }
        }
        Ok(self)
    }
}

fn not_json(signal: Signal, json: &[u8], start: usize, error: &serde_json::Error) -> DecodeError {
    let line_start =
        json.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len);
    let at = line_start.sum::<usize>() + error.column().saturating_sub(1);
    DecodeError {
        at: start + at.min(json.len()),
        message: format!("not an OTLP {signal} export request in JSON: {error}"),
    }
}

/// Writes the fields of a message from a JSON object.
pub struct Message<'o> {
    pub fields: &'static [Field],
    pub place: Place,
    pub out: &'o mut Vec<u8>,
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
        let Self { fields, place, out } = self;
        while let Some(field) = map.next_key_seed(Key { fields })? {
            match field {
                Some(field) => map.next_value_seed(FieldValue { field, place, out: &mut *out })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Reads a key as the field that it means, if it means one.
pub struct Key {
    pub fields: &'static [Field],
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<&'static Field>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(field_named(self.fields, key))
    }
}

/// The field that a key means.
pub fn field_named(fields: &'static [Field], key: &str) -> Option<&'static Field> {
    // Nearly always it is the very name; only else is it worth to look for its other forms.
    let exact = fields.iter().find(|field| field.name == key);
    exact.or_else(|| fields.iter().find(|field| key.contains('_') && same_name(field.name, key)))
}

/// Whether a key is the `snake_case` form of this lowerCamelCase name.
fn same_name(name: &str, key: &str) -> bool {
    let letters = key.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase());
    letters.eq(name.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// Writes one field, or one for each element of a list.
pub struct FieldValue<'o> {
    pub field: &'static Field,
    pub place: Place,
    pub out: &'o mut Vec<u8>,
}

impl<'o> FieldValue<'o> {
    fn element(self) -> Element<'o> {
        Element { shape: self.field.shape, number: self.field.number, place: self.place, out: self.out }
    }
}

impl<'de> DeserializeSeed<'de> for FieldValue<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.field.shape {
            Shape::AnyValue => self.element().deserialize(deserializer),
            Shape::Item(_) if self.place.careful => {
                let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
                let mut json = serde_json::Deserializer::from_str(raw.get());
                if raw.get().starts_with('[') {
                    return json.deserialize_seq(self).map_err(Error::custom);
                }
                self.element().deserialize(&mut json).map_err(Error::custom)
            }
            Shape::Message(_) | Shape::Item(_) | Shape::Attributes | Shape::AnyValues => {
                deserializer.deserialize_any(self)
            }
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { field, place, out } = self;
        while list.next_element_seed(FieldValue { field, place, out: &mut *out }.element())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if matches!(self.field.shape, Shape::Attributes) {
            return put_object(map, self.field.number, self.place, self.out);
        }
        self.element().visit_map(map)
    }
}

/// Writes one message with its tag and length.
struct Element<'o> {
    shape: Shape,
    number: u32,
    place: Place,
    out: &'o mut Vec<u8>,
}

impl Element<'_> {
    /// A value that is not an object. Values may be plain JSON, and a null in a list of values is the empty value;
    /// elsewhere a null is as if it were not there.
    fn plain<E: Error>(self, write: impl FnOnce(Plain<'_>) -> Result<(), E>) -> Result<bool, E> {
        let value = matches!(self.shape, Shape::AnyValue | Shape::AnyValues);
        if value {
            let open = begin_message(self.out, self.number);
            write(Plain { place: self.place, out: self.out })?;
            end_message(self.out, open);
        }
        Ok(value)
    }

    fn scalar<E: Error>(
        self,
        found: Unexpected<'_>,
        write: impl FnOnce(Plain<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let expected = "an object";
        if self.plain(write)? { Ok(()) } else { Err(E::invalid_type(found, &expected)) }
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        match self.shape {
            Shape::AnyValue | Shape::AnyValues => {
                self.place = self.place.deeper()?;
                self.place.read(deserializer, self)
            }
            Shape::Item(fields) if self.place.careful => {
                let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
                json_careful::put_item(fields, self.number, raw.get(), self.out);
                Ok(())
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.plain(|_| Ok(())).map(drop)
    }

    fn visit_bool<E: Error>(self, yes: bool) -> Result<(), E> {
        self.scalar(Unexpected::Bool(yes), |plain| plain.visit_bool(yes))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.scalar(Unexpected::Signed(number), |plain| plain.visit_i64(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.scalar(Unexpected::Unsigned(number), |plain| plain.visit_u64(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.scalar(Unexpected::Float(number), |plain| plain.visit_f64(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.scalar(Unexpected::Str(text), |plain| plain.visit_str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        self.scalar(Unexpected::Seq, |plain| plain.visit_seq(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let fields = match self.shape {
            Shape::Message(fields) | Shape::Item(fields) => fields,
            Shape::AnyValue | Shape::AnyValues => json_tables::ANY_VALUE,
            _ => json_tables::KEY_VALUE,
        };
        let Self { number, place, out, .. } = self;
        let open = begin_message(out, number);
        Message { fields, place, out: &mut *out }.visit_map(map)?;
        end_message(out, open);
        Ok(())
    }
}
