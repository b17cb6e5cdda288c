//! Spans: from bytes to columns, from columns to owned values, and back to bytes.

use super::chunk::{Dictionary, Emit, MAX_LIST, Row, Rows};
use super::columns::{Columns, SharedColumns};
use super::validate::{self, Reason, fields, id, text};
use super::value::{self, put_attributes};
use super::wire::{
    Data, Fields, Slice, put_bytes, put_fixed32, put_fixed64, put_message, put_number, put_text,
};
use crate::schema;
use crate::span::{Event, Link, Span, Status};
use crate::{Signal, SpanId, Timestamp, TraceId};
use arrow::array::{
    ArrayRef, BinaryBuilder, FixedSizeBinaryBuilder, Int32Builder, StringBuilder, UInt32Builder,
    UInt64Builder,
};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// A span's own data, borrowed.
#[derive(Default)]
pub struct SpanRow<'a> {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    parent: Option<[u8; 8]>,
    trace_state: &'a str,
    name: &'a str,
    kind: i32,
    start: u64,
    end: u64,
    status: i32,
    status_message: &'a str,
    events: Vec<u8>,
    links: Vec<u8>,
    dropped_events: u32,
    dropped_links: u32,
    /// Events and links so far.
    listed: usize,
}

impl SpanRow<'_> {
    fn count_listed(&mut self) -> Result<(), Reason> {
        self.listed += 1;
        if self.listed > MAX_LIST {
            return Err(format!("it has more than {MAX_LIST} events and links"));
        }
        Ok(())
    }
}

pub struct SpanColumns<'a> {
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    parent: FixedSizeBinaryBuilder,
    name: Dictionary<'a>,
    kind: Int32Builder,
    start: UInt64Builder,
    end: UInt64Builder,
    status: Int32Builder,
    status_message: StringBuilder,
    trace_state: StringBuilder,
    events: BinaryBuilder,
    dropped_events: UInt32Builder,
    links: BinaryBuilder,
    dropped_links: UInt32Builder,
}

impl<'a> Rows<'a> for SpanColumns<'a> {
    const SIGNAL: Signal = Signal::Traces;
    type Own = SpanRow<'a>;

    fn read(item: Slice<'a>, row: &mut Row<'a, SpanRow<'a>>, emit: &mut Emit<'_, 'a, SpanRow<'a>>) {
        match read_span(item, row) {
            Ok(()) => emit(Ok(row)),
            Err(reason) => emit(Err(reason.into())),
        }
    }

    /// Its trace and start: a block has its rows in this order, and is made faster of batches that have it too.
    fn order(item: Slice<'a>) -> (u128, u64) {
        let (mut trace, mut start) = (0, 0);
        for (number, data) in Fields::new(item).flatten() {
            match number {
                1 => trace = data.slice().bytes.try_into().map_or(0, u128::from_be_bytes),
                7 => start = data.number(),
                // Senders write fields by number, so that what follows need not be read.
                8.. if start > 0 => break,
                _ => {}
            }
        }
        (trace, start)
    }

    fn with_capacity(rows: usize) -> Self {
        Self {
            trace_id: FixedSizeBinaryBuilder::with_capacity(rows, 16),
            span_id: FixedSizeBinaryBuilder::with_capacity(rows, 8),
            parent: FixedSizeBinaryBuilder::with_capacity(rows, 8),
            name: Dictionary::default(),
            kind: Int32Builder::with_capacity(rows),
            start: UInt64Builder::with_capacity(rows),
            end: UInt64Builder::with_capacity(rows),
            status: Int32Builder::with_capacity(rows),
            status_message: StringBuilder::with_capacity(rows, 0),
            trace_state: StringBuilder::with_capacity(rows, 0),
            events: BinaryBuilder::with_capacity(rows, 0),
            dropped_events: UInt32Builder::with_capacity(rows),
            links: BinaryBuilder::with_capacity(rows, 0),
            dropped_links: UInt32Builder::with_capacity(rows),
        }
    }

    fn push(&mut self, own: &SpanRow<'a>) {
        const FITS: &str = "ids have the length of their column";
        self.trace_id.append_value(own.trace_id).expect(FITS);
        self.span_id.append_value(own.span_id).expect(FITS);
        match own.parent {
            Some(parent) => self.parent.append_value(parent).expect(FITS),
            None => self.parent.append_null(),
        }
        self.name.push(own.name.as_bytes());
        self.kind.append_value(own.kind);
        self.start.append_value(own.start);
        self.end.append_value(own.end);
        self.status.append_value(own.status);
        self.status_message.append_option(some_text(own.status_message));
        self.trace_state.append_option(some_text(own.trace_state));
        self.events.append_option((!own.events.is_empty()).then_some(&own.events));
        self.dropped_events.append_value(own.dropped_events);
        self.links.append_option((!own.links.is_empty()).then_some(&own.links));
        self.dropped_links.append_value(own.dropped_links);
    }

    fn arrays(mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.parent.finish()),
            self.name.finish_text(),
            Arc::new(self.kind.finish()),
            Arc::new(self.start.finish()),
            Arc::new(self.end.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.status_message.finish()),
            Arc::new(self.trace_state.finish()),
            Arc::new(self.events.finish()),
            Arc::new(self.dropped_events.finish()),
            Arc::new(self.links.finish()),
            Arc::new(self.dropped_links.finish()),
        ]
    }
}

