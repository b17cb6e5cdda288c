//! Checks of nested values that are kept as the bytes they came in: text is UTF-8, nesting is bounded, framing is right.

use super::wire::{Data, Fields, Malformed, Slice, reason_at};

/// How deep an attribute's value may nest.
pub const MAX_DEPTH: usize = 64;

/// Why an item is refused, in words for the sender.
pub type Reason = String;

fn framing(error: Malformed) -> Reason {
    format!("{} at byte {}", error.what, error.at)
}

/// The fields of a message inside an item; wrong framing costs the item only.
pub fn fields(slice: Slice<'_>) -> impl Iterator<Item = Result<(u32, Data<'_>), Reason>> {
    let reason = move |error| reason_at(slice, error).map_or_else(|| framing(error), str::to_owned);
    Fields::new(slice).map(move |field| field.map_err(reason))
}

/// Text that must be UTF-8.
pub fn text<'a>(slice: Slice<'a>, what: &str) -> Result<&'a str, Reason> {
    std::str::from_utf8(slice.bytes).map_err(|error| {
        format!("{what} is not UTF-8 at byte {}; send bytes as bytesValue", slice.at + error.valid_up_to())
    })
}

/// A `KeyValue` that was checked.
#[derive(Debug, Clone, Copy)]
pub struct CheckedAttribute<'a> {
    pub key: &'a str,
    /// The bytes of its `AnyValue`.
    pub value: &'a [u8],
    pub scalar: Option<Scalar<'a>>,
}

/// A value of one field that is text or a number; one with a second field is odd enough to be kept as it is.
#[derive(Debug, Clone, Copy)]
pub enum Scalar<'a> {
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
}

/// A `KeyValue`'s key and value.
pub fn key_value(slice: Slice<'_>, depth: usize) -> Result<CheckedAttribute<'_>, Reason> {
    let (mut key, mut value) = ("", Slice { bytes: &[], at: slice.at });
    for field in fields(slice) {
        match field? {
            (1, data) => key = text(data.slice(), "an attribute's key")?,
            (2, data) => value = data.slice(),
            _ => {}
        }
    }
    let scalar = if depth <= MAX_DEPTH { scalar(value)? } else { None };
    if scalar.is_none() {
        any_value(value, depth)?;
    }
    Ok(CheckedAttribute { key, value: value.bytes, scalar })
}

/// The scalar that an `AnyValue` is; `None` when it is something else, unchecked.
#[inline]
fn scalar(value: Slice<'_>) -> Result<Option<Scalar<'_>>, Reason> {
    let mut fields = Fields::new(value);
    let (Some(&tag), Some(Ok((_, data)))) = (value.bytes.first(), fields.next()) else { return Ok(None) };
    if fields.position() != value.bytes.len() {
        return Ok(None);
    }
    Ok(match tag {
        0x0a => Some(Scalar::Text(text(data.slice(), "a text value")?)),
        0x10 => Some(Scalar::Bool(data.number() != 0)),
        0x18 => Some(Scalar::Int(data.number().cast_signed())),
        0x21 => Some(Scalar::Double(data.double())),
        _ => None,
    })
}

/// Why a value that nests deeper is refused.
#[cold]
pub fn too_deep() -> Reason {
    format!("a value nests deeper than {MAX_DEPTH} levels; flatten it or send it as JSON text")
}

/// An `AnyValue`, however deep.
pub fn any_value(slice: Slice<'_>, depth: usize) -> Result<(), Reason> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    for field in fields(slice) {
        match field? {
            (1, data) => drop(text(data.slice(), "a text value")?),
            (5, data) => {
                for item in fields(data.slice()) {
                    if let (1, item) = item? {
                        any_value(item.slice(), depth + 1)?;
                    }
                }
            }
            (6, data) => {
                for item in fields(data.slice()) {
                    if let (1, item) = item? {
                        key_value(item.slice(), depth + 1)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A message whose fields are text under `texts`, and attributes under `attributes`: a resource, scope, event or link.
pub fn message(slice: Slice<'_>, texts: &[u32], attributes: u32) -> Result<(), Reason> {
    for field in fields(slice) {
        match field? {
            (number, data) if number == attributes => drop(key_value(data.slice(), 1)?),
            (number, data) if texts.contains(&number) => drop(text(data.slice(), "a name")?),
            _ => {}
        }
    }
    Ok(())
}

/// A `Link`: its ids, trace state and attributes.
pub fn link(slice: Slice<'_>) -> Result<(), Reason> {
    for field in fields(slice) {
        match field? {
            (1, data) => drop(id::<16>(data.slice(), "link's trace id")?),
            (2, data) => drop(id::<8>(data.slice(), "link's span id")?),
            _ => {}
        }
    }
    message(slice, &[3], 4)
}

/// An id of `N` bytes: `None` when it is empty or all zero.
pub fn id<'a, const N: usize>(slice: Slice<'a>, what: &str) -> Result<Option<&'a [u8; N]>, Reason> {
    if slice.bytes.is_empty() {
        return Ok(None);
    }
    let bytes: &[u8; N] = slice.bytes.try_into().map_err(|_| wrong_id(slice.bytes, N, what))?;
    Ok((*bytes != [0u8; N]).then_some(bytes))
}

#[cold]
fn wrong_id(found: &[u8], length: usize, what: &str) -> Reason {
    // What JSON had in the place of an id comes here as quoted text.
    if let Ok(text @ [b'"', ..]) = std::str::from_utf8(found).map(str::trim_end).map(str::as_bytes) {
        let text = String::from_utf8_lossy(text);
        return format!("its {what} is {text}; write it as {} hex digits", 2 * length);
    }
    let shown: String = found.iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    let pad = if found.len() < length { "; pad it with zeros on the left" } else { "" };
    format!("its {what} {shown} has {} bytes instead of {length}{pad}", found.len())
}
