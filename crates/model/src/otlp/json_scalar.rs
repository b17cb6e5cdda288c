//! Scalars of OTLP's JSON: numbers as numbers or text, enums as numbers or names, ids in hex or base64.

use super::json::{Field, Shape};
use super::wire::{put_bytes, put_fixed64, put_varint};
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::borrow::Cow;

/// Standard alphabet, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Writes a field from a JSON scalar, or from a list of scalars.
pub fn put_scalar(out: &mut Vec<u8>, field: &Field, json: &str) -> Result<(), String> {
    if json == "null" {
        return Ok(());
    }
    if json.starts_with('[') {
        let items: Vec<&serde_json::value::RawValue> =
            serde_json::from_str(json).map_err(|error| error.to_string())?;
        return items.iter().try_for_each(|item| put_scalar(out, field, item.get()));
    }
    let text: Cow<'_, str> = if json.starts_with('"') {
        serde_json::from_str::<Text<'_>>(json).map_err(|error| error.to_string())?.0
    } else {
        Cow::Borrowed(json)
    };
    put_text_as(out, field, &text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?} is not {} for {}", expected(field.shape), field.name)
    })
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn expected(shape: Shape) -> &'static str {
    match shape {
        Shape::Id => "an id in hex",
        Shape::Bytes => "base64",
        Shape::Double => "a number",
        Shape::Bool => "true or false",
        Shape::Enum(_) => "a known name or number",
        _ => "a whole number",
    }
}

fn put_text_as(out: &mut Vec<u8>, field: &Field, text: &str) -> Option<()> {
    let tag = |wire_type: u64| u64::from(field.number) << 3 | wire_type;
    match field.shape {
        Shape::Text => put_bytes(out, field.number, text.as_bytes()),
        Shape::Id => put_bytes(out, field.number, &id(text)?),
        Shape::Bytes => put_bytes(out, field.number, &base64(text)?),
        Shape::Double => put_fixed64(out, field.number, double(text)?.to_bits()),
        Shape::Fixed64 => put_fixed64(out, field.number, whole(text)?),
        Shape::Fixed32 => {
            put_varint(out, tag(5));
            out.extend_from_slice(&u32::try_from(whole(text)?).ok()?.to_le_bytes());
        }
        Shape::Varint => {
            put_varint(out, tag(0));
            put_varint(out, whole(text)?);
        }
        Shape::Zigzag => {
            let number = whole(text)?.cast_signed();
            put_varint(out, tag(0));
            put_varint(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
        }
        Shape::Bool => {
            put_varint(out, tag(0));
            out.push(u8::from(text.parse::<bool>().ok()?));
        }
        Shape::Enum(names) => {
            let named = names.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
            put_varint(out, tag(0));
            put_varint(out, named.or_else(|| whole(text))?);
        }
        Shape::Message(_) | Shape::AnyValue | Shape::Attributes => return None,
    }
    Some(())
}

/// A whole number of either sign, as two's complement; `1e9` and `1.0` are taken too.
fn whole(text: &str) -> Option<u64> {
    let signed = || text.parse::<i64>().ok().map(i64::cast_unsigned);
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    let rounded = || {
        let number = text.parse::<f64>().ok()?;
        let fits = number.fract() == 0.0 && number.abs() < 9.0e15;
        fits.then_some((number as i64).cast_unsigned())
    };
    text.parse::<u64>().ok().or_else(signed).or_else(rounded)
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

/// Hex of any case or, when that fails, base64. An id of another length is refused later, with its span.
fn id(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let hex = |text: &str| -> Option<Vec<u8>> {
        text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
    };
    hex(text).or_else(|| base64(text))
}
