//! Gathers rows into record batches: the columns that all signals share, and the signal's own through [`Rows`].

use super::attributes::AttributeColumns;
use super::refuse::Refusal;
use super::validate::{self, CheckedAttribute, Reason};
use super::wire::Slice;
use crate::Signal;
use crate::schema::fixed_fields;
use arrow::array::{ArrayRef, BinaryArray, DictionaryArray, Int32Array, StringArray, UInt32Builder};
use arrow::datatypes::{Int32Type, Schema};
use arrow::record_batch::RecordBatch;
use std::collections::HashMap;
use std::sync::Arc;

/// The most rows of one record batch.
pub const CHUNK_ROWS: usize = 8_192;

/// The most memory that the columns of a request may take. What telemetry looks like needs about its own size; a hostile
/// request of empty items, or of a huge resource with many small items, would need a hundred times that.
const MAX_MEMORY: usize = 512 << 20;
/// The most attributes, events or links of one item.
pub const MAX_LIST: usize = 100_000;

/// One row, borrowed from the request.
#[derive(Default)]
pub struct Row<'a, Own> {
    pub own: Own,
    pub flags: u32,
    pub dropped_attributes: u32,
    pub attributes: Vec<CheckedAttribute<'a>>,
}

impl<'a, Own> Row<'a, Own> {
    /// Adds the attribute of a `KeyValue`.
    #[inline]
    pub fn add_attribute(&mut self, entry: Slice<'a>) -> Result<(), Reason> {
        if self.attributes.len() == MAX_LIST {
            return Err(format!("it has more than {MAX_LIST} attributes"));
        }
        self.attributes.push(validate::key_value(entry, 1)?);
        Ok(())
    }
}

/// Takes a row, or why an item is refused.
pub type Emit<'e, 'a, Own> = dyn FnMut(Result<&Row<'a, Own>, Refusal>) + 'e;

/// What a row stands under.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    pub resource: &'a [u8],
    pub resource_schema_url: &'a str,
    pub service: Option<&'a str>,
    pub scope: &'a [u8],
    pub scope_schema_url: &'a str,
}

/// The columns of one signal.
pub trait Rows<'a> {
    const SIGNAL: Signal;
    /// A row's own data, borrowed from the request.
    type Own: Default;

    /// Reads an item (a span, a log record, a metric with its points) and emits its rows, or why one is refused.
    fn read(item: Slice<'a>, row: &mut Row<'a, Self::Own>, emit: &mut Emit<'_, 'a, Self::Own>);

    /// Rows of a chunk stand in the order of this: what is looked for together stands together.
    fn order(_item: Slice<'a>) -> (u128, u64) {
        (0, 0)
    }

    /// How many rows an item gives.
    fn rows(_item: Slice<'a>) -> u64 {
        1
    }

    /// Columns for about so many rows.
    fn with_capacity(rows: usize) -> Self;

    fn push(&mut self, own: &Self::Own);

    /// The signal's own columns, in the order of the schema.
    fn arrays(self) -> Vec<ArrayRef>;
}

/// A column of few distinct values.
#[derive(Default)]
pub struct Dictionary<'a> {
    values: Vec<&'a [u8]>,
    keys: Vec<Option<i32>>,
    index: HashMap<&'a [u8], i32, foldhash::fast::RandomState>,
}

impl<'a> Dictionary<'a> {
    #[inline]
    pub fn push(&mut self, value: &'a [u8]) {
        // Neighbours mostly come from the same place in the request.
        let last = self.keys.last().copied().flatten().filter(|key| {
            let known = usize::try_from(*key).ok().map_or(&[][..], |key| self.values[key]);
            std::ptr::eq(known, value)
        });
        let key = last.unwrap_or_else(|| self.key(value));
        self.keys.push(Some(key));
    }

    fn key(&mut self, value: &'a [u8]) -> i32 {
        let next = i32::try_from(self.values.len()).unwrap_or(i32::MAX);
        *self.index.entry(value).or_insert_with(|| {
            self.values.push(value);
            next
        })
    }

    /// The empty value is a null.
    pub fn push_text(&mut self, text: &'a str) {
        if text.is_empty() { self.keys.push(None) } else { self.push(text.as_bytes()) }
    }

    pub fn finish_binary(self) -> ArrayRef {
        let values = Arc::new(BinaryArray::from_iter_values(&self.values));
        dictionary(self.keys, values)
    }

