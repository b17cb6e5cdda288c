//! Telemetry as lines on the standard output, for whoever looks at a program without a receiver.

use super::readings::Takes;
use crate::queue::Outlet;
use opentelemetry::logs;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use prost::Message;
use serde_json::{Value as Json, json};
use std::io::Write;

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

/// A value as JSON has it.
fn plain(value: Option<AnyValue>) -> Json {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text.into(),
        Some(Value::BoolValue(value)) => value.into(),
        Some(Value::IntValue(value)) => value.into(),
        Some(Value::DoubleValue(value)) => value.into(),
        Some(Value::ArrayValue(list)) => list.values.into_iter().map(|value| plain(Some(value))).collect(),
        _ => Json::Null,
    }
}

fn hexadecimal(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn span_line(scope: &str, span: Span) -> String {
    let (kind, status) = (span.kind(), span.status.unwrap_or_default());
    let attributes = span.attributes.into_iter().map(|had| (had.key, plain(had.value)));
    let line = json!({
        "signal": "span",
        "name": span.name,
        "kind": kind.as_str_name().trim_start_matches("SPAN_KIND_").to_ascii_lowercase(),
        "scope": scope,
        "trace_id": hexadecimal(&span.trace_id),
        "span_id": hexadecimal(&span.span_id),
        "parent_span_id": hexadecimal(&span.parent_span_id),
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "status": status.code().as_str_name().trim_start_matches("STATUS_CODE_").to_ascii_lowercase(),
        "message": status.message,
        "attributes": attributes.collect::<serde_json::Map<_, _>>(),
        "events": span.events.into_iter().map(|event| event.name).collect::<Vec<_>>(),
    });
    line.to_string()
}

impl Outlet for Console {
    fn send(&mut self, request: &mut Vec<u8>) -> Option<usize> {
        let request = ExportTraceServiceRequest::decode(request.as_slice()).ok()?;
        for spans in request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans) {
            let scope = spans.scope.unwrap_or_default().name;
            for span in spans.spans {
                write_line(&span_line(&scope, span)).ok()?;
            }
        }
        Some(0)
    }
}

impl LogExporter for Console {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        for (record, scope) in batch.iter() {
            let body = match record.body() {
                Some(logs::AnyValue::String(text)) => text.to_string(),
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
    fn take(&self, readings: ExportMetricsServiceRequest) -> OTelSdkResult {
        let scopes = readings.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        for metric in scopes.flat_map(|scope| scope.metrics) {
            let line =
                json!({ "signal": "metric", "name": metric.name, "unit": metric.unit, "data": metric.data });
            written(&line.to_string())?;
        }
        Ok(())
    }
}
