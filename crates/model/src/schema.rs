//! The names and types of the columns that telemetry is kept in, in memory and on disk.
//!
//! Every signal has its *fixed* columns (below) and *attribute* columns, one per attribute key and type that is common
//! in the batch or block. An attribute column's name is a type letter, a colon and the key (`s:http.route`), so it
//! cannot meet a fixed column's name. What has no column of its own stays in [`ATTRIBUTES_TAIL`]: the OTLP protobuf
//! bytes of `KeyValue` messages, each as field 1 with tag and length, that is, an encoded `KeyValueList`.
//!
//! A row's attributes are its non-null attribute columns, in column order, then its tail. A key that comes twice in one
//! row has its first value in a column and the others in the tail, or all in the tail. A query for a key must look at
//! its columns of all types and, where the tail may hold it ([`TAIL_KEYS`]), at the tail.

use arrow::datatypes::{DataType, Field, FieldRef};
use std::sync::Arc;

// Shared by all signals.
/// `Dictionary<Int32, Binary>`: the OTLP protobuf `Resource` message as it was received, unknown fields included.
pub const RESOURCE: &str = "resource";
/// `Dictionary<Int32, Utf8>`, null when empty.
pub const RESOURCE_SCHEMA_URL: &str = "resource_schema_url";
/// `Dictionary<Int32, Utf8>`: the resource's `service.name` when that is a string, else null.
pub const SERVICE: &str = "service";
/// `Dictionary<Int32, Binary>`: the OTLP protobuf `InstrumentationScope` message.
pub const SCOPE: &str = "scope";
/// `Dictionary<Int32, Utf8>`, null when empty.
pub const SCOPE_SCHEMA_URL: &str = "scope_schema_url";
/// `Binary`, null when empty: see the module's text.
pub const ATTRIBUTES_TAIL: &str = "attributes_tail";
/// `UInt32`.
pub const DROPPED_ATTRIBUTES: &str = "dropped_attributes";
/// `UInt32`.
pub const FLAGS: &str = "flags";
/// `FixedSizeBinary(16)`; never null for spans, nullable for log records.
pub const TRACE_ID: &str = "trace_id";
/// `FixedSizeBinary(8)`; never null for spans, nullable for log records.
pub const SPAN_ID: &str = "span_id";

// Spans.
/// `FixedSizeBinary(8)`, null for a root.
pub const PARENT_SPAN_ID: &str = "parent_span_id";
/// `Dictionary<Int32, Utf8>`: the span's or metric's name.
pub const NAME: &str = "name";
/// `Int32`: OTLP's `SpanKind`.
pub const KIND: &str = "kind";
/// `UInt64`, nanoseconds since the Unix epoch; a data point's start too.
pub const START: &str = "start";
/// `UInt64`, nanoseconds since the Unix epoch; zero when not given.
pub const END: &str = "end";
/// `Int32`: 0 unset, 1 ok, 2 error.
pub const STATUS_CODE: &str = "status_code";
/// `Utf8`, null when empty.
pub const STATUS_MESSAGE: &str = "status_message";
/// `Utf8`, null when empty.
pub const TRACE_STATE: &str = "trace_state";
/// `Binary`, null when none: OTLP protobuf `Span.Event` messages, each as field 11 of `Span` with tag and length.
pub const EVENTS: &str = "events";
/// `UInt32`.
pub const DROPPED_EVENTS: &str = "dropped_events";
/// `Binary`, null when none: OTLP protobuf `Span.Link` messages, each as field 13 of `Span` with tag and length.
pub const LINKS: &str = "links";
/// `UInt32`.
pub const DROPPED_LINKS: &str = "dropped_links";

// Log records.
/// `UInt64`, nanoseconds; zero when not given. A data point's time too.
pub const TIME: &str = "time";
/// `UInt64`, nanoseconds; zero when not given.
pub const OBSERVED_TIME: &str = "observed_time";
/// `Int32`.
pub const SEVERITY_NUMBER: &str = "severity_number";
/// `Dictionary<Int32, Utf8>`, null when empty.
pub const SEVERITY_TEXT: &str = "severity_text";
/// `Dictionary<Int32, Utf8>`, null when empty.
pub const EVENT_NAME: &str = "event_name";
/// `Utf8`: the body when it is a string.
pub const BODY: &str = "body";
/// `Binary`: the OTLP protobuf `AnyValue` when the body is anything but a string.
pub const BODY_VALUE: &str = "body_value";

// Data points of metrics, with NAME, START, TIME, FLAGS.
/// `Dictionary<Int32, Utf8>`, null when empty.
pub const DESCRIPTION: &str = "description";
/// `Dictionary<Int32, Utf8>`, null when empty.
pub const UNIT: &str = "unit";
/// `Int32`: 0 gauge, 1 sum, 2 histogram, 3 exponential histogram, 4 summary.
pub const METRIC_KIND: &str = "metric_kind";
/// `Int32`.
pub const TEMPORALITY: &str = "temporality";
/// `Boolean`.
pub const MONOTONIC: &str = "monotonic";
/// `Int64`, null unless an integer.
pub const VALUE_INT: &str = "value_int";
/// `Float64`, null unless a double.
pub const VALUE_DOUBLE: &str = "value_double";
/// `UInt64`, null for plain numbers.
pub const COUNT: &str = "count";
/// `Float64`, null for plain numbers and where not given.
pub const SUM: &str = "sum";
/// `Binary`, null for a plain number without exemplars: the OTLP protobuf data point without its attributes, times and
/// flags.
pub const POINT: &str = "point";

/// Key of a batch's or block's schema metadata: a JSON array of the attribute keys that stand in some row's tail.
/// Absent means "any".
pub const TAIL_KEYS: &str = "clew.tail_keys";