    /// The values have been validated as UTF-8.
    pub fn finish_text(self) -> ArrayRef {
        let texts = self.values.iter().map(|value| std::str::from_utf8(value).unwrap_or_default());
        dictionary(self.keys, Arc::new(StringArray::from_iter_values(texts)))
    }
}

fn dictionary(keys: Vec<Option<i32>>, values: ArrayRef) -> ArrayRef {
    let array = DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), values);
    Arc::new(array.expect("keys are indexes of the values"))
}

struct Shared<'a> {
    flags: UInt32Builder,
    dropped_attributes: UInt32Builder,
    resource: Dictionary<'a>,
    resource_schema_url: Dictionary<'a>,
    service: Dictionary<'a>,
    scope: Dictionary<'a>,
    scope_schema_url: Dictionary<'a>,
    attributes: AttributeColumns,
}

impl Shared<'_> {
    fn with_capacity(rows: usize) -> Self {
        Self {
            flags: UInt32Builder::with_capacity(rows),
            dropped_attributes: UInt32Builder::with_capacity(rows),
            resource: Dictionary::default(),
            resource_schema_url: Dictionary::default(),
            service: Dictionary::default(),
            scope: Dictionary::default(),
            scope_schema_url: Dictionary::default(),
            attributes: AttributeColumns::with_capacity(rows),
        }
    }
}

/// The rows gathered so far.
pub struct Chunks<'a, R> {
    /// Made when there is a row for it.
    current: Option<(R, Shared<'a>)>,
    expected: usize,
    rows: usize,
    done: Vec<RecordBatch>,
    memory: usize,
}

impl<'a, R: Rows<'a>> Chunks<'a, R> {
    pub fn new() -> Self {
        Self { current: None, expected: 0, rows: 0, done: Vec::new(), memory: 0 }
    }

    /// Tells that about so many rows follow.
    pub fn expect(&mut self, rows: usize) {
        self.expected = rows.min(CHUNK_ROWS);
    }

    pub fn push(&mut self, context: &Context<'a>, row: &Row<'a, R::Own>) -> Result<(), Reason> {
        if self.memory > MAX_MEMORY {
            return Err(format!(
                "the request needs more than {} MiB of memory; send fewer items at a time",
                MAX_MEMORY >> 20
            ));
        }
        let new = || (R::with_capacity(self.expected), Shared::with_capacity(self.expected));
        let (own, shared) = self.current.get_or_insert_with(new);
        own.push(&row.own);
        shared.flags.append_value(row.flags);
        shared.dropped_attributes.append_value(row.dropped_attributes);
        shared.resource.push(context.resource);
        shared.resource_schema_url.push_text(context.resource_schema_url);
        match context.service {
            Some(service) => shared.service.push(service.as_bytes()),
            None => shared.service.keys.push(None),
        }
        shared.scope.push(context.scope);
        shared.scope_schema_url.push_text(context.scope_schema_url);
        for attribute in &row.attributes {
            shared.attributes.put(self.rows, attribute);
        }
        shared.attributes.end_row();
        self.rows += 1;
        if self.rows == CHUNK_ROWS {
            self.end_chunk();
        }
        Ok(())
    }

    fn end_chunk(&mut self) {
        let Some((own, shared)) = self.current.take() else { return };
        let batch = record_batch(own, shared, self.rows);
        self.memory += batch.get_array_memory_size();
        self.done.push(batch);
        self.rows = 0;
    }

    pub fn finish(mut self) -> Vec<RecordBatch> {
        self.end_chunk();
        self.done
    }
}

fn record_batch<'a, R: Rows<'a>>(own: R, mut shared: Shared<'a>, rows: usize) -> RecordBatch {
    let attributes = shared.attributes.finish(rows);
    let mut arrays = own.arrays();
    arrays.push(Arc::new(shared.flags.finish()));
    arrays.push(Arc::new(shared.dropped_attributes.finish()));
    arrays.push(shared.resource.finish_binary());
    arrays.push(shared.resource_schema_url.finish_text());
    arrays.push(shared.service.finish_text());
    arrays.push(shared.scope.finish_binary());
    arrays.push(shared.scope_schema_url.finish_text());
    arrays.push(attributes.tail);
    arrays.extend(attributes.arrays);
    let mut fields = fixed_fields(R::SIGNAL);
    fields.extend(attributes.fields);
    let schema = Schema::new(fields).with_metadata(attributes.metadata);
    RecordBatch::try_new(Arc::new(schema), arrays).expect("the arrays are built to the schema, row by row")
}
