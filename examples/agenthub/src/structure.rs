//! JSON objects as protobuf's `Struct`, and back.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct};
use serde_json::{Map, Value};

/// A `Struct` as JSON. Its numbers are floating; whole ones become integers again.
pub(crate) fn to_json(structure: Struct) -> Map<String, Value> {
    structure.fields.into_iter().map(|(name, value)| (name, value_to_json(value))).collect()
}

/// JSON as a `Struct`.
pub(crate) fn from_json(object: Map<String, Value>) -> Struct {
    Struct { fields: object.into_iter().map(|(name, value)| (name, value_from_json(value))).collect() }
}

fn value_to_json(value: prost_types::Value) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::NumberValue(value)) => number(value),
        Some(Kind::StringValue(value)) => Value::String(value),
        Some(Kind::StructValue(value)) => Value::Object(to_json(value)),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(value_to_json).collect(),
    }
}

fn value_from_json(value: Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or(f64::NAN)),
        Value::String(value) => Kind::StringValue(value),
        Value::Array(values) => {
            Kind::ListValue(ListValue { values: values.into_iter().map(value_from_json).collect() })
        }
        Value::Object(object) => Kind::StructValue(from_json(object)),
    };
    prost_types::Value { kind: Some(kind) }
}

/// Up to here, every integer has a floating number of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the exact range")]
        return Value::from(value as i64);
    }
    Value::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_survives_the_way_there_and_back() {
        for value in [
            json!({}),
            json!({"none": null, "yes": true, "whole": -42, "part": 0.5, "text": "Claude"}),
            json!({"list": [1, [2, "three"], {}], "object": {"within": {"another": [false]}}}),
            json!({"largest": 9_007_199_254_740_992_i64}),
        ] {
            let Value::Object(object) = value else { unreachable!("all cases are objects") };
            assert_eq!(to_json(from_json(object.clone())), object);
        }
    }
}
