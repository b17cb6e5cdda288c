//! Attribute values written as plain JSON (`5`, `["a"]`, `{"k": true}`) instead of OTLP's `{"intValue": 5}`.

use super::json::{FieldValue, Message, field_named};
use super::json_place::Place;
use super::json_tables::ANY_VALUE;
use super::value::put_any_value;
use super::wire::{begin_message, end_message, put_text};
use crate::value::Value;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Appends the fields of the `AnyValue` that a plain JSON value means.
pub struct Plain<'o> {
    pub place: Place,
    pub out: &'o mut Vec<u8>,
}

impl Plain<'_> {
    fn put<E>(self, value: &Value) -> Result<(), E> {
        put_any_value(self.out, value);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Plain<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        self.place = self.place.deeper()?;
        self.place.read(deserializer, self)
    }
}

impl<'de> Visitor<'de> for Plain<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, yes: bool) -> Result<(), E> {
        self.put(&Value::Bool(yes))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.put(&Value::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        #[expect(clippy::cast_precision_loss, reason = "larger than any integer that OTLP can say")]
        let large = Value::Double(number as f64);
        self.put(&i64::try_from(number).map_or(large, Value::Int))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.put(&Value::Double(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.put(&Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { place, out } = self;
        let array = begin_message(out, 5);
        loop {
            let item = begin_message(out, 1);
            if list.next_element_seed(Plain { place, out })?.is_none() {
                out.truncate(item.tag);
                break;
            }
            end_message(out, item);
        }
        end_message(out, array);
        Ok(())
    }

    /// An object whose first key is one of OTLP's, such as `stringValue`, is a value as OTLP writes it.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { place, out } = self;
        let mut key = map.next_key::<Cow<'de, str>>()?;
        if let Some(field) = key.as_ref().and_then(|key| field_named(ANY_VALUE, key)) {
            map.next_value_seed(FieldValue { field, place, out })?;
            return Message { fields: ANY_VALUE, place, out }.visit_map(map);
        }
        let list = begin_message(out, 6);
        while let Some(name) = key {
            put_entry(&mut map, (1, &name), place, out)?;
            key = map.next_key()?;
        }
        end_message(out, list);
        Ok(())
    }
}

/// Appends a `KeyValue` with the value that comes next in the object.
fn put_entry<'de, A: MapAccess<'de>>(
    map: &mut A,
    (number, key): (u32, &str),
    place: Place,
    out: &mut Vec<u8>,
) -> Result<(), A::Error> {
    let entry = begin_message(out, number);
    put_text(out, 1, key);
    let value = begin_message(out, 2);
    map.next_value_seed(Plain { place, out })?;
    end_message(out, value);
    end_message(out, entry);
    Ok(())
}

/// Appends the attributes of an object `{"key": value}` under this field number.
pub fn put_object<'de, A: MapAccess<'de>>(
    mut map: A,
    number: u32,
    place: Place,
    out: &mut Vec<u8>,
) -> Result<(), A::Error> {
    while let Some(key) = map.next_key::<Cow<'de, str>>()? {
        put_entry(&mut map, (number, &key), place, out)?;
    }
    Ok(())
}