/// Empty text is a null.
pub fn some_text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn read_span<'a>(item: Slice<'a>, row: &mut Row<'a, SpanRow<'a>>) -> Result<(), Reason> {
    let (mut events, mut links) = (std::mem::take(&mut row.own.events), std::mem::take(&mut row.own.links));
    events.clear();
    links.clear();
    row.own = SpanRow { events, links, ..SpanRow::default() };
    row.attributes.clear();
    (row.flags, row.dropped_attributes) = (0, 0);
    let (mut trace_id, mut span_id) = (None, None);
    for field in fields(item) {
        let (number, data) = field?;
        match number {
            1 => trace_id = id::<16>(data.slice(), "trace id")?.copied(),
            2 => span_id = id::<8>(data.slice(), "span id")?.copied(),
            4 => row.own.parent = id::<8>(data.slice(), "parent span id")?.copied(),
            9 => row.add_attribute(data.slice())?,
            10 => row.dropped_attributes = data.number32(),
            16 => row.flags = data.number32(),
            _ => read_own(&mut row.own, number, data)?,
        }
    }
    row.own.trace_id = trace_id.ok_or_else(|| missing("trace id"))?;
    row.own.span_id = span_id.ok_or_else(|| missing("span id"))?;
    Ok(())
}

#[cold]
fn missing(what: &str) -> Reason {
    format!("it has no {what} (it is empty or all zero); every span needs one")
}

