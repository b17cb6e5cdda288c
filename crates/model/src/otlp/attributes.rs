//! Builds the attribute columns of a chunk of rows: a column for each common key and type, a tail for the rest.

use super::validate::{CheckedAttribute, Scalar};
use super::wire::{put_bytes, put_message};
use crate::schema::{ATTRIBUTES_TAIL, ColumnType, TAIL_KEYS, attribute_field};
use arrow::array::{Array, AsArray};
use arrow::array::{ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow::datatypes::{FieldRef, Float64Type, Int64Type};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// The most attribute columns of a chunk; further keys go to the tail.
const MAX_COLUMNS: usize = 256;
/// The most tail keys that are listed; with more the list is left out, which means "any".
const MAX_TAIL_KEYS: usize = 1_000;
/// A column must be filled in at least one of this many rows, in chunks of more rows than `SMALL_CHUNK`.
const RARE: usize = 32;
const SMALL_CHUNK: usize = 64;

enum Builder {
    String(StringBuilder),
    Int(Int64Builder),
    Double(Float64Builder),
    Bool(BooleanBuilder),
    Value(BinaryBuilder),
}

struct Column {
    key: String,
    column_type: ColumnType,
    builder: Builder,
    /// Rows up to here are written, nulls included.
    rows: usize,
    filled: usize,
    /// Whether the key has a column of another type too.
    has_sibling: bool,
}

impl Column {
    fn new(key: &str, column_type: ColumnType, rows: usize) -> Self {
        let builder = match column_type {
            ColumnType::String => Builder::String(StringBuilder::with_capacity(rows, 1024)),
            ColumnType::Int => Builder::Int(Int64Builder::with_capacity(rows)),
            ColumnType::Double => Builder::Double(Float64Builder::with_capacity(rows)),
            ColumnType::Bool => Builder::Bool(BooleanBuilder::with_capacity(rows)),
            ColumnType::Value => Builder::Value(BinaryBuilder::with_capacity(rows, 1024)),
        };
        Self { key: key.to_owned(), column_type, builder, rows: 0, filled: 0, has_sibling: false }
    }

    fn pad_to(&mut self, row: usize) {
        let missing = row - self.rows;
        match &mut self.builder {
            Builder::String(builder) => builder.append_nulls(missing),
            Builder::Int(builder) => builder.append_nulls(missing),
            Builder::Double(builder) => builder.append_nulls(missing),
            Builder::Bool(builder) => builder.append_nulls(missing),
            Builder::Value(builder) => builder.append_nulls(missing),
        }
        self.rows = row;
    }

    fn put(&mut self, row: usize, attribute: &CheckedAttribute<'_>) {
        if self.rows < row {
            self.pad_to(row);
        }
        match (&mut self.builder, attribute.scalar) {
            (Builder::String(builder), Some(Scalar::Text(text))) => builder.append_value(text),
            (Builder::Int(builder), Some(Scalar::Int(number))) => builder.append_value(number),
            (Builder::Double(builder), Some(Scalar::Double(number))) => builder.append_value(number),
            (Builder::Bool(builder), Some(Scalar::Bool(value))) => builder.append_value(value),
            (Builder::Value(builder), _) => builder.append_value(attribute.value),
            (Builder::String(_) | Builder::Int(_) | Builder::Double(_) | Builder::Bool(_), _) => {
                unreachable!("an attribute is put into a column of its type")
            }
        }
        self.rows = row + 1;
        self.filled += 1;
    }

    fn finish(mut self, rows: usize) -> (String, ColumnType, ArrayRef) {
        self.pad_to(rows);
        let array: ArrayRef = match &mut self.builder {
            Builder::String(builder) => {
                let mut array = builder.finish();
                array.shrink_to_fit();
                Arc::new(array)
            }
            Builder::Int(builder) => Arc::new(builder.finish()),
            Builder::Double(builder) => Arc::new(builder.finish()),
            Builder::Bool(builder) => Arc::new(builder.finish()),
            Builder::Value(builder) => {
                let mut array = builder.finish();
                array.shrink_to_fit();
                Arc::new(array)
            }
        };
        (self.key, self.column_type, array)
    }
}

/// The attribute columns of the rows so far.
#[derive(Default)]
pub struct AttributeColumns {
    columns: Vec<Column>,
    /// How many rows a column has room for at first.
    capacity: usize,
    index: HashMap<String, [Option<u16>; 5], foldhash::fast::RandomState>,
    /// Columns in the order in which the last row used them: rows of one kind look alike.
    order: Vec<u16>,
    position: usize,
    tail: Vec<u8>,
    /// End of each row's tail.
    tail_ends: Vec<usize>,
    tail_keys: BTreeSet<String>,
    /// The keys of this row that went to the tail because there are no more columns.
    columnless: HashSet<String, foldhash::fast::RandomState>,
}

/// What [`AttributeColumns::finish`] gives.
pub struct Finished {
    pub fields: Vec<FieldRef>,
    pub arrays: Vec<ArrayRef>,
    pub tail: ArrayRef,
    /// For the schema's metadata.
    pub metadata: HashMap<String, String>,
}

impl AttributeColumns {
    /// For about so many rows.
    pub fn with_capacity(rows: usize) -> Self {
        Self { capacity: rows, ..Self::default() }
    }

    /// Writes one attribute of a row.
    #[inline]
    pub fn put(&mut self, row: usize, attribute: &CheckedAttribute<'_>) {
        let key = attribute.key;
        match self.column(key, column_type(attribute.scalar)) {
            Some(column) if self.is_first(row, key, column) => self.columns[column].put(row, attribute),
            Some(_) => self.put_tail(key, attribute.value),
            None => {
                self.columnless.insert(key.to_owned());
                self.put_tail(key, attribute.value);
            }
        }
    }

    /// Whether this is the row's first value of the key, of whatever type: the others go to the tail, so that they stay
    /// in their order.
    #[inline]
    fn is_first(&self, row: usize, key: &str, column: usize) -> bool {
        let column = &self.columns[column];
        column.rows <= row
            && !(column.has_sibling && self.written(row, key))
            && (self.columnless.is_empty() || !self.columnless.contains(key))
    }

    /// Whether a column of this key has a value in this row.
    fn written(&self, row: usize, key: &str) -> bool {
        let slots = self.index.get(key).copied().unwrap_or_default();
        slots.into_iter().flatten().any(|column| self.columns[usize::from(column)].rows > row)
    }

    fn put_tail(&mut self, key: &str, value: &[u8]) {
        tail_entry(&mut self.tail, key, value);
        if self.tail_keys.len() <= MAX_TAIL_KEYS && !self.tail_keys.contains(key) {
            self.tail_keys.insert(key.to_owned());
        }
    }

    /// Ends a row.
    pub fn end_row(&mut self) {
        self.tail_ends.push(self.tail.len());
        self.position = 0;
        // Clearing costs what was ever in it; one huge row must not make all rows after it slow.
        if self.columnless.capacity() > 4 * MAX_COLUMNS {
            self.columnless = HashSet::default();
        } else {
            self.columnless.clear();
        }
    }

    fn column(&mut self, key: &str, column_type: ColumnType) -> Option<usize> {
        if let Some(guess) = self.order.get(self.position) {
            let column = &self.columns[usize::from(*guess)];
            if column.key == key && column.column_type == column_type {
                self.position += 1;
                return Some(usize::from(*guess));
            }
        }
        let found = self.find_or_add(key, column_type)?;
        self.order.truncate(self.position);
        self.order.push(found);
        self.position += 1;
        Some(usize::from(found))
    }

    fn find_or_add(&mut self, key: &str, column_type: ColumnType) -> Option<u16> {
        let slot = column_type as usize;
        if let Some(found) = self.index.get(key).and_then(|slots| slots[slot]) {
            return Some(found);
        }
        if self.columns.len() >= MAX_COLUMNS {
            return None;
        }
        let number = u16::try_from(self.columns.len()).ok()?;
        let slots = self.index.entry(key.to_owned()).or_default();
        let mut column = Column::new(key, column_type, self.capacity);
        for sibling in slots.iter().flatten() {
            self.columns[usize::from(*sibling)].has_sibling = true;
            column.has_sibling = true;
        }
        slots[slot] = Some(number);
        self.columns.push(column);
        Some(number)
    }

    /// The columns of the first `rows` rows; those that are rarely filled are folded into the tail.
    pub fn finish(mut self, rows: usize) -> Finished {
        let enough = |column: &Column| rows <= SMALL_CHUNK || column.filled * RARE >= rows;
        let (kept, rare): (Vec<_>, Vec<_>) = std::mem::take(&mut self.columns).into_iter().partition(enough);
        let rare: Vec<_> = rare.into_iter().map(|column| column.finish(rows)).collect();
        for (key, _, _) in &rare {
            self.tail_keys.insert(key.clone());
        }
        let tail = self.tail_array(rows, &rare);
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (key, column_type, array) in kept.into_iter().map(|column| column.finish(rows)) {
            fields.push(attribute_field(&key, column_type));
            arrays.push(array);
        }
        let mut metadata = HashMap::new();
        if self.tail_keys.len() <= MAX_TAIL_KEYS {
            let keys: Vec<_> = self.tail_keys.into_iter().map(serde_json::Value::from).collect();
            metadata.insert(TAIL_KEYS.to_owned(), serde_json::Value::from(keys).to_string());
        }
        Finished { fields, arrays, tail, metadata }
    }

    fn tail_array(&self, rows: usize, rare: &[(String, ColumnType, ArrayRef)]) -> ArrayRef {
        let mut builder = BinaryBuilder::with_capacity(rows, self.tail.len());
        let (mut start, mut entry) = (0, Vec::new());
        for (row, end) in self.tail_ends.iter().take(rows).enumerate() {
            entry.clear();
            for (key, column_type, array) in rare {
                column_entry(&mut entry, key, *column_type, array, row);
            }
            entry.extend_from_slice(&self.tail[start..*end]);
            start = *end;
            if entry.is_empty() {
                builder.append_null();
            } else {
                builder.append_value(&entry);
            }
        }
        Arc::new(builder.finish())
    }
}

/// Which column a value belongs in: scalars have their own, all else is kept as bytes.
const fn column_type(scalar: Option<Scalar<'_>>) -> ColumnType {
    match scalar {
        Some(Scalar::Text(_)) => ColumnType::String,
        Some(Scalar::Bool(_)) => ColumnType::Bool,
        Some(Scalar::Int(_)) => ColumnType::Int,
        Some(Scalar::Double(_)) => ColumnType::Double,
        None => ColumnType::Value,
    }
}

/// Appends an entry of the tail: a `KeyValue` as field 1.
pub fn tail_entry(tail: &mut Vec<u8>, key: &str, value: &[u8]) {
    put_message(tail, 1, |entry| {
        put_bytes(entry, 1, key.as_bytes());
        put_bytes(entry, 2, value);
    });
}

/// Appends a column's value in this row, unless it is null, as an entry of the tail.
pub fn column_entry(tail: &mut Vec<u8>, key: &str, column_type: ColumnType, array: &ArrayRef, row: usize) {
    if array.is_null(row) {
        return;
    }
    if column_type == ColumnType::Value {
        return tail_entry(tail, key, array.as_binary::<i32>().value(row));
    }
    let value = match column_type {
        ColumnType::String => crate::Value::String(array.as_string::<i32>().value(row).to_owned()),
        ColumnType::Int => crate::Value::Int(array.as_primitive::<Int64Type>().value(row)),
        ColumnType::Double => crate::Value::Double(array.as_primitive::<Float64Type>().value(row)),
        ColumnType::Bool | ColumnType::Value => crate::Value::Bool(array.as_boolean().value(row)),
    };
    let mut bytes = Vec::new();
    super::value::put_any_value(&mut bytes, &value);
    tail_entry(tail, key, &bytes);
}

/// The name of the tail's column, for the fixed columns' builder.
pub const TAIL: &str = ATTRIBUTES_TAIL;
