//! The exporter of metrics: what OpenTelemetry's instruments tell, and our histograms.

use super::delivery::Delivery;
use crate::histograms::{Histograms, add_to};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use std::sync::Arc;
use std::time::Duration;

/// Where readings of all metrics go.
pub(super) trait Takes: Send + Sync + 'static {
    fn take(&self, readings: ExportMetricsServiceRequest) -> OTelSdkResult;
}

impl Takes for Delivery {
    fn take(&self, readings: ExportMetricsServiceRequest) -> OTelSdkResult {
        self.export(&readings)
    }
}

/// Reads all metrics, and gives them away.
#[derive(Debug)]
pub(super) struct Readings<T> {
    pub(super) to: T,
    pub(super) histograms: Arc<Histograms>,
    pub(super) temporality: Temporality,
}

impl<T: Takes> PushMetricExporter for Readings<T> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut readings = ExportMetricsServiceRequest::from(metrics);
        add_to(&mut readings, &self.histograms, self.temporality);
        self.to.take(readings)
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}
