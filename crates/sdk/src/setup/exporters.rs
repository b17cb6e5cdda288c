//! Exporters of the three signals, and what is told when they fail.

use super::SetupError;
use super::delivery::Delivery;
use super::destination::{Destination, Protocol};
use super::transport::{Client, Trouble, read};
use crate::queue::Outlet;
use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tonic::metadata::{MetadataKey, MetadataMap};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

fn over_http<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    destination: &Destination,
    trouble: &Trouble,
) -> Result<B, SetupError> {
    let protocol = match destination.protocol {
        Protocol::HttpJson => opentelemetry_otlp::Protocol::HttpJson,
        _ => opentelemetry_otlp::Protocol::HttpBinary,
    };
    let builder =
        builder.with_http_client(Client::new(destination, Trouble::clone(trouble))?).with_protocol(protocol);
    let builder = builder.with_endpoint(&destination.endpoint).with_timeout(destination.timeout);
    Ok(if destination.gzip { builder.with_compression(Compression::Gzip) } else { builder })
}

fn over_grpc<B: WithExportConfig + WithTonicConfig>(
    builder: B,
    destination: &Destination,
) -> Result<B, SetupError> {
    let mut builder = builder.with_endpoint(&destination.endpoint).with_timeout(destination.timeout);
    if destination.gzip {
        builder = builder.with_compression(Compression::Gzip);
    }
    if destination.endpoint.starts_with("https://") {
        builder = builder.with_tls_config(tls(destination)?);
    }
    Ok(builder.with_metadata(metadata(destination)?))
}

/// The headers, as gRPC has them.
pub(super) fn metadata(destination: &Destination) -> Result<MetadataMap, SetupError> {
    let mut metadata = MetadataMap::new();
    for (name, value) in &destination.headers {
        let wrong = || SetupError::Header(name.clone());
        let key = name.to_ascii_lowercase();
        let key = MetadataKey::from_bytes(key.as_bytes());
        metadata.insert(key.map_err(|_| wrong())?, value.parse().map_err(|_| wrong())?);
    }
    Ok(metadata)
}

pub(super) fn tls(destination: &Destination) -> Result<ClientTlsConfig, SetupError> {
    let mut tls = ClientTlsConfig::new().with_enabled_roots();
    if let Some(path) = &destination.certificate {
        tls = tls.ca_certificate(Certificate::from_pem(read(path)?));
    }
    if let Some((certificate, key)) = &destination.identity {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(tls)
}

pub(super) fn spans(destination: &Destination) -> Result<Box<dyn Outlet>, SetupError> {
    let trouble = Trouble::default();
    let delivery = Delivery::new(destination, &trouble)?;
    Ok(Box::new(Told::new(delivery, destination, trouble)))
}

pub(super) fn logs(destination: &Destination) -> Result<Told<LogExporter>, SetupError> {
    let trouble = Trouble::default();
    let builder = LogExporter::builder();
    let exporter = match destination.protocol {
        Protocol::Grpc => over_grpc(builder.with_tonic(), destination)?.build()?,
        _ => over_http(builder.with_http(), destination, &trouble)?.build()?,
    };
    Ok(Told::new(exporter, destination, trouble))
}

pub(super) fn metrics(
    destination: &Destination,
    temporality: Temporality,
) -> Result<Told<MetricExporter>, SetupError> {
    let trouble = Trouble::default();
    let builder = MetricExporter::builder().with_temporality(temporality);
    let exporter = match destination.protocol {
        Protocol::Grpc => over_grpc(builder.with_tonic(), destination)?.build()?,
        _ => over_http(builder.with_http(), destination, &trouble)?.build()?,
    };
    Ok(Told::new(exporter, destination, trouble))
}

/// An exporter whose failures are told: one line when they begin, one when they end.
#[derive(Debug)]
pub(crate) struct Told<E> {
    pub(super) exporter: E,
    pub(super) signal: &'static str,
    pub(super) endpoint: String,
    failures: AtomicU64,
    trouble: Trouble,
}

impl<E> Told<E> {
    fn new(exporter: E, destination: &Destination, trouble: Trouble) -> Self {
        let (signal, endpoint) = (destination.signal, destination.endpoint.clone());
        Self { exporter, signal, endpoint, failures: AtomicU64::new(0), trouble }
    }

    /// Tells what went wrong, if anything did; the client may know more of it.
    pub(super) fn tell(&self, error: Option<String>) {
        let (signal, endpoint) = (self.signal, &self.endpoint);
        match error {
            None => match self.failures.swap(0, Ordering::Relaxed) {
                0 => {}
                failures => tracing::info!(target: "clew_sdk", signal, endpoint, failures, "sent again"),
            },
            Some(error) if self.failures.fetch_add(1, Ordering::Relaxed) == 0 => {
                let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
                let error = trouble.unwrap_or(error);
                let fix = fix(&error);
                tracing::warn!(target: "clew_sdk", signal, endpoint, error, fix, "telemetry cannot be sent");
            }
            Some(_) => {}
        }
    }

    fn told(&self, result: OTelSdkResult) -> OTelSdkResult {
        self.tell(result.as_ref().err().map(ToString::to_string));
        result
    }
}

/// What mends a failure, as far as its text tells.
fn fix(error: &str) -> &'static str {
    let error = error.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
    if says(&["401", "403", "unauthenticated", "permission"]) {
        "check the key in OTEL_EXPORTER_OTLP_HEADERS"
    } else if says(&["404", "405", "415", "unimplemented", "protocol", "http version", "frame"]) {
        "check OTEL_EXPORTER_OTLP_PROTOCOL and the path: 4318 speaks HTTP, 4317 gRPC"
    } else if says(&["certificate", "tls", "handshake"]) {
        "check OTEL_EXPORTER_OTLP_CERTIFICATE, or use http:// where there is no TLS"
    } else if says(&["timeout", "timed out", "deadline"]) {
        "the receiver is slow or out of reach: check the address, or raise OTEL_EXPORTER_OTLP_TIMEOUT"
    } else {
        "start a receiver there, or set OTEL_EXPORTER_OTLP_ENDPOINT; what was not sent is counted as dropped"
    }
}

impl<E: opentelemetry_sdk::logs::LogExporter> opentelemetry_sdk::logs::LogExporter for Told<E> {
    async fn export(&self, batch: opentelemetry_sdk::logs::LogBatch<'_>) -> OTelSdkResult {
        self.told(self.exporter.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &opentelemetry_sdk::Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: opentelemetry_sdk::metrics::exporter::PushMetricExporter>
    opentelemetry_sdk::metrics::exporter::PushMetricExporter for Told<E>
{
    async fn export(&self, metrics: &opentelemetry_sdk::metrics::data::ResourceMetrics) -> OTelSdkResult {
        self.told(self.exporter.export(metrics).await)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
