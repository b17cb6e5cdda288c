//! Scalars of OTLP's JSON: numbers as numbers or text, enums as numbers or names, ids in hex or base64.

use super::json::{Field, Shape};
use super::wire::{put_bytes, put_fixed64, put_varint};
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The field of an `AnyValue` that has a double.
const DOUBLE_VALUE: u32 = 4;

/// Standard alphabet, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Writes a field from a JSON scalar, or from a list of scalars. Text may be any JSON, which is then kept as it is.
pub fn put_scalar(out: &mut Vec<u8>, field: &Field, json: &str) -> Result<(), String> {
    if json.starts_with('[') && !matches!(field.shape, Shape::Text) {
        let mut list = serde_json::Deserializer::from_str(json);
        return list.deserialize_seq(Scalars { out, field }).map_err(|error| error.to_string());
    }
    put_one(out, field, json)
}

/// A list of scalars. Lists in it are refused rather than followed, however deep they nest.
struct Scalars<'o> {
    out: &'o mut Vec<u8>,
    field: &'o Field,
}

impl<'de> Visitor<'de> for Scalars<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list for {}", self.field.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element::<&RawValue>()? {
            put_one(self.out, self.field, item.get()).map_err(Error::custom)?;
        }
        Ok(())
    }
}

fn put_one(out: &mut Vec<u8>, field: &Field, json: &str) -> Result<(), String> {
    if json == "null" {
        return Ok(());
    }
    let text: Cow<'_, str> =
        if json.starts_with('"') { unquoted(json).map_err(|error| error.to_string())? } else { json.into() };
    put_text_as(out, field, &text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?} is not {} for {}", expected(field.shape), field.name)
    })
}

/// The text of a JSON string. Half of a surrogate pair, as JavaScript leaves when it cuts text, becomes U+FFFD.
fn unquoted(json: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    if let Ok(text) = serde_json::from_str::<Text<'_>>(json) {
        return Ok(text.0);
    }
    let mut bytes = serde_json::Deserializer::from_str(json).deserialize_byte_buf(AnyBytes)?;
    for at in 0..bytes.len().saturating_sub(2) {
        // How serde_json spells half a pair; UTF-8 never has these two bytes in a row.
        if bytes[at] == 0xed && bytes[at + 1] >= 0xa0 {
            bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    Ok(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

struct AnyBytes;

impl Visitor<'_> for AnyBytes {
    type Value = Vec<u8>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn expected(shape: Shape) -> &'static str {
    match shape {
        Shape::Bytes => "base64",
        Shape::Double => "a number",
        Shape::Bool => "true or false",
        Shape::Enum(_) => "a known name or number",
        _ => "a whole number in range",
    }
}

fn put_text_as(out: &mut Vec<u8>, field: &Field, text: &str) -> Option<()> {
    let tag = |wire_type: u64| u64::from(field.number) << 3 | wire_type;
    match field.shape {
        Shape::Text => put_bytes(out, field.number, text.as_bytes()),
        Shape::Id => put_bytes(out, field.number, &id(text)),
        Shape::Bytes => put_bytes(out, field.number, &base64(text)?),
        Shape::Double => put_fixed64(out, field.number, double(text)?.to_bits()),
        Shape::Fixed64 => put_fixed64(out, field.number, whole(text)?),
        Shape::SignedFixed64 => put_fixed64(out, field.number, signed(text)?.cast_unsigned()),
        Shape::Fixed32 => {
            put_varint(out, tag(5));
            out.extend_from_slice(&u32::try_from(whole(text)?).ok()?.to_le_bytes());
        }
        Shape::Varint => {
            put_varint(out, tag(0));
            put_varint(out, whole(text)?);
        }
        Shape::Int => match signed(text) {
            Some(number) => {
                put_varint(out, tag(0));
                put_varint(out, number.cast_unsigned());
            }
            // JavaScript writes every whole number as an integer, also those beyond 64 bits.
            None => put_fixed64(out, DOUBLE_VALUE, finite(text)?.to_bits()),
        },
        Shape::Zigzag => {
            let number = signed(text)?;
            put_varint(out, tag(0));
            put_varint(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
        }
        Shape::Bool => {
            put_varint(out, tag(0));
            out.push(u8::from(boolean(text)?));
        }
        Shape::Enum(names) => {
            put_varint(out, tag(0));
            put_varint(out, named(names, text).or_else(|| whole(text))?);
        }
        Shape::Message(_) | Shape::Item(_) | Shape::AnyValue | Shape::AnyValues | Shape::Attributes => {
            return None;
        }
    }
    Some(())
}

/// The number of an enum's name, in any case, with or without what the names start with: `SPAN_KIND_SERVER`, `server`.
fn named(names: &[(&str, u64)], text: &str) -> Option<u64> {
    let is_it = |name: &str| {
        let short = name.len().checked_sub(text.len()).and_then(|start| name.split_at_checked(start));
        short.is_some_and(|(before, end)| {
            end.eq_ignore_ascii_case(text) && (before.is_empty() || before.ends_with('_') && !text.is_empty())
        })
    };
    names.iter().find(|(name, _)| is_it(name)).map(|(_, number)| *number)
}

/// A whole number that fits 64 bits with its sign.
fn signed(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| rounded(text))
}

/// A whole number without sign, or a negative one as two's complement.
fn whole(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| signed(text).map(i64::cast_unsigned))
}

/// `1e18` and `1.0` are whole numbers too: languages that know one kind of number write times so.
fn rounded(text: &str) -> Option<i64> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    let number = text.parse::<f64>().ok()?;
    let fits = number.fract() == 0.0 && (-BEYOND..BEYOND).contains(&number);
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    let number = fits.then_some(number as i64);
    number
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok(),
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.replace('-', "+").replace('_', "/")).ok()
}

/// Hex of any case or, when that fails, base64. An id of another length is refused later, with its span only; so that
/// what is neither cannot pass for an id there, it is made longer than any.
fn id(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let hex = |text: &str| -> Option<Vec<u8>> {
        text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
    };
    let neither = || {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?}{:17}", "").into_bytes()
    };
    hex(text).or_else(|| base64(text)).unwrap_or_else(neither)
}