fn read_own<'a>(own: &mut SpanRow<'a>, number: u32, data: Data<'a>) -> Result<(), Reason> {
    match number {
        3 => own.trace_state = text(data.slice(), "its trace state")?,
        5 => own.name = text(data.slice(), "its name")?,
        6 => own.kind = data.int32(),
        7 => own.start = data.number(),
        8 => own.end = data.number(),
        11 => {
            validate::message(data.slice(), &[2], 3)?;
            own.count_listed()?;
            put_bytes(&mut own.events, 11, data.slice().bytes);
        }
        12 => own.dropped_events = data.number32(),
        13 => {
            validate::link(data.slice())?;
            own.count_listed()?;
            put_bytes(&mut own.links, 13, data.slice().bytes);
        }
        14 => own.dropped_links = data.number32(),
        15 => {
            for field in fields(data.slice()) {
                match field? {
                    (2, data) => own.status_message = text(data.slice(), "its status message")?,
                    (3, data) => own.status = data.int32(),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// The spans of these rows; see [`super::spans()`].
pub fn owned(batch: &RecordBatch) -> Vec<Span> {
    let columns = Columns::new(batch);
    let mut shared = SharedColumns::new(&columns);
    (0..batch.num_rows()).map(|row| owned_row(&columns, &mut shared, row)).collect()
}

fn owned_row(columns: &Columns<'_>, shared: &mut SharedColumns<'_>, row: usize) -> Span {
    Span {
        resource: shared.resource(row),
        scope: shared.scope(row),
        trace_id: TraceId(columns.id(schema::TRACE_ID, row).unwrap_or_default()),
        span_id: SpanId(columns.id(schema::SPAN_ID, row).unwrap_or_default()),
        parent_span_id: columns.id(schema::PARENT_SPAN_ID, row).map(SpanId),
        trace_state: columns.text(schema::TRACE_STATE, row).unwrap_or_default().to_owned(),
        flags: columns.uint32(schema::FLAGS, row),
        name: columns.text(schema::NAME, row).unwrap_or_default().to_owned(),
        kind: columns.int32(schema::KIND, row),
        start: Timestamp(columns.uint64(schema::START, row).unwrap_or_default()),
        end: Timestamp(columns.uint64(schema::END, row).unwrap_or_default()),
        attributes: columns.attributes(row),
        dropped_attributes: columns.uint32(schema::DROPPED_ATTRIBUTES, row),
        events: events(columns.bytes(schema::EVENTS, row).unwrap_or_default()),
        dropped_events: columns.uint32(schema::DROPPED_EVENTS, row),
        links: links(columns.bytes(schema::LINKS, row).unwrap_or_default()),
        dropped_links: columns.uint32(schema::DROPPED_LINKS, row),
        status: Status {
            code: columns.int32(schema::STATUS_CODE, row),
            message: columns.text(schema::STATUS_MESSAGE, row).unwrap_or_default().to_owned(),
        },
    }
}

/// The events in a cell of the `events` column.
#[must_use]
pub fn events(cell: &[u8]) -> Vec<Event> {
    Fields::new(Slice { bytes: cell, at: 0 }).flatten().map(|(_, data)| event(data.slice())).collect()
}

fn event(slice: Slice<'_>) -> Event {
    let mut event = Event::default();
    for (number, data) in Fields::new(slice).flatten() {
        match number {
            1 => event.time = Timestamp(data.number()),
            2 => event.name = value::text(data),
            3 => event.attributes.push(value::attribute(data)),
            4 => event.dropped_attributes = data.number32(),
            _ => {}
        }
    }
    event
}

/// The links in a cell of the `links` column.
#[must_use]
pub fn links(cell: &[u8]) -> Vec<Link> {
    Fields::new(Slice { bytes: cell, at: 0 }).flatten().map(|(_, data)| link(data.slice())).collect()
}

fn link(slice: Slice<'_>) -> Link {
    let mut link = Link::default();
    for (number, data) in Fields::new(slice).flatten() {
        match number {
            1 => link.trace_id = TraceId(data.slice().bytes.try_into().unwrap_or_default()),
            2 => link.span_id = SpanId(data.slice().bytes.try_into().unwrap_or_default()),
            3 => link.trace_state = value::text(data),
            4 => link.attributes.push(value::attribute(data)),
            5 => link.dropped_attributes = data.number32(),
            6 => link.flags = data.number32(),
            _ => {}
        }
    }
    link
}

/// Appends the fields of a `Span` message.
pub fn put_span(out: &mut Vec<u8>, span: &Span) {
    put_bytes(out, 1, &span.trace_id.0);
    put_bytes(out, 2, &span.span_id.0);
    put_text(out, 3, &span.trace_state);
    if let Some(parent) = span.parent_span_id {
        put_bytes(out, 4, &parent.0);
    }
    put_text(out, 5, &span.name);
    put_number(out, 6, u64::from(span.kind.cast_unsigned()));
    put_fixed64(out, 7, span.start.0);
    put_fixed64(out, 8, span.end.0);
    put_attributes(out, 9, &span.attributes);
    put_number(out, 10, u64::from(span.dropped_attributes));
    for event in &span.events {
        put_message(out, 11, |out| {
            put_fixed64(out, 1, event.time.0);
            put_text(out, 2, &event.name);
            put_attributes(out, 3, &event.attributes);
            put_number(out, 4, u64::from(event.dropped_attributes));
        });
    }
    put_number(out, 12, u64::from(span.dropped_events));
    for link in &span.links {
        put_message(out, 13, |out| {
            put_bytes(out, 1, &link.trace_id.0);
            put_bytes(out, 2, &link.span_id.0);
            put_text(out, 3, &link.trace_state);
            put_attributes(out, 4, &link.attributes);
            put_number(out, 5, u64::from(link.dropped_attributes));
            put_fixed32(out, 6, link.flags);
        });
    }
    put_number(out, 14, u64::from(span.dropped_links));
    if span.status != Status::default() {
        put_message(out, 15, |out| {
            put_text(out, 2, &span.status.message);
            put_number(out, 3, u64::from(span.status.code.cast_unsigned()));
        });
    }
    put_fixed32(out, 16, span.flags);
}
