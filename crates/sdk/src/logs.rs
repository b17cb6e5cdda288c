//! Events of `tracing` as log records and as lines of JSON, both with the ids of the span that is active.

use crate::redaction::{REDACTED, Redaction};
use crate::setup::console::write_line;
use crate::setup::limits::{LogLimits, shortened};
use crate::setup::records::DROPPED;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, Key};
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use serde_json::{Map, Value};
use std::fmt::Debug;
use std::io::Write;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;

/// What is told of this library's own troubles; they are shown even where nobody looks at logs.
const OWN: &str = "clew_sdk";

/// A layer that makes log records, and lines if they were asked for, of events. It is part of what
/// [`crate::Builder::build`] sets up; a program with a subscriber of its own adds [`crate::Telemetry::log_layer`] to it.
#[derive(Debug, Clone)]
pub struct Logs {
    logger: SdkLogger,
    /// Whether lines are written, too.
    lines: bool,
    service: String,
    limits: LogLimits,
    redaction: Arc<crate::rules::Rules>,
}

impl Logs {
    pub(crate) fn new(
        provider: &SdkLoggerProvider,
        lines: bool,
        service: String,
        limits: LogLimits,
        rules: Arc<crate::rules::Rules>,
    ) -> Self {
        Self { logger: provider.logger("tracing"), lines, service, limits, redaction: rules }
    }

    fn record(&self, event: &Event<'_>, said: &Said<'_>) {
        let metadata = event.metadata();
        let mut record = self.logger.create_log_record();
        record.set_timestamp(SystemTime::now());
        record.set_target(metadata.target());
        let (severity, text) = severity(*metadata.level());
        record.set_severity_number(severity);
        record.set_severity_text(text);
        record.set_body(AnyValue::from(said.message.clone()));
        for (name, value) in said.fields.iter().take(self.limits.attributes) {
            record.add_attribute(Key::new(*name), any(value));
        }
        let dropped = said.fields.len().saturating_sub(self.limits.attributes);
        if dropped > 0 {
            record
                .add_attribute(Key::new(DROPPED), AnyValue::Int(i64::try_from(dropped).unwrap_or(i64::MAX)));
        }
        self.logger.emit(record);
    }

    fn line(&self, event: &Event<'_>, said: &Said<'_>) -> String {
        let mut line = Map::new();
        line.insert("time".to_owned(), now().into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("msg".to_owned(), said.message.clone().into());
        let context = Context::current();
        let span = context.span();
        let ids = span.span_context();
        if ids.is_valid() {
            line.insert("trace_id".to_owned(), ids.trace_id().to_string().into());
            line.insert("span_id".to_owned(), ids.span_id().to_string().into());
        }
        line.insert("service".to_owned(), self.service.clone().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        for (name, value) in &said.fields {
            // What the line itself says is not replaced by a field of the same name.
            line.entry(*name).or_insert_with(|| value.clone());
        }
        Value::Object(line).to_string()
    }
}

impl<S: Subscriber> Layer<S> for Logs {
    fn on_event(&self, event: &Event<'_>, _context: tracing_subscriber::layer::Context<'_, S>) {
        let mut said = Said {
            message: String::new(),
            fields: Vec::new(),
            redaction: &self.redaction.redaction,
            limits: self.limits,
        };
        event.record(&mut said);
        // What is sent about sending would be sent again.
        if !Context::current().is_telemetry_suppressed() {
            self.record(event, &said);
        }
        let written = if self.lines {
            write_line(&self.line(event, &said))
        } else if event.metadata().target() == OWN && *event.metadata().level() <= Level::WARN {
            write_trouble(&said)
        } else {
            Ok(())
        };
        // A closed output is no reason to end, and there is no other place to say so.
        drop(written);
    }
}

fn write_trouble(said: &Said<'_>) -> std::io::Result<()> {
    let fields: Vec<_> = said.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let line = format!("clew-sdk: {} {}\n", said.message, fields.join(" "));
    std::io::stderr().lock().write_all(line.as_bytes())
}

fn severity(level: Level) -> (Severity, &'static str) {
    match level {
        Level::ERROR => (Severity::Error, "ERROR"),
        Level::WARN => (Severity::Warn, "WARN"),
        Level::INFO => (Severity::Info, "INFO"),
        Level::DEBUG => (Severity::Debug, "DEBUG"),
        Level::TRACE => (Severity::Trace, "TRACE"),
    }
}

fn any(value: &Value) -> AnyValue {
    match value {
        Value::Bool(value) => AnyValue::Boolean(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => AnyValue::Int(whole),
            (None, fraction) => AnyValue::Double(fraction.unwrap_or_default()),
        },
        Value::String(text) => AnyValue::from(text.clone()),
        other => AnyValue::from(other.to_string()),
    }
}

/// What an event says: redacted and bounded.
struct Said<'a> {
    message: String,
    fields: Vec<(&'static str, Value)>,
    redaction: &'a Redaction,
    limits: LogLimits,
}

impl Said<'_> {
    fn text(&mut self, field: &Field, text: &str) {
        let hidden = self.redaction.hides(field.name()).then(|| REDACTED.to_owned());
        let clean = hidden.or_else(|| self.redaction.cleaned(text)).unwrap_or_else(|| text.to_owned());
        if field.name() == "message" {
            self.message = clean;
        } else {
            let short = shortened(&clean, self.limits.value_length).unwrap_or(clean);
            self.fields.push((field.name(), short.into()));
        }
    }
}

impl Visit for Said<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, &value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.push((field.name(), value.into()));
    }
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339(since.as_secs(), since.subsec_millis())
}

/// Seconds since 1970 as `2026-11-21T15:40:00.123Z`. Years are counted from March, so that leap days come last.
fn rfc3339(seconds: u64, milliseconds: u32) -> String {
    let (days, of_day) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn moments_are_written_as_the_standard_has_them() {
        for (seconds, written) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (1_709_251_199, "2024-02-29T23:59:59.007Z"),
            (1_795_276_800, "2026-11-21T16:00:00.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ] {
            assert_eq!(rfc3339(seconds, 7), written);
        }
    }
}
