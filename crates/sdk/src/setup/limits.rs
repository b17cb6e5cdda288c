//! How much a span may hold, and how values are shortened.

use super::environment::Environment;
use opentelemetry::{Array, StringValue, Value};

/// How much a span may hold. What is more is left out, and counted in what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Characters of a text; of each text in a list.
    pub value_length: usize,
    /// Attributes of a span.
    pub attributes: u32,
    /// Events of a span.
    pub events: u32,
    /// Links of a span.
    pub links: u32,
    /// Attributes of one event.
    pub attributes_per_event: u32,
    /// Attributes of one link.
    pub attributes_per_link: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let (attributes_per_event, attributes_per_link) = (128, 128);
        let (attributes, events, links) = (128, 128, 128);
        Self { value_length: 2_048, attributes, events, links, attributes_per_event, attributes_per_link }
    }
}

impl Limits {
    /// Those of the environment: what is said of spans goes before what is said of all attributes.
    pub(super) fn of(environment: &mut Environment) -> Self {
        let default = Self::default();
        let lengths = ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"];
        let all = "OTEL_ATTRIBUTE_COUNT_LIMIT";
        Self {
            value_length: environment.number(&lengths, default.value_length),
            attributes: environment.number(&["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", all], default.attributes),
            events: environment.number(&["OTEL_SPAN_EVENT_COUNT_LIMIT"], default.events),
            links: environment.number(&["OTEL_SPAN_LINK_COUNT_LIMIT"], default.links),
            attributes_per_event: environment
                .number(&["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", all], default.attributes_per_event),
            attributes_per_link: environment
                .number(&["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", all], default.attributes_per_link),
        }
    }

    /// Those of log records: how many attributes, and how long their texts.
    pub(super) fn of_logs(environment: &mut Environment) -> LogLimits {
        let default = Self::default();
        let lengths = ["OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"];
        let counts = ["OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"];
        LogLimits {
            value_length: environment.number(&lengths, default.value_length),
            attributes: environment.number(&counts, default.attributes as usize),
        }
    }
}

/// How much a log record may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogLimits {
    pub(crate) value_length: usize,
    pub(crate) attributes: usize,
}

/// The first so many characters of a text, if it has more.
pub(crate) fn shortened(text: &str, characters: usize) -> Option<String> {
    // A text of so few bytes has no more characters than that: the common case, without counting.
    if text.len() <= characters {
        return None;
    }
    let end = text.char_indices().nth(characters).map(|(index, _)| index)?;
    text.get(..end).map(str::to_owned)
}

/// Shortens a value in place: a text, or each text of a list.
pub(crate) fn shorten(value: &mut Value, characters: usize) {
    match value {
        Value::String(text) => shorten_text(text, characters),
        Value::Array(Array::String(texts)) => {
            texts.iter_mut().for_each(|text| shorten_text(text, characters));
        }
        _ => {}
    }
}

fn shorten_text(text: &mut StringValue, characters: usize) {
    if let Some(short) = shortened(text.as_str(), characters) {
        *text = short.into();
    }
}
