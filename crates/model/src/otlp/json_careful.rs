//! Items of OTLP's JSON with something wrong in them. What could be read of such an item is written, and then why the rest
//! could not, in such a way that the decoder refuses the item for that reason: it alone decides what is kept, whatever the
//! encoding.

use super::json::{Field, FieldValue, Key};
use super::json_place::Place;
use super::wire::{begin_message, end_message, put_reason};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// How much of a reason is told: it may quote what it is about.
const MAX_REASON: usize = 200;

/// Appends the item that this JSON is.
pub fn put_item(fields: &'static [Field], number: u32, json: &str, out: &mut Vec<u8>) {
    if json == "null" {
        return;
    }
    let open = begin_message(out, number);
    let start = out.len();
    let fault = match serde_json::Deserializer::from_str(json).deserialize_any(Item { fields, out }) {
        Ok(fault) => fault,
        Err(error) => {
            out.truncate(start);
            Some(reason(&error))
        }
    };
    if let Some(fault) = fault {
        put_reason(out, &fault);
    }
    end_message(out, open);
}

/// Writes the fields of an item, each by itself, and answers the first fault.
struct Item<'o> {
    fields: &'static [Field],
    out: &'o mut Vec<u8>,
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { fields, out } = self;
        let mut fault = None;
        while let Some(field) = map.next_key_seed(Key { fields })? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let raw = map.next_value::<&RawValue>()?;
            let start = out.len();
            let value = FieldValue { field, place: Place::new(true), out: &mut *out };
            if let Err(error) = value.deserialize(&mut serde_json::Deserializer::from_str(raw.get())) {
                out.truncate(start);
                fault.get_or_insert_with(|| format!("its {}: {}", field.name, reason(&error)));
            }
        }
        Ok(fault)
    }
}

/// The error without its place, which is told of a part of the request only.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).chars().take(MAX_REASON).collect()
}
