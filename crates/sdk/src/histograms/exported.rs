//! Histograms as OTLP has them.

use super::{Collected, Histogram, Histograms};
use crate::histograms::series::{Exemplar, Series};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceId};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exemplar::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar as SentExemplar, Histogram as SentHistogram, HistogramDataPoint, Metric,
    ResourceMetrics, ScopeMetrics,
};
use opentelemetry_sdk::metrics::Temporality;

/// Adds what the histograms counted to what else is sent of this program.
pub(crate) fn add_to(
    request: &mut ExportMetricsServiceRequest,
    histograms: &Histograms,
    temporality: Temporality,
) {
    let Some(resource) = request.resource_metrics.first_mut() else { return };
    let all = histograms.lock().clone();
    for histogram in all {
        let collected = histogram.collect(temporality);
        if !collected.series.is_empty() {
            let metric = histogram.metric(collected, temporality);
            scope(resource, &histogram.scope).metrics.push(metric);
        }
    }
}

/// The metrics of a scope: those that are there, or none yet.
fn scope<'a>(resource: &'a mut ResourceMetrics, scope: &InstrumentationScope) -> &'a mut ScopeMetrics {
    let schema_url = scope.schema_url().unwrap_or_default();
    let sent = Some((scope, None).into());
    let found =
        resource.scope_metrics.iter().position(|had| had.scope == sent && had.schema_url == schema_url);
    let place = found.unwrap_or_else(|| {
        let schema_url = schema_url.to_owned();
        resource.scope_metrics.push(ScopeMetrics { scope: sent, metrics: Vec::new(), schema_url });
        resource.scope_metrics.len() - 1
    });
    &mut resource.scope_metrics[place]
}

impl Histogram {
    fn metric(&self, collected: Collected, temporality: Temporality) -> Metric {
        let Collected { since, time, series } = collected;
        let points =
            series.into_iter().map(|(attributes, series)| self.point(&attributes, &series, since, time));
        let temporality = match temporality {
            Temporality::Cumulative => AggregationTemporality::Cumulative,
            _ => AggregationTemporality::Delta,
        };
        Metric {
            name: self.about.name.to_string(),
            description: self.about.description.to_string(),
            unit: self.about.unit.to_string(),
            metadata: Vec::new(),
            data: Some(Data::Histogram(SentHistogram {
                data_points: points.collect(),
                aggregation_temporality: temporality.into(),
            })),
        }
    }

    fn point(&self, attributes: &[KeyValue], series: &Series, since: u64, time: u64) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: attributes.iter().map(Into::into).collect(),
            start_time_unix_nano: since,
            time_unix_nano: time,
            count: series.counts.iter().sum(),
            sum: Some(series.sum),
            bucket_counts: series.counts.to_vec(),
            explicit_bounds: self.about.bounds.clone(),
            exemplars: series.exemplars.iter().flatten().map(|exemplar| self.exemplar(exemplar)).collect(),
            flags: 0,
            min: Some(series.least),
            max: Some(series.most),
        }
    }

    fn exemplar(&self, exemplar: &Exemplar) -> SentExemplar {
        // All attributes are of the point: none are filtered.
        let filtered_attributes = Vec::new();
        let known = |valid: bool, id: &[u8]| if valid { id.to_vec() } else { Vec::new() };
        SentExemplar {
            filtered_attributes,
            time_unix_nano: exemplar.witness.time,
            trace_id: known(exemplar.witness.trace != TraceId::INVALID, &exemplar.witness.trace.to_bytes()),
            span_id: known(exemplar.witness.span != SpanId::INVALID, &exemplar.witness.span.to_bytes()),
            value: Some(if self.about.whole {
                Value::AsInt(whole(exemplar.value))
            } else {
                Value::AsDouble(exemplar.value)
            }),
        }
    }
}

/// A whole number that was recorded.
#[expect(
    clippy::cast_possible_truncation,
    reason = "it was a whole number, and what is larger than `i64` becomes its largest"
)]
fn whole(value: f64) -> i64 {
    value as i64
}
