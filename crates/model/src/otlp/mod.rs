//! The only code that knows OTLP's wire: bytes to columns, columns and owned values back to bytes.

pub mod attributes;
mod chunk;
pub mod columns;
mod decode;
mod distributions;
mod error;
mod json;
mod json_careful;
mod json_place;
mod json_plain;
mod json_scalar;
mod json_tables;
mod json_write;
mod logs;
mod metrics;
mod refuse;
pub mod response;
mod spans;
mod validate;
mod value;
mod wire;

#[cfg(test)]
mod tests;

pub use distributions::{
    ExplicitBuckets, ExponentialBuckets, IndexedCounts, explicit_buckets, exponential_buckets, quantiles,
};
pub use error::DecodeError;
pub use metrics::exemplars;
pub use spans::{events, links};
pub use value::{
    any_value, each_event_text, each_tail_text, each_text, encode_attribute, resource, scope,
    tail_attributes, tail_find, text_value,
};

use crate::batch::{Batch, Encoding};
use crate::value::{Resource, Scope, Shared};
use crate::{LogRecord, MetricPoint, Signal, Span, TenantId};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use std::sync::Arc;

/// Reads an export request. Items that cannot be kept (an id of the wrong length, say) cost only themselves.
///
/// # Errors
/// When the bytes are not an export request at all; says where in the bytes, and what was expected.
pub fn decode(
    tenant: TenantId,
    signal: Signal,
    encoding: Encoding,
    wire: Bytes,
) -> Result<Batch, DecodeError> {
    let converted;
    let protobuf = match encoding {
        Encoding::Protobuf => &wire[..],
        Encoding::Json => {
            converted = json::to_protobuf(signal, &wire)?;
            &converted[..]
        }
    };
    let (columns, rejected) = match signal {
        Signal::Traces => decode::request::<spans::SpanColumns<'_>>(protobuf)?,
        Signal::Logs => decode::request::<logs::LogColumns<'_>>(protobuf)?,
        Signal::Metrics => decode::request::<metrics::MetricColumns<'_>>(protobuf)?,
    };
    let accepted = columns.iter().map(|batch| batch.num_rows() as u64).sum();
    Ok(Batch { tenant, signal, encoding, wire, columns, accepted, rejected })
}

/// The spans of these rows, in row order.
#[must_use]
pub fn spans(columns: &RecordBatch) -> Vec<Span> {
    spans::owned(columns)
}

/// The log records of these rows, in row order.
#[must_use]
pub fn log_records(columns: &RecordBatch) -> Vec<LogRecord> {
    logs::owned(columns)
}

/// The data points of these rows, in row order.
#[must_use]
pub fn metric_points(columns: &RecordBatch) -> Vec<MetricPoint> {
    metrics::owned(columns)
}

/// A request in protobuf as one line of OTLP's JSON.
#[must_use]
pub fn to_json(signal: Signal, wire: &[u8]) -> String {
    json_write::from_protobuf(signal, wire)
}

/// A request, or several one after the other, from OTLP's JSON to protobuf.
///
/// # Errors
/// When it is not JSON, or not a request of this signal; says where.
pub fn from_json(signal: Signal, json: &[u8]) -> Result<Vec<u8>, DecodeError> {
    json::to_protobuf(signal, json)
}

/// An `ExportTraceServiceRequest` in protobuf with these spans, grouped by resource and scope.
#[must_use]
pub fn encode_spans(spans: &[Span]) -> Vec<u8> {
    encode(spans, |span| (&span.resource, &span.scope), spans::put_span)
}

/// An `ExportLogsServiceRequest` in protobuf with these records, grouped by resource and scope.
#[must_use]
pub fn encode_log_records(records: &[LogRecord]) -> Vec<u8> {
    encode(records, |record| (&record.resource, &record.scope), logs::put_record)
}

/// An `ExportMetricsServiceRequest` in protobuf with these points, each as a metric of its own.
#[must_use]
pub fn encode_metric_points(points: &[MetricPoint]) -> Vec<u8> {
    encode(points, |point| (&point.resource, &point.scope), metrics::put_metric)
}

/// Neighbours of the same resource and scope share their frames. The three signals number them alike.
fn encode<T>(
    items: &[T],
    context: impl Fn(&T) -> (&Shared<Resource>, &Shared<Scope>),
    put_item: impl Fn(&mut Vec<u8>, &T),
) -> Vec<u8> {
    let same = |left: &T, right: &T| {
        let ((resource, scope), (other_resource, other_scope)) = (context(left), context(right));
        (Arc::ptr_eq(resource, other_resource) || resource == other_resource)
            && (Arc::ptr_eq(scope, other_scope) || scope == other_scope)
    };
    let mut out = Vec::new();
    for group in items.chunk_by(same) {
        let (resource, scope) = context(&group[0]);
        wire::put_message(&mut out, 1, |out| {
            wire::put_message(out, 1, |out| value::put_resource(out, resource));
            wire::put_message(out, 2, |out| {
                wire::put_message(out, 1, |out| value::put_scope(out, scope));
                for item in group {
                    wire::put_message(out, 2, |out| put_item(out, item));
                }
                wire::put_text(out, 3, &scope.schema_url);
            });
            wire::put_text(out, 3, &resource.schema_url);
        });
    }
    out
}
