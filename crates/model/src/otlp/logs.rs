//! Log records: from bytes to columns, from columns to owned values, and back to bytes.

use super::chunk::{Dictionary, Emit, Row, Rows};
use super::columns::{Columns, SharedColumns};
use super::spans::some_text;
use super::validate::{self, Reason, fields, id, text};
use super::value::{any_value, put_any_value, put_attributes};
use super::wire::{
    Data, Fields, Slice, put_bytes, put_fixed32, put_fixed64, put_message, put_number, put_text,
};
use crate::log_record::LogRecord;
use crate::{Signal, SpanId, Timestamp, TraceId, Value, schema};
use arrow::array::{
    ArrayRef, BinaryBuilder, FixedSizeBinaryBuilder, Int32Builder, StringBuilder, UInt64Builder,
};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// A log record's own data, borrowed.
#[derive(Default)]
pub struct LogRow<'a> {
    trace_id: Option<[u8; 16]>,
    span_id: Option<[u8; 8]>,
    time: u64,
    observed_time: u64,
    severity_number: i32,
    severity_text: &'a str,
    event_name: &'a str,
    body: Body<'a>,
}

#[derive(Default)]
enum Body<'a> {
    #[default]
    None,
    Text(&'a str),
    Value(&'a [u8]),
}

pub struct LogColumns<'a> {
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    time: UInt64Builder,
    observed_time: UInt64Builder,
    severity_number: Int32Builder,
    severity_text: Dictionary<'a>,
    event_name: Dictionary<'a>,
    body: StringBuilder,
    body_value: BinaryBuilder,
}

impl<'a> Rows<'a> for LogColumns<'a> {
    const SIGNAL: Signal = Signal::Logs;
    type Own = LogRow<'a>;

    fn read(item: Slice<'a>, row: &mut Row<'a, LogRow<'a>>, emit: &mut Emit<'_, 'a, LogRow<'a>>) {
        match read_record(item, row) {
            Ok(()) => emit(Ok(row)),
            Err(reason) => emit(Err(reason.into())),
        }
    }

    fn with_capacity(rows: usize) -> Self {
        Self {
            trace_id: FixedSizeBinaryBuilder::with_capacity(rows, 16),
            span_id: FixedSizeBinaryBuilder::with_capacity(rows, 8),
            time: UInt64Builder::with_capacity(rows),
            observed_time: UInt64Builder::with_capacity(rows),
            severity_number: Int32Builder::with_capacity(rows),
            severity_text: Dictionary::default(),
            event_name: Dictionary::default(),
            body: StringBuilder::with_capacity(rows, 0),
            body_value: BinaryBuilder::with_capacity(rows, 0),
        }
    }

    fn push(&mut self, own: &LogRow<'a>) {
        const FITS: &str = "ids have the length of their column";
        match own.trace_id {
            Some(id) => self.trace_id.append_value(id).expect(FITS),
            None => self.trace_id.append_null(),
        }
        match own.span_id {
            Some(id) => self.span_id.append_value(id).expect(FITS),
            None => self.span_id.append_null(),
        }
        self.time.append_value(own.time);
        self.observed_time.append_value(own.observed_time);
        self.severity_number.append_value(own.severity_number);
        self.severity_text.push_text(own.severity_text);
        self.event_name.push_text(own.event_name);
        match own.body {
            Body::Text(text) => self.body.append_value(text),
            _ => self.body.append_null(),
        }
        match own.body {
            Body::Value(bytes) => self.body_value.append_value(bytes),
            _ => self.body_value.append_null(),
        }
    }

    fn arrays(mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.time.finish()),
            Arc::new(self.observed_time.finish()),
            Arc::new(self.severity_number.finish()),
            self.severity_text.finish_text(),
            self.event_name.finish_text(),
            Arc::new(self.body.finish()),
            Arc::new(self.body_value.finish()),
        ]
    }
}

