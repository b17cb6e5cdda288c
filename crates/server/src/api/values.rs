//! Attribute values as JSON, exactly: 64-bit integers and odd doubles as text, bytes in base64, long texts cut with notice.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::value::{Resource, Scope};
use model::{Attribute, Value};
use serde::Serialize;
use serde_json::{Value as Json, json};

/// Longer texts and bytes are cut to `SHOWN_BYTES`.
const LONG_BYTES: usize = 64 << 10;
const SHOWN_BYTES: usize = 16 << 10;
/// A browser holds integers exactly up to this.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// An attribute as the API gives it.
#[derive(Serialize)]
pub struct AttributeView {
    key: String,
    #[serde(rename = "type")]
    kind: &'static str,
    value: Json,
    /// Bytes of a text or bytes value, elements of an array or map.
    length: usize,
    /// Whether the value, or one within it, is cut.
    truncated: bool,
}

/// The attributes as the API gives them.
pub fn attributes(attributes: &[Attribute]) -> Vec<AttributeView> {
    attributes.iter().map(view).collect()
}

fn view(attribute: &Attribute) -> AttributeView {
    let length = match &attribute.value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(values) => values.len(),
        Value::Map(attributes) => attributes.len(),
        _ => 0,
    };
    AttributeView {
        key: attribute.key.clone(),
        kind: kind(&attribute.value),
        value: value(&attribute.value, true),
        length,
        truncated: is_long(&attribute.value),
    }
}

/// Whether it, or something within it, is cut.
fn is_long(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > LONG_BYTES,
        Value::Bytes(bytes) => bytes.len() > LONG_BYTES,
        Value::Array(values) => values.iter().any(is_long),
        Value::Map(attributes) => attributes.iter().any(|attribute| is_long(&attribute.value)),
        _ => false,
    }
}

/// The name of a value's type.
pub const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Empty => "empty",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Double(_) => "double",
        Value::Bytes(_) => "bytes",
        Value::Array(_) => "array",
        Value::Map(_) => "map",
    }
}

/// A value as JSON; nested ones with their types.
pub fn value(of: &Value, cut: bool) -> Json {
    let shown = |bytes: usize| if cut && bytes > LONG_BYTES { SHOWN_BYTES } else { bytes };
    match of {
        Value::Empty => Json::Null,
        Value::String(text) => {
            Json::from(text.get(..text.floor_char_boundary(shown(text.len()))).unwrap_or_default())
        }
        Value::Bool(yes) => Json::from(*yes),
        Value::Int(number) => Json::from(number.to_string()),
        Value::Double(number) => double(*number),
        Value::Bytes(bytes) => Json::from(STANDARD.encode(&bytes[..shown(bytes.len())])),
        Value::Array(values) => {
            values.iter().map(|item| json!({"type": kind(item), "value": value(item, cut)})).collect()
        }
        Value::Map(attributes) => attributes
            .iter()
            .map(|item| json!({"key": item.key, "type": kind(&item.value), "value": value(&item.value, cut)}))
            .collect(),
    }
}

/// A double; what JSON's numbers cannot say, as text.
pub fn double(number: f64) -> Json {
    serde_json::Number::from_f64(number).map_or_else(|| Json::from(odd(number)), Json::Number)
}

/// The name of a double that is not a number of JSON.
pub const fn odd(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// A value as the JSON that its sender meant, without types; integers that a browser cannot hold are text.
pub fn plain(of: &Value) -> Json {
    match of {
        Value::Int(number) if number.unsigned_abs() <= SAFE_INTEGER => Json::from(*number),
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Map(attributes) => {
            Json::Object(attributes.iter().map(|item| (item.key.clone(), plain(&item.value))).collect())
        }
        scalar => value(scalar, false),
    }
}

/// Parses JSON within a text; integers that a browser cannot hold become text. `None` when it is no JSON.
pub fn parsed(text: &str) -> Option<Json> {
    serde_json::from_str(text).ok().map(exact)
}

fn exact(json: Json) -> Json {
    match json {
        Json::Number(number) => {
            let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if whole.is_some_and(|whole| whole > SAFE_INTEGER) {
                Json::from(number.to_string())
            } else {
                Json::Number(number)
            }
        }
        Json::Array(items) => items.into_iter().map(exact).collect(),
        Json::Object(fields) => {
            Json::Object(fields.into_iter().map(|(key, value)| (key, exact(value))).collect())
        }
        other => other,
    }
}

/// A resource as the API gives it.
pub fn resource(resource: &Resource) -> Json {
    json!({"attributes": attributes(&resource.attributes), "schemaUrl": resource.schema_url})
}

/// A scope as the API gives it.
pub fn scope(scope: &Scope) -> Json {
    json!({"name": scope.name, "version": scope.version, "attributes": attributes(&scope.attributes), "schemaUrl": scope.schema_url})
}

/// The service that a resource names.
pub fn service(resource: &Resource) -> &str {
    let named = resource.attributes.iter().find(|attribute| attribute.key == "service.name");
    named.and_then(|attribute| attribute.value.as_str()).unwrap_or_default()
}
