//! Telemetry as lines on the standard output, for whoever looks at a program without a receiver.

use super::readings::Takes;
use opentelemetry::Value;
use opentelemetry::logs::AnyValue;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use serde_json::json;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes a line of JSON for each span, log record, or reading of all metrics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Console;

/// Writes one line to the standard output.
pub(crate) fn write_line(line: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(line.as_bytes())?;
    output.write_all(b"\n")?;
    output.flush()
}

fn written(line: &str) -> OTelSdkResult {
    write_line(line).map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::F64(value) => (*value).into(),
        other => other.to_string().into(),
    }
}

impl SpanExporter for Console {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in batch {
            let attributes = span.attributes.iter();
            let attributes: serde_json::Map<_, _> =
                attributes.map(|had| (had.key.to_string(), plain(&had.value))).collect();
            let line = json!({
                "signal": "span",
                "name": span.name,
                "kind": format!("{:?}", span.span_kind),
                "scope": span.instrumentation_scope.name(),
                "trace_id": span.span_context.trace_id().to_string(),
                "span_id": span.span_context.span_id().to_string(),
                "parent_span_id": span.parent_span_id.to_string(),
                "start": nanoseconds(span.start_time),
                "end": nanoseconds(span.end_time),
                "status": format!("{:?}", span.status),
                "attributes": attributes,
                "events": span.events.iter().map(|event| event.name.to_string()).collect::<Vec<_>>(),
            });
            written(&line.to_string())?;
        }
        Ok(())
    }
}

impl LogExporter for Console {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        for (record, scope) in batch.iter() {
            let body = match record.body() {
                Some(AnyValue::String(text)) => text.to_string(),
                other => format!("{other:?}"),
            };
            let context = record.trace_context();
            let line = json!({
                "signal": "log",
                "severity": record.severity_text(),
                "scope": scope.name(),
                "body": body,
                "trace_id": context.map(|context| context.trace_id.to_string()),
                "span_id": context.map(|context| context.span_id.to_string()),
            });
            written(&line.to_string())?;
        }
        Ok(())
    }
}

impl Takes for Console {
    async fn take(&self, readings: ExportMetricsServiceRequest) -> OTelSdkResult {
        let scopes = readings.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        for metric in scopes.flat_map(|scope| scope.metrics) {
            let line =
                json!({ "signal": "metric", "name": metric.name, "unit": metric.unit, "data": metric.data });
            written(&line.to_string())?;
        }
        Ok(())
    }
}
