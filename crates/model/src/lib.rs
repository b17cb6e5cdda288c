//! What telemetry *is*: ids, time, values, Arrow schemas, and the only decoder of wire bytes.
//!
//! A request's bytes are walked once, by [`otlp`], into a [`batch::Batch`] of Arrow columns ([`schema`] names
//! them). Storage, queries and exporters work on those columns. The owned forms in [`span`], [`log_record`]
//! and [`metric`] are for the edges: an API answer, a generator, a test.

pub mod batch;
pub mod durations;
pub mod error_kind;
pub mod id;
pub mod json_path;
pub mod log_record;
pub mod metric;
pub mod otlp;
pub mod schema;
pub mod signal;
pub mod span;
pub mod time;
pub mod value;
pub mod words;

pub use batch::Batch;
pub use error_kind::Kind;
pub use id::{SpanId, TenantId, TraceId};
pub use log_record::LogRecord;
pub use metric::MetricPoint;
pub use signal::Signal;
pub use span::Span;
pub use time::{TimeRange, Timestamp};
pub use value::{Attribute, Resource, Scope, Value};
