//! Exporters of the three signals, and what is told when they fail.

use super::SetupError;
use super::delivery::Delivery;
use super::destination::Destination;
use super::readings::Readings;
use super::records::Records;
use super::transport::{Trouble, read};
use crate::histograms::Histograms;
use crate::queue::Outlet;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tonic::metadata::{AsciiMetadataValue, MetadataKey, MetadataMap};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// The headers of each request over gRPC.
pub(super) fn metadata(destination: &Destination) -> Result<MetadataMap, SetupError> {
    let mut metadata = MetadataMap::new();
    for (name, value) in &destination.headers {
        let wrong = || SetupError::Header(name.clone());
        let key = MetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes()).map_err(|_| wrong())?;
        let mut value: AsciiMetadataValue = value.parse().map_err(|_| wrong())?;
        value.set_sensitive(true);
        metadata.insert(key, value);
    }
    Ok(metadata)
}

/// Whom connections over gRPC trust, as over HTTP: those of the certificate, or else those whom the system trusts.
pub(super) fn tls(destination: &Destination) -> Result<ClientTlsConfig, SetupError> {
    let mut tls = match &destination.certificate {
        Some(path) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(path)?)),
        None => ClientTlsConfig::new().with_enabled_roots(),
    };
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

pub(super) fn logs(destination: &Destination) -> Result<Told<Records>, SetupError> {
    let trouble = Trouble::default();
    let records = Records::new(Delivery::new(destination, &trouble)?);
    Ok(Told::new(records, destination, trouble))
}

pub(super) fn metrics(
    to: &Destination,
    histograms: Arc<Histograms>,
    temporality: Temporality,
) -> Result<Told<Readings<Delivery>>, SetupError> {
    let trouble = Trouble::default();
    let readings = Readings { to: Delivery::new(to, &trouble)?, histograms, temporality };
    Ok(Told::new(readings, to, trouble))
}

impl Outlet for Told<Delivery> {
    fn send(&mut self, request: &mut Vec<u8>) -> Option<usize> {
        let delivered = self.exporter.deliver::<ExportTraceServiceRequest>(request);
        self.tell(delivered.as_ref().err().cloned());
        delivered.ok()
    }
}

/// An exporter whose failures are told: one line when they begin, one when they end.
#[derive(Debug)]
pub(crate) struct Told<E> {
    exporter: E,
    signal: &'static str,
    endpoint: String,
    failures: AtomicU64,
    trouble: Trouble,
}

impl<E> Told<E> {
    fn new(exporter: E, destination: &Destination, trouble: Trouble) -> Self {
        let (signal, endpoint) = (destination.signal, destination.endpoint.clone());
        Self { exporter, signal, endpoint, failures: AtomicU64::new(0), trouble }
    }

    /// Tells what went wrong, if anything did; the client may know more of it.
    fn tell(&self, error: Option<String>) {
        let (signal, endpoint) = (self.signal, &self.endpoint);
        match error {
            None => match self.failures.swap(0, Ordering::Relaxed) {
                0 => {}
                failures => tracing::info!(target: "clew_sdk", signal, endpoint, failures, "sent again"),
            },
            Some(error) if self.failures.fetch_add(1, Ordering::Relaxed) == 0 => {
                let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
                let error = trouble.unwrap_or(error);
                let fix = fix(&error, endpoint);
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
fn fix(error: &str, endpoint: &str) -> &'static str {
    let error = error.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
    // What the receiver says of a certificate is of the one that it was shown, or not. Its word may be lost with the
    // connection: it comes after the handshake.
    let unwelcome = ["alert: certificaterequired", "alert: unknownca", "alert: badcertificate"];
    let broken = ["broken pipe", "connection reset", "peer closed", "connection closed", "unexpected eof"];
    if says(&["401", "403", "unauthenticated", "permission"]) {
        "check the key in OTEL_EXPORTER_OTLP_HEADERS"
    } else if says(&["404", "405", "415", "unimplemented", "protocol", "http version", "frame"]) {
        "check OTEL_EXPORTER_OTLP_PROTOCOL and the path: 4318 speaks HTTP, 4317 gRPC"
    } else if says(&unwelcome) || (endpoint.starts_with("https://") && says(&broken)) {
        "the receiver closes the connection: if it wants to know who sends, set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and \
         OTEL_EXPORTER_OTLP_CLIENT_KEY"
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
