//! Parameters that several paths take: times, ids, filters.

use crate::error::ApiError;
use model::{SpanId, TimeRange, Timestamp, TraceId};
use query::Expression;
use serde::Deserialize;

/// `from` and `to`.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct Times {
    pub from: Option<String>,
    pub to: Option<String>,
}

impl Times {
    /// All of time where they are not given.
    pub fn range(&self) -> Result<TimeRange, ApiError> {
        let now = Timestamp::now();
        let read = |name: &str, text: &Option<String>, otherwise: Timestamp| match text.as_deref() {
            None | Some("") => Ok(otherwise),
            Some(text) => time(text, now).ok_or_else(|| {
                ApiError::invalid(format!(
                    "{name}={text:?} is not a time; write nanoseconds, RFC 3339, now, or now-1h"
                ))
            }),
        };
        let range = TimeRange {
            from: read("from", &self.from, Timestamp(0))?,
            to: read("to", &self.to, Timestamp(u64::MAX))?,
        };
        if range.from > range.to {
            return Err(ApiError::invalid("from is after to"));
        }
        Ok(range)
    }
}

fn time(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(nanoseconds) = text.parse() {
        return Some(Timestamp(nanoseconds));
    }
    if text == "now" {
        // What is stored at this very moment is meant too.
        return Some(Timestamp(now.0.saturating_add(1_000_000_000)));
    }
    if let Some(back) = text.strip_prefix("now-") {
        let (number, unit) = back.split_at_checked(back.len().checked_sub(1)?)?;
        let seconds: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let span = number.parse::<u64>().ok()?.checked_mul(seconds)?.checked_mul(1_000_000_000)?;
        return Some(Timestamp(now.0.saturating_sub(span)));
    }
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_nanosecond()).ok().map(Timestamp)
}

/// A trace's id from a path.
pub fn trace_id(text: &str) -> Result<TraceId, ApiError> {
    let message =
        || ApiError::invalid(format!("{text:?} is not a trace id; it has 1 to 32 hex digits, not all zero"));
    TraceId::parse(text).ok_or_else(message)
}

/// A span's id from a path.
pub fn span_id(text: &str) -> Result<SpanId, ApiError> {
    let message =
        || ApiError::invalid(format!("{text:?} is not a span id; it has 1 to 16 hex digits, not all zero"));
    SpanId::parse(text).ok_or_else(message)
}

/// A filter, everything when there is none.
pub fn filter(text: Option<&str>) -> Result<Expression, ApiError> {
    Ok(query::filter::parse(text.unwrap_or_default())?)
}

/// A limit within bounds.
pub fn limit(asked: Option<usize>, otherwise: usize, most: usize) -> usize {
    asked.unwrap_or(otherwise).clamp(1, most)
}

/// A number among other parameters, where all values arrive as text.
pub fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let parse = |text: String| {
        text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is not a number")))
    };
    text.filter(|text| !text.is_empty()).map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::time;
    use model::Timestamp;

    #[test]
    fn times() {
        let now = Timestamp(10_000_000_000_000);
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(time(text, now).map(|time| time.0), expect, "{text}");
        };
        check("12", Some(12));
        check("now-1h", Some(10_000_000_000_000 - 3_600_000_000_000));
        check("now-99999999d", None);
        check("1970-01-01T00:00:01Z", Some(1_000_000_000));
        check("now-", None);
        check("now-é", None);
        check("yesterday", None);
    }
}
