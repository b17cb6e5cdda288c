//! Logs: one JSON object per line on stdout, with the ids of the span that was active, and OTLP's records of the same.

use clew_sdk::opentelemetry::Context;
use clew_sdk::opentelemetry::trace::TraceContextExt;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{ExporterBuildError, LogExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use serde_json::{Map, Value};
use std::fmt::Debug;
use std::io::Write;
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context as Within, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// How long the last records may take to be sent.
const DEADLINE: Duration = Duration::from_secs(5);

/// Logs that are set up. What is buffered is sent when this is dropped.
#[derive(Debug)]
pub(crate) struct Logs(SdkLoggerProvider);

/// Begins to log, in the name of this service.
pub(crate) fn start(service: &'static str) -> Result<Logs, ExporterBuildError> {
    let exporter = LogExporter::builder().with_http().build()?;
    let resource = Resource::builder().with_service_name(service).build();
    let provider = SdkLoggerProvider::builder().with_resource(resource).with_batch_exporter(exporter);
    let provider = provider.build();
    // What telemetry's own libraries and the transport say is for whoever looks for a fault in them.
    let levels = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_targets(["opentelemetry", "h2", "hyper", "tonic"].map(|name| (name, LevelFilter::WARN)));
    let records = OpenTelemetryTracingBridge::new(&provider);
    tracing_subscriber::registry().with(levels).with(JsonLines { service }).with(records).init();
    Ok(Logs(provider))
}

impl Drop for Logs {
    fn drop(&mut self) {
        let _ = self.0.shutdown_with_timeout(DEADLINE);
    }
}

/// Writes the events of `tracing`.
#[derive(Debug)]
struct JsonLines {
    service: &'static str,
}

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _within: Within<'_, S>) {
        let mut line = Map::new();
        let mut time = String::new();
        if SystemTime.format_time(&mut Writer::new(&mut time)).is_ok() {
            line.insert("time".to_owned(), time.into());
        }
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("service".to_owned(), self.service.into());
        let context = Context::current();
        let span = context.span().span_context().clone();
        if span.is_valid() {
            line.insert("trace_id".to_owned(), span.trace_id().to_string().into());
            line.insert("span_id".to_owned(), span.span_id().to_string().into());
        }
        event.record(&mut Fields(&mut line));
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // When nobody reads the log, the work goes on.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
}

/// The event's own fields; its message is `msg`.
struct Fields<'line>(&'line mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let name = if field.name() == "message" { "msg" } else { field.name() };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }
}
