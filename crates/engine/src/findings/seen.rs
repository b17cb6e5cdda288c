//! What is kept of each span that is looked at: some seventy bytes, by trace.

use crate::row::{SpanBatch, SpanRow, pending_keys};
use crate::skeleton::Texts;
use arrow::array::RecordBatch;
use foldhash::fast::RandomState;
use model::schema::{self, ColumnType, attribute_column};
use model::{SpanId, Timestamp, TraceId};
use query::result::Operation;
use semconv::NodeKind;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// The most spans that are looked at.
pub const MOST_SPANS: usize = 400_000;
/// What a receiver says of a span when its message came without a context.
pub const CONTEXT_MISSING: &str = "messaging.context.missing";

/// OTLP's kinds of spans that are spoken of.
pub const INTERNAL: i32 = 1;
pub const SERVER: i32 = 2;
pub const CONSUMER: i32 = 5;

/// A span, as far as its place in the trace is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub trace: TraceId,
    pub id: SpanId,
    pub parent: Option<SpanId>,
    pub start: Timestamp,
    /// `None` for a pending span, zero where it is not given.
    pub end: Option<Timestamp>,
    /// Number of the operation.
    pub operation: u32,
    /// Spans of one resource have the same.
    pub resource: u64,
    /// Why its message had no context, when it is certain that it had none.
    pub broken: Option<&'static str>,
    pub linked: bool,
    /// Agents and workflows begin traces by nature.
    pub begins: bool,
}

/// An operation: the numbers of its service and name, and its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub service: u32,
    name: u32,
    pub kind: i32,
}

/// The spans looked at. Once [settled](Self::settle), by trace, each once.
pub struct SeenSpans {
    pub spans: Vec<Seen>,
    pub operations: Vec<Key>,
    /// Whether there was room for all.
    pub whole: bool,
    numbers: HashMap<Key, u32>,
    services: Texts,
    names: Texts,
    hasher: RandomState,
}

impl SeenSpans {
    pub fn new() -> Self {
        Self {
            spans: Vec::new(),
            operations: Vec::new(),
            whole: true,
            numbers: HashMap::new(),
            services: Texts::new(),
            names: Texts::new(),
            hasher: RandomState::default(),
        }
    }

    /// The columns that [`Self::add`] reads.
    pub fn columns() -> Vec<String> {
        let keys = NodeKind::keys().into_iter().chain(pending_keys()).chain([CONTEXT_MISSING]);
        let typed =
            keys.flat_map(|key| ColumnType::ALL.map(|column_type| attribute_column(key, column_type)));
        let fixed = [
            schema::TRACE_ID,
            schema::SPAN_ID,
            schema::PARENT_SPAN_ID,
            schema::NAME,
            schema::KIND,
            schema::START,
            schema::END,
            schema::SERVICE,
            schema::RESOURCE,
            schema::LINKS,
            schema::ATTRIBUTES_TAIL,
        ];
        let mut columns: Vec<String> = fixed.map(str::to_owned).into_iter().chain(typed).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Adds the spans of a batch; whether there is room for more.
    pub fn add(&mut self, batch: &RecordBatch) -> bool {
        let spans = SpanBatch::new(batch);
        for row in 0..batch.num_rows() {
            if self.spans.len() >= MOST_SPANS {
                self.whole = false;
                return false;
            }
            let seen = self.read(&spans.row(row));
            self.spans.extend(seen);
        }
        true
    }

    fn read(&mut self, span: &SpanRow<'_>) -> Option<Seen> {
        let (columns, row) = (span.columns(), span.row);
        let stands_for = span.stands_for();
        let sent =
            (SpanId(columns.id(schema::SPAN_ID, row)?), columns.id(schema::PARENT_SPAN_ID, row).map(SpanId));
        let (id, parent) = stands_for.unwrap_or(sent);
        let kind = columns.int32(schema::KIND, row);
        let is_inner_root = parent.is_none() && kind == INTERNAL;
        let end = Timestamp(columns.uint64(schema::END, row).unwrap_or_default());
        Some(Seen {
            trace: TraceId(columns.id(schema::TRACE_ID, row)?),
            id,
            parent,
            start: Timestamp(columns.uint64(schema::START, row)?),
            end: stands_for.is_none().then_some(end),
            operation: self.number(
                columns.text(schema::SERVICE, row).unwrap_or_default(),
                columns.text(schema::NAME, row).unwrap_or_default(),
                kind,
            ),
            resource: self.hasher.hash_one(columns.bytes(schema::RESOURCE, row)),
            broken: broken_chain(span),
            linked: columns.bytes(schema::LINKS, row).is_some(),
            begins: is_inner_root && matches!(span.kind(), NodeKind::Agent | NodeKind::Workflow),
        })
    }

    fn number(&mut self, service: &str, name: &str, kind: i32) -> u32 {
        let key = Key { service: self.services.add(service), name: self.names.add(name), kind };
        let next = u32::try_from(self.operations.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.operations.push(key);
        }
        number
    }

    /// Puts them in order, each once: of a span that was sent again, what ended last.
    pub fn settle(&mut self) {
        self.spans.sort_by_key(|span| (span.trace, span.id, Reverse(span.end)));
        self.spans.dedup_by_key(|span| (span.trace, span.id));
    }

    /// The spans of each trace.
    pub fn traces(&self) -> impl Iterator<Item = &[Seen]> {
        self.spans.chunk_by(|left, right| left.trace == right.trace)
    }

    pub fn key(&self, span: &Seen) -> Option<Key> {
        self.operations.get(span.operation as usize).copied()
    }

    pub fn service(&self, span: &Seen) -> &str {
        self.key(span).and_then(|key| self.services.get(key.service)).unwrap_or_default()
    }

    pub fn name(&self, span: &Seen) -> &str {
        self.key(span).and_then(|key| self.names.get(key.name)).unwrap_or_default()
    }

    pub fn operation(&self, span: &Seen) -> Operation {
        let kind = self.key(span).map_or(0, |key| key.kind);
        Operation { name: self.name(span).to_owned(), kind }
    }
}

/// Why a span is the end of a broken chain; none when it is not.
pub fn broken_chain(span: &SpanRow<'_>) -> Option<&'static str> {
    if span.is_true(CONTEXT_MISSING) {
        return Some("it says itself that its message came without a context");
    }
    let (columns, row) = (span.columns(), span.row);
    let has_sender = columns.bytes(schema::PARENT_SPAN_ID, row).or_else(|| columns.bytes(schema::LINKS, row));
    (columns.int32(schema::KIND, row) == CONSUMER && has_sender.is_none())
        .then_some("it received a message, but has neither a parent nor a link to the span that sent it")
}

/// A span of one trace's, which are in order, by its id.
pub fn find(trace: &[Seen], id: SpanId) -> Option<&Seen> {
    trace.binary_search_by_key(&id, |span| span.id).ok().and_then(|place| trace.get(place))
}
