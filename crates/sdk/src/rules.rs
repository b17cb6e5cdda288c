//! What is done to every span between its end and its export: bounds, redaction, one value per name.

use crate::content;
use crate::old_names;
use crate::options;
use crate::redaction::{REDACTED, Redaction};
use crate::setup::limits::shorten;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Span, Status};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SpanData;

/// Left beyond the limit until redaction has looked: a secret that is cut in half would not be known for one.
const SLACK: usize = 256;

/// What is done to every span.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub(crate) value_length: usize,
    pub(crate) redaction: Redaction,
    /// Keys of baggage that become attributes: exact, or all that begin so (`tenant.*`).
    pub(crate) baggage: Vec<String>,
}

impl Rules {
    /// Copies what baggage may tell of a span that starts.
    pub(crate) fn copy_baggage(&self, span: &mut impl Span, context: &Context) {
        if self.baggage.is_empty() {
            return;
        }
        for (key, (value, _)) in context.baggage() {
            if self.baggage.iter().any(|rule| matches(rule, key.as_str())) {
                span.set_attribute(KeyValue::new(key.clone(), value.clone()));
            }
        }
    }

    /// Bounds what waits in the queue: values are cut to a little more than what will be sent.
    pub(crate) fn bound(&self, span: &mut SpanData) {
        each_value(span, |attribute| {
            let length = self.length(attribute).saturating_add(SLACK);
            shorten(&mut attribute.value, length);
        });
    }

    /// How many bytes of text a span has, but for names.
    pub(crate) fn text(span: &SpanData) -> usize {
        let events = span.events.events.iter().flat_map(|event| &event.attributes);
        let links = span.links.links.iter().flat_map(|link| &link.attributes);
        let values = span.attributes.iter().chain(events).chain(links);
        let said = if let Status::Error { description } = &span.status { description.len() } else { 0 };
        said + values.map(|attribute| length(&attribute.value)).sum::<usize>()
    }

    /// Makes a span what may be sent.
    pub(crate) fn apply(&self, span: &mut SpanData) {
        last_of_each_name(&mut span.attributes);
        if options::old_names() {
            old_names::add(span);
        }
        each_value(span, |attribute| {
            self.redact(attribute);
            let length = self.length(attribute);
            shorten(&mut attribute.value, length);
        });
        if let Status::Error { description } = &mut span.status
            && let Some(clean) = self.redaction.cleaned(description)
        {
            *description = clean.into();
        }
        if let Some(clean) = self.redaction.cleaned(&span.name) {
            span.name = clean.into();
        }
    }

    /// What was said has a bound of its own, within which it is whole JSON.
    fn length(&self, attribute: &KeyValue) -> usize {
        match options::content() {
            Some(characters) if content::KEYS.contains(&attribute.key.as_str()) => {
                self.value_length.max(characters)
            }
            _ => self.value_length,
        }
    }

    fn redact(&self, attribute: &mut KeyValue) {
        let clean = |text: &mut StringValue| {
            if let Some(clean) = self.redaction.cleaned(text.as_str()) {
                *text = clean.into();
            }
        };
        match &mut attribute.value {
            Value::String(text) if self.redaction.hides(attribute.key.as_str()) => *text = REDACTED.into(),
            Value::String(text) => clean(text),
            Value::Array(Array::String(texts)) => texts.iter_mut().for_each(clean),
            _ => {}
        }
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::String(texts)) => texts.iter().map(|text| text.as_str().len()).sum(),
        _ => 0,
    }
}

fn matches(rule: &str, key: &str) -> bool {
    rule.strip_suffix('*').map_or(rule == key, |prefix| key.starts_with(prefix))
}

fn each_value(span: &mut SpanData, mut act: impl FnMut(&mut KeyValue)) {
    span.attributes.iter_mut().for_each(&mut act);
    span.events.events.iter_mut().flat_map(|event| &mut event.attributes).for_each(&mut act);
    span.links.links.iter_mut().flat_map(|link| &mut link.attributes).for_each(&mut act);
}

/// What is set twice has the value that was set last, in the place of the first.
fn last_of_each_name(attributes: &mut Vec<KeyValue>) {
    let mut index = 0;
    // One bit for each name seen: where its bit is new, so is the name.
    let mut seen = 0_u64;
    while index < attributes.len() {
        let (before, rest) = attributes.split_at_mut(index);
        let Some(this) = rest.first_mut() else { return };
        let bit = bit(this.key.as_str());
        let again = if seen & bit == 0 { None } else { before.iter_mut().find(|had| had.key == this.key) };
        seen |= bit;
        match again {
            Some(had) => {
                std::mem::swap(&mut had.value, &mut this.value);
                attributes.remove(index);
            }
            None => index += 1,
        }
    }
}

fn bit(name: &str) -> u64 {
    let name = name.as_bytes();
    let letter = |from_end: usize| name.iter().rev().nth(from_end).map_or(0, |letter| usize::from(*letter));
    1 << ((name.len() * 7 + letter(0) * 3 + letter(3)) % 64)
}
