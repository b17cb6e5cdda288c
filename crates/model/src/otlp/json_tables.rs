//! The messages of OTLP, for reading their JSON. Source: opentelemetry-proto 1.11.

use super::json::{Field, Shape};
use crate::Signal;

macro_rules! message {
    ($($name:literal = $number:literal : $shape:expr),* $(,)?) => {
        &[$(Field { name: $name, number: $number, shape: $shape }),*]
    };
}

/// The request of a signal.
pub const fn request(signal: Signal) -> &'static [Field] {
    match signal {
        Signal::Traces => message!["resourceSpans" = 1: Shape::Message(RESOURCE_SPANS)],
        Signal::Logs => message!["resourceLogs" = 1: Shape::Message(RESOURCE_LOGS)],
        Signal::Metrics => message!["resourceMetrics" = 1: Shape::Message(RESOURCE_METRICS)],
    }
}

/// The keys that tell the signals apart, numbered as in [`Signal::ALL`].
pub const SIGNALS: &[Field] = message![
    "resourceSpans" = 0: Shape::Text,
    "resourceLogs" = 1: Shape::Text,
    "resourceMetrics" = 2: Shape::Text,
];

pub const ANY_VALUE: &[Field] = message![
    "stringValue" = 1: Shape::Text,
    "boolValue" = 2: Shape::Bool,
    "intValue" = 3: Shape::Int,
    "doubleValue" = 4: Shape::Double,
    "arrayValue" = 5: Shape::Message(message!["values" = 1: Shape::AnyValues]),
    "kvlistValue" = 6: Shape::Message(message!["values" = 1: Shape::Attributes]),
    "bytesValue" = 7: Shape::Bytes,
];

pub const KEY_VALUE: &[Field] = message!["key" = 1: Shape::Text, "value" = 2: Shape::AnyValue];

const RESOURCE: &[Field] =
    message!["attributes" = 1: Shape::Attributes, "droppedAttributesCount" = 2: Shape::Varint];

const SCOPE: &[Field] = message![
    "name" = 1: Shape::Text,
    "version" = 2: Shape::Text,
    "attributes" = 3: Shape::Attributes,
    "droppedAttributesCount" = 4: Shape::Varint,
];

const RESOURCE_SPANS: &[Field] = message![
    "resource" = 1: Shape::Item(RESOURCE),
    "scopeSpans" = 2: Shape::Message(SCOPE_SPANS),
    "instrumentationLibrarySpans" = 2: Shape::Message(SCOPE_SPANS),
    "schemaUrl" = 3: Shape::Text,
];

const SCOPE_SPANS: &[Field] = message![
    "scope" = 1: Shape::Item(SCOPE),
    "instrumentationLibrary" = 1: Shape::Item(SCOPE),
    "spans" = 2: Shape::Item(SPAN),
    "schemaUrl" = 3: Shape::Text,
];

const SPAN: &[Field] = message![
    "traceId" = 1: Shape::Id,
    "spanId" = 2: Shape::Id,
    "traceState" = 3: Shape::Text,
    "parentSpanId" = 4: Shape::Id,
    "name" = 5: Shape::Text,
    "kind" = 6: Shape::Enum(&[
        ("SPAN_KIND_UNSPECIFIED", 0), ("SPAN_KIND_INTERNAL", 1), ("SPAN_KIND_SERVER", 2),
        ("SPAN_KIND_CLIENT", 3), ("SPAN_KIND_PRODUCER", 4), ("SPAN_KIND_CONSUMER", 5),
    ]),
    "startTimeUnixNano" = 7: Shape::Fixed64,
    "endTimeUnixNano" = 8: Shape::Fixed64,
    "attributes" = 9: Shape::Attributes,
    "droppedAttributesCount" = 10: Shape::Varint,
    "events" = 11: Shape::Message(EVENT),
    "droppedEventsCount" = 12: Shape::Varint,
    "links" = 13: Shape::Message(LINK),
    "droppedLinksCount" = 14: Shape::Varint,
    "status" = 15: Shape::Message(message![
        "message" = 2: Shape::Text,
        "code" = 3: Shape::Enum(&[("STATUS_CODE_UNSET", 0), ("STATUS_CODE_OK", 1), ("STATUS_CODE_ERROR", 2)]),
    ]),
    "flags" = 16: Shape::Fixed32,
];

const EVENT: &[Field] = message![
    "timeUnixNano" = 1: Shape::Fixed64,
    "name" = 2: Shape::Text,
    "attributes" = 3: Shape::Attributes,
    "droppedAttributesCount" = 4: Shape::Varint,
];

const LINK: &[Field] = message![
    "traceId" = 1: Shape::Id,
    "spanId" = 2: Shape::Id,
    "traceState" = 3: Shape::Text,
    "attributes" = 4: Shape::Attributes,
    "droppedAttributesCount" = 5: Shape::Varint,
    "flags" = 6: Shape::Fixed32,
];

const RESOURCE_LOGS: &[Field] = message![
    "resource" = 1: Shape::Item(RESOURCE),
    "scopeLogs" = 2: Shape::Message(SCOPE_LOGS),
    "schemaUrl" = 3: Shape::Text,
];

const SCOPE_LOGS: &[Field] = message![
    "scope" = 1: Shape::Item(SCOPE),
    "logRecords" = 2: Shape::Item(LOG_RECORD),
    "schemaUrl" = 3: Shape::Text,
];

