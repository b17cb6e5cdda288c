//! Where a value of OTLP's JSON stands: how deep, and what a fault in it costs.

use super::validate::{MAX_DEPTH, too_deep};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;

/// The reader of JSON bears 128 levels, of which a level of OTLP's values takes up to four. It is started anew often
/// enough to never meet that bound: ours is the only one.
const LEVELS_AT_ONCE: usize = 16;

/// Where a value stands.
#[derive(Clone, Copy)]
pub struct Place {
    depth: usize,
    /// Whether a fault costs the item that it is in. Otherwise it ends the reading.
    pub careful: bool,
}

impl Place {
    pub const fn new(careful: bool) -> Self {
        Self { depth: 0, careful }
    }

    /// The place of a value in this one.
    pub fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH { Err(E::custom(too_deep())) } else { Ok(Self { depth, ..self }) }
    }

    /// Reads the value here.
    pub fn read<'de, D: Deserializer<'de>, V: Visitor<'de>>(
        self,
        deserializer: D,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if !self.depth.is_multiple_of(LEVELS_AT_ONCE) {
            return deserializer.deserialize_any(visitor);
        }
        let raw = <&RawValue>::deserialize(deserializer)?;
        serde_json::Deserializer::from_str(raw.get()).deserialize_any(visitor).map_err(D::Error::custom)
    }
}
