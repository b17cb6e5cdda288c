//! What a log record says, by key.

use super::Failure;
use model::{LogRecord, Timestamp, Value};

/// A millisecond, in nanoseconds.
const MILLISECOND: f64 = 1e6;
/// What is said to have taken longer than a week, in milliseconds, is not believed.
const LONGEST: f64 = 7.0 * 86_400e3;

/// The attributes of a record. Agents write numbers and truth values as text, too.
#[derive(Clone, Copy)]
pub struct Fields<'a>(pub &'a LogRecord);

impl<'a> Fields<'a> {
    /// `event.name`, the record's own event name or, failing both, its body.
    pub fn event_name(self) -> Option<&'a str> {
        let own = Some(self.0.event_name.as_str()).filter(|name| !name.is_empty());
        self.text("event.name").or(own).or_else(|| self.0.body.as_ref()?.as_str())
    }

    /// When it happened; Codex says only when it was observed.
    pub fn time(self) -> Timestamp {
        if self.0.time.0 == 0 { self.0.observed_time } else { self.0.time }
    }

    fn value(self, key: &str) -> Option<&'a Value> {
        self.0.attributes.iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
    }

    /// A text that is not empty.
    pub fn text(self, key: &str) -> Option<&'a str> {
        self.value(key)?.as_str().filter(|text| !text.is_empty())
    }

    pub fn owned(self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    pub fn number(self, key: &str) -> Option<f64> {
        let number = match self.value(key)? {
            #[expect(clippy::cast_precision_loss, reason = "counts and durations are far below 2^53")]
            Value::Int(number) => *number as f64,
            Value::Double(number) => *number,
            Value::String(text) => text.parse().ok()?,
            _ => return None,
        };
        Some(number).filter(|number| number.is_finite() && *number >= 0.0)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and saturating is right"
    )]
    pub fn count(self, key: &str) -> Option<u64> {
        self.number(key).map(|number| number as u64)
    }

    pub fn truth(self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Bool(truth) => Some(*truth),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// `duration_ms`, in nanoseconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and saturating is right"
    )]
    pub fn duration(self) -> u64 {
        let said = self.number("duration_ms").filter(|milliseconds| *milliseconds <= LONGEST);
        said.map_or(0, |milliseconds| (milliseconds * MILLISECOND) as u64)
    }

    /// A failure, of the kind and with the message that stand under the first of these keys.
    pub fn failure(self, kinds: &[&str], messages: &[&str]) -> Failure {
        let kind = kinds.iter().find_map(|key| self.said(key)).unwrap_or_else(|| "_OTHER".to_owned());
        Failure { kind, message: messages.iter().find_map(|key| self.said(key)).unwrap_or_default() }
    }

    /// A text or a number, as text.
    fn said(self, key: &str) -> Option<String> {
        self.owned(key).or_else(|| self.count(key).map(|count| count.to_string()))
    }
}