const LOG_RECORD: &[Field] = message![
    "timeUnixNano" = 1: Shape::Fixed64,
    "severityNumber" = 2: Shape::Enum(SEVERITIES),
    "severityText" = 3: Shape::Text,
    "body" = 5: Shape::AnyValue,
    "attributes" = 6: Shape::Attributes,
    "droppedAttributesCount" = 7: Shape::Varint,
    "flags" = 8: Shape::Fixed32,
    "traceId" = 9: Shape::Id,
    "spanId" = 10: Shape::Id,
    "observedTimeUnixNano" = 11: Shape::Fixed64,
    "eventName" = 12: Shape::Text,
];

const SEVERITIES: &[(&str, u64)] = &[
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];

const RESOURCE_METRICS: &[Field] = message![
    "resource" = 1: Shape::Item(RESOURCE),
    "scopeMetrics" = 2: Shape::Message(SCOPE_METRICS),
    "schemaUrl" = 3: Shape::Text,
];

const SCOPE_METRICS: &[Field] = message![
    "scope" = 1: Shape::Item(SCOPE),
    "metrics" = 2: Shape::Item(METRIC),
    "schemaUrl" = 3: Shape::Text,
];

const TEMPORALITY: Shape = Shape::Enum(&[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
]);

const METRIC: &[Field] = message![
    "name" = 1: Shape::Text,
    "description" = 2: Shape::Text,
    "unit" = 3: Shape::Text,
    "gauge" = 5: Shape::Item(message!["dataPoints" = 1: Shape::Item(NUMBER_POINT)]),
    "sum" = 7: Shape::Item(message![
        "dataPoints" = 1: Shape::Item(NUMBER_POINT),
        "aggregationTemporality" = 2: TEMPORALITY,
        "isMonotonic" = 3: Shape::Bool,
    ]),
    "histogram" = 9: Shape::Item(message![
        "dataPoints" = 1: Shape::Item(HISTOGRAM_POINT),
        "aggregationTemporality" = 2: TEMPORALITY,
    ]),
    "exponentialHistogram" = 10: Shape::Item(message![
        "dataPoints" = 1: Shape::Item(EXPONENTIAL_POINT),
        "aggregationTemporality" = 2: TEMPORALITY,
    ]),
    "summary" = 11: Shape::Item(message!["dataPoints" = 1: Shape::Item(SUMMARY_POINT)]),
];

const NUMBER_POINT: &[Field] = message![
    "startTimeUnixNano" = 2: Shape::Fixed64,
    "timeUnixNano" = 3: Shape::Fixed64,
    "asDouble" = 4: Shape::Double,
    "exemplars" = 5: Shape::Message(EXEMPLAR),
    "asInt" = 6: Shape::SignedFixed64,
    "attributes" = 7: Shape::Attributes,
    "flags" = 8: Shape::Varint,
];

const EXEMPLAR: &[Field] = message![
    "timeUnixNano" = 2: Shape::Fixed64,
    "asDouble" = 3: Shape::Double,
    "spanId" = 4: Shape::Id,
    "traceId" = 5: Shape::Id,
    "asInt" = 6: Shape::SignedFixed64,
    "filteredAttributes" = 7: Shape::Attributes,
];

const HISTOGRAM_POINT: &[Field] = message![
    "startTimeUnixNano" = 2: Shape::Fixed64,
    "timeUnixNano" = 3: Shape::Fixed64,
    "count" = 4: Shape::Fixed64,
    "sum" = 5: Shape::Double,
    "bucketCounts" = 6: Shape::Fixed64,
    "explicitBounds" = 7: Shape::Double,
    "exemplars" = 8: Shape::Message(EXEMPLAR),
    "attributes" = 9: Shape::Attributes,
    "flags" = 10: Shape::Varint,
    "min" = 11: Shape::Double,
    "max" = 12: Shape::Double,
];

const BUCKETS: &[Field] = message!["offset" = 1: Shape::Zigzag, "bucketCounts" = 2: Shape::Varint];

const EXPONENTIAL_POINT: &[Field] = message![
    "attributes" = 1: Shape::Attributes,
    "startTimeUnixNano" = 2: Shape::Fixed64,
    "timeUnixNano" = 3: Shape::Fixed64,
    "count" = 4: Shape::Fixed64,
    "sum" = 5: Shape::Double,
    "scale" = 6: Shape::Zigzag,
    "zeroCount" = 7: Shape::Fixed64,
    "positive" = 8: Shape::Message(BUCKETS),
    "negative" = 9: Shape::Message(BUCKETS),
    "flags" = 10: Shape::Varint,
    "exemplars" = 11: Shape::Message(EXEMPLAR),
    "min" = 12: Shape::Double,
    "max" = 13: Shape::Double,
    "zeroThreshold" = 14: Shape::Double,
];

const SUMMARY_POINT: &[Field] = message![
    "startTimeUnixNano" = 2: Shape::Fixed64,
    "timeUnixNano" = 3: Shape::Fixed64,
    "count" = 4: Shape::Fixed64,
    "sum" = 5: Shape::Double,
    "quantileValues" = 6: Shape::Message(message!["quantile" = 1: Shape::Double, "value" = 2: Shape::Double]),
    "attributes" = 7: Shape::Attributes,
    "flags" = 8: Shape::Varint,
];