fn read_record<'a>(item: Slice<'a>, row: &mut Row<'a, LogRow<'a>>) -> Result<(), Reason> {
    row.own = LogRow::default();
    row.attributes.clear();
    (row.flags, row.dropped_attributes) = (0, 0);
    for field in fields(item) {
        let (number, data) = field?;
        match number {
            // Where a span has its trace id and a metric its name.
            1 if matches!(data, Data::Bytes(_)) => return Err("it has bytes in place of its time".to_owned()),
            1 => row.own.time = data.number(),
            2 => row.own.severity_number = data.int32(),
            3 => row.own.severity_text = text(data.slice(), "its severity text")?,
            5 => row.own.body = body(data.slice())?,
            6 => row.add_attribute(data.slice())?,
            7 => row.dropped_attributes = data.number32(),
            8 => row.flags = data.number32(),
            9 => row.own.trace_id = id::<16>(data.slice(), "trace id")?.copied(),
            10 => row.own.span_id = id::<8>(data.slice(), "span id")?.copied(),
            11 => row.own.observed_time = data.number(),
            12 => row.own.event_name = text(data.slice(), "its event name")?,
            _ => {}
        }
    }
    Ok(())
}

fn body(slice: Slice<'_>) -> Result<Body<'_>, Reason> {
    validate::any_value(slice, 1)?;
    let mut inner = Fields::new(slice);
    Ok(match (inner.next(), inner.next()) {
        (Some(Ok((1, data))), None) => Body::Text(text(data.slice(), "its body")?),
        _ => Body::Value(slice.bytes),
    })
}

/// The log records of these rows; see [`super::log_records`].
pub fn owned(batch: &RecordBatch) -> Vec<LogRecord> {
    let columns = Columns::new(batch);
    let mut shared = SharedColumns::new(&columns);
    (0..batch.num_rows()).map(|row| owned_row(&columns, &mut shared, row)).collect()
}

fn owned_row(columns: &Columns<'_>, shared: &mut SharedColumns<'_>, row: usize) -> LogRecord {
    let text_body = columns.text(schema::BODY, row).map(|text| Value::String(text.to_owned()));
    LogRecord {
        resource: shared.resource(row),
        scope: shared.scope(row),
        time: Timestamp(columns.uint64(schema::TIME, row).unwrap_or_default()),
        observed_time: Timestamp(columns.uint64(schema::OBSERVED_TIME, row).unwrap_or_default()),
        severity_number: columns.int32(schema::SEVERITY_NUMBER, row),
        severity_text: columns.text(schema::SEVERITY_TEXT, row).unwrap_or_default().to_owned(),
        event_name: columns.text(schema::EVENT_NAME, row).unwrap_or_default().to_owned(),
        body: text_body.or_else(|| columns.bytes(schema::BODY_VALUE, row).map(any_value)),
        attributes: columns.attributes(row),
        dropped_attributes: columns.uint32(schema::DROPPED_ATTRIBUTES, row),
        flags: columns.uint32(schema::FLAGS, row),
        trace_id: columns.id(schema::TRACE_ID, row).map(TraceId),
        span_id: columns.id(schema::SPAN_ID, row).map(SpanId),
    }
}

/// Appends the fields of a `LogRecord` message.
pub fn put_record(out: &mut Vec<u8>, record: &LogRecord) {
    put_fixed64(out, 1, record.time.0);
    put_number(out, 2, u64::from(record.severity_number.cast_unsigned()));
    put_text(out, 3, &record.severity_text);
    if let Some(body) = &record.body {
        put_message(out, 5, |out| put_any_value(out, body));
    }
    put_attributes(out, 6, &record.attributes);
    put_number(out, 7, u64::from(record.dropped_attributes));
    put_fixed32(out, 8, record.flags);
    if let Some(id) = record.trace_id {
        put_bytes(out, 9, &id.0);
    }
    if let Some(id) = record.span_id {
        put_bytes(out, 10, &id.0);
    }
    put_fixed64(out, 11, record.observed_time.0);
    if some_text(&record.event_name).is_some() {
        put_text(out, 12, &record.event_name);
    }
}
