//! Sets up traces, metrics and logs.

use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::{KeyValue, Value, global};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::time::Duration;
use thiserror::Error;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How long what is buffered may take to be sent at the end.
const DEADLINE: Duration = Duration::from_secs(5);

/// Everything from the environment.
///
/// # Errors
/// When an exporter cannot be made of what the environment says.
pub fn init() -> Result<Telemetry, SetupError> {
    builder().build()
}

/// Telemetry that is described in code; what is not described comes from the environment.
#[must_use]
pub fn builder() -> Builder {
    Builder::default()
}

/// How telemetry is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// OTLP over HTTP, in protobuf; port 4318.
    #[default]
    HttpProtobuf,
    /// OTLP over HTTP, in JSON; port 4318.
    HttpJson,
    /// OTLP over gRPC; port 4317. Needs a Tokio runtime.
    Grpc,
}

/// Why telemetry cannot be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// An exporter cannot be made.
    #[error("the exporter cannot be made: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// What telemetry says of the program, and where it goes.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    attributes: Vec<KeyValue>,
    endpoint: Option<String>,
    protocol: Protocol,
    sampler: Option<Sampler>,
}

impl Builder {
    /// `service.name`.
    #[must_use]
    pub fn service(self, name: impl Into<String>) -> Self {
        self.attribute("service.name", name.into())
    }

    /// `service.version`.
    #[must_use]
    pub fn version(self, version: impl Into<String>) -> Self {
        self.attribute("service.version", version.into())
    }

    /// An attribute of the resource: of all that this program sends.
    #[must_use]
    pub fn attribute(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    /// Where telemetry goes, without a signal's path: `http://localhost:4318`.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// How it is sent.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Which traces are recorded; all unless told otherwise.
    #[must_use]
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = Some(sampler);
        self
    }

    /// Sets all up: traces, metrics, log records of `tracing` events, and how contexts travel.
    ///
    /// # Errors
    /// When an exporter cannot be made.
    pub fn build(self) -> Result<Telemetry, SetupError> {
        let resource = Resource::builder().with_attributes(self.attributes.clone()).build();
        let mut traces = SdkTracerProvider::builder().with_resource(resource.clone());
        if let Some(sampler) = self.sampler.clone() {
            traces = traces.with_sampler(sampler);
        }
        let traces = traces.with_batch_exporter(self.spans()?).build();
        let metrics = SdkMeterProvider::builder().with_resource(resource.clone());
        let metrics = metrics.with_periodic_exporter(self.metrics()?).build();
        let logs =
            SdkLoggerProvider::builder().with_resource(resource).with_batch_exporter(self.logs()?).build();
        global::set_tracer_provider(traces.clone());
        global::set_meter_provider(metrics.clone());
        global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
        ]));
        // A program that has a subscriber of its own keeps it.
        let _ = tracing_subscriber::registry().with(OpenTelemetryTracingBridge::new(&logs)).try_init();
        Ok(Telemetry { traces, metrics, logs })
    }

    fn signal(&self, path: &str) -> Option<String> {
        let endpoint = self.endpoint.as_ref()?;
        Some(match self.protocol {
            Protocol::Grpc => endpoint.clone(),
            _ => format!("{}{path}", endpoint.trim_end_matches('/')),
        })
    }

    fn http(&self) -> opentelemetry_otlp::Protocol {
        match self.protocol {
            Protocol::HttpJson => opentelemetry_otlp::Protocol::HttpJson,
            _ => opentelemetry_otlp::Protocol::HttpBinary,
        }
    }

    fn spans(&self) -> Result<SpanExporter, ExporterBuildError> {
        let endpoint = self.signal("/v1/traces");
        if self.protocol == Protocol::Grpc {
            let builder = SpanExporter::builder().with_tonic();
            return match endpoint {
                Some(endpoint) => builder.with_endpoint(endpoint).build(),
                None => builder.build(),
            };
        }
        let builder = SpanExporter::builder().with_http().with_protocol(self.http());
        match endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint).build(),
            None => builder.build(),
        }
    }

    fn metrics(&self) -> Result<MetricExporter, ExporterBuildError> {
        let endpoint = self.signal("/v1/metrics");
        if self.protocol == Protocol::Grpc {
            let builder = MetricExporter::builder().with_tonic();
            return match endpoint {
                Some(endpoint) => builder.with_endpoint(endpoint).build(),
                None => builder.build(),
            };
        }
        let builder = MetricExporter::builder().with_http().with_protocol(self.http());
        match endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint).build(),
            None => builder.build(),
        }
    }

    fn logs(&self) -> Result<LogExporter, ExporterBuildError> {
        let endpoint = self.signal("/v1/logs");
        if self.protocol == Protocol::Grpc {
            let builder = LogExporter::builder().with_tonic();
            return match endpoint {
                Some(endpoint) => builder.with_endpoint(endpoint).build(),
                None => builder.build(),
            };
        }
        let builder = LogExporter::builder().with_http().with_protocol(self.http());
        match endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint).build(),
            None => builder.build(),
        }
    }
}

/// Telemetry that is set up. What is buffered is sent when it is dropped.
#[derive(Debug)]
#[must_use = "telemetry ends when this is dropped"]
pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    logs: SdkLoggerProvider,
}

impl Telemetry {
    /// Sends what is buffered, and waits until it is.
    pub fn flush(&self) {
        let flushed = [self.traces.force_flush(), self.logs.force_flush(), self.metrics.force_flush()];
        for error in flushed.into_iter().filter_map(Result::err) {
            tracing::debug!("telemetry was not sent: {error}");
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let _ = self.traces.shutdown_with_timeout(DEADLINE);
        let _ = self.logs.shutdown_with_timeout(DEADLINE);
        let _ = self.metrics.shutdown_with_timeout(DEADLINE);
    }
}