/// Key of a block's schema metadata: a JSON array of the attribute keys that some row's resource has. Absent means "any".
pub const RESOURCE_KEYS: &str = "clew.resource_keys";

/// The types that attribute columns have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ColumnType {
    /// `s:`, `Utf8`.
    String,
    /// `i:`, `Int64`.
    Int,
    /// `d:`, `Float64`.
    Double,
    /// `b:`, `Boolean`.
    Bool,
    /// `v:`, `Binary`: the OTLP protobuf `AnyValue`, for bytes, arrays, maps and the empty value.
    Value,
}

impl ColumnType {
    pub const ALL: [Self; 5] = [Self::String, Self::Int, Self::Double, Self::Bool, Self::Value];

    const fn letter(self) -> char {
        match self {
            Self::String => 's',
            Self::Int => 'i',
            Self::Double => 'd',
            Self::Bool => 'b',
            Self::Value => 'v',
        }
    }

    #[must_use]
    pub const fn data_type(self) -> DataType {
        match self {
            Self::String => DataType::Utf8,
            Self::Int => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Value => DataType::Binary,
        }
    }
}

/// The name of the attribute column for this key and type.
#[must_use]
pub fn attribute_column(key: &str, column_type: ColumnType) -> String {
    format!("{}:{key}", column_type.letter())
}

/// The key and type of an attribute column; `None` for a fixed column.
#[must_use]
pub fn parse_attribute_column(name: &str) -> Option<(&str, ColumnType)> {
    let (letter, key) = name.split_once(':')?;
    let column_type = ColumnType::ALL.into_iter().find(|known| letter.chars().eq([known.letter()]))?;
    Some((key, column_type))
}

/// The field of an attribute column: nullable, null where the row lacks the attribute.
#[must_use]
pub fn attribute_field(key: &str, column_type: ColumnType) -> FieldRef {
    Arc::new(Field::new(attribute_column(key, column_type), column_type.data_type(), true))
}

/// The fixed columns of a signal, in order. Every batch and block has them all.
#[must_use]
pub fn fixed_fields(signal: crate::Signal) -> Vec<FieldRef> {
    let own = match signal {
        crate::Signal::Traces => span_fields(),
        crate::Signal::Logs => log_fields(),
        crate::Signal::Metrics => metric_fields(),
    };
    own.into_iter().chain(shared_fields()).map(Arc::new).collect()
}

fn dictionary(values: DataType) -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(values))
}

fn shared_fields() -> Vec<Field> {
    vec![
        Field::new(FLAGS, DataType::UInt32, false),
        Field::new(DROPPED_ATTRIBUTES, DataType::UInt32, false),
        Field::new(RESOURCE, dictionary(DataType::Binary), false),
        Field::new(RESOURCE_SCHEMA_URL, dictionary(DataType::Utf8), true),
        Field::new(SERVICE, dictionary(DataType::Utf8), true),
        Field::new(SCOPE, dictionary(DataType::Binary), false),
        Field::new(SCOPE_SCHEMA_URL, dictionary(DataType::Utf8), true),
        Field::new(ATTRIBUTES_TAIL, DataType::Binary, true),
    ]
}

fn span_fields() -> Vec<Field> {
    vec![
        Field::new(TRACE_ID, DataType::FixedSizeBinary(16), false),
        Field::new(SPAN_ID, DataType::FixedSizeBinary(8), false),
        Field::new(PARENT_SPAN_ID, DataType::FixedSizeBinary(8), true),
        Field::new(NAME, dictionary(DataType::Utf8), false),
        Field::new(KIND, DataType::Int32, false),
        Field::new(START, DataType::UInt64, false),
        Field::new(END, DataType::UInt64, false),
        Field::new(STATUS_CODE, DataType::Int32, false),
        Field::new(STATUS_MESSAGE, DataType::Utf8, true),
        Field::new(TRACE_STATE, DataType::Utf8, true),
        Field::new(EVENTS, DataType::Binary, true),
        Field::new(DROPPED_EVENTS, DataType::UInt32, false),
        Field::new(LINKS, DataType::Binary, true),
        Field::new(DROPPED_LINKS, DataType::UInt32, false),
    ]
}

fn log_fields() -> Vec<Field> {
    vec![
        Field::new(TRACE_ID, DataType::FixedSizeBinary(16), true),
        Field::new(SPAN_ID, DataType::FixedSizeBinary(8), true),
        Field::new(TIME, DataType::UInt64, false),
        Field::new(OBSERVED_TIME, DataType::UInt64, false),
        Field::new(SEVERITY_NUMBER, DataType::Int32, false),
        Field::new(SEVERITY_TEXT, dictionary(DataType::Utf8), true),
        Field::new(EVENT_NAME, dictionary(DataType::Utf8), true),
        Field::new(BODY, DataType::Utf8, true),
        Field::new(BODY_VALUE, DataType::Binary, true),
    ]
}

fn metric_fields() -> Vec<Field> {
    vec![
        Field::new(NAME, dictionary(DataType::Utf8), false),
        Field::new(DESCRIPTION, dictionary(DataType::Utf8), true),
        Field::new(UNIT, dictionary(DataType::Utf8), true),
        Field::new(METRIC_KIND, DataType::Int32, false),
        Field::new(TEMPORALITY, DataType::Int32, false),
        Field::new(MONOTONIC, DataType::Boolean, false),
        Field::new(START, DataType::UInt64, false),
        Field::new(TIME, DataType::UInt64, false),
        Field::new(VALUE_INT, DataType::Int64, true),
        Field::new(VALUE_DOUBLE, DataType::Float64, true),
        Field::new(COUNT, DataType::UInt64, true),
        Field::new(SUM, DataType::Float64, true),
        Field::new(POINT, DataType::Binary, true),
    ]
}
