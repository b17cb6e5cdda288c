//! Brings batches with different attribute columns into one schema.
//!
//! The schema has the signal's fixed columns, then the attribute columns that are common enough, at most
//! [`MOST_ATTRIBUTE_COLUMNS`]; attributes of other columns go into the tail.

use crate::error::Error;
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use model::otlp::attributes::column_entry;
use model::schema::ColumnType;
use model::{Signal, schema};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

const MOST_ATTRIBUTE_COLUMNS: usize = 256;
/// A list of the keys in the tail is kept while it is no longer than this; no list means "any key".
const MOST_TAIL_KEYS: usize = 4096;

/// One schema for several batches.
pub(crate) struct Layout {
    pub(crate) schema: SchemaRef,
}

impl Layout {
    /// A schema for these batches in which an attribute column has at least `fewest` values.
    pub(crate) fn plan(signal: Signal, batches: &[&RecordBatch], fewest: u64) -> Self {
        let mut fixed: Vec<FieldRef> = schema::fixed_fields(signal);
        let mut attributes: Vec<(FieldRef, u64)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let columns =
            batches.iter().flat_map(|batch| batch.schema_ref().fields().iter().zip(batch.columns()));
        for (field, column) in columns {
            let values = (column.len() - column.null_count()) as u64;
            let is_attribute = schema::parse_attribute_column(field.name()).is_some();
            if !is_attribute && !fixed.iter().any(|known| known.name() == field.name()) {
                fixed.push(Arc::new(field.as_ref().clone().with_nullable(true)));
            }
            if is_attribute {
                let place = *places.entry(field.name().clone()).or_insert(attributes.len());
                match attributes.get_mut(place) {
                    Some((_, total)) => *total += values,
                    None => attributes.push((Arc::clone(field), values)),
                }
            }
        }
        let (kept, folded) = choose(attributes, fewest);
        let metadata = tail_keys(batches, &folded)
            .and_then(|keys| serde_json::to_string(&keys).ok())
            .map(|keys| (schema::TAIL_KEYS.to_owned(), keys));
        fixed.extend(kept);
        Self { schema: Arc::new(Schema::new_with_metadata(fixed, metadata.into_iter().collect())) }
    }

    /// The batch with this layout's columns.
    pub(crate) fn arrange(&self, batch: &RecordBatch, nulls: &mut Nulls) -> Result<RecordBatch, Error> {
        let tail = self.tail(batch)?;
        let column = |field: &FieldRef| match (batch.column_by_name(field.name()), &tail) {
            (Some(_), Some(tail)) if field.name() == schema::ATTRIBUTES_TAIL => Arc::clone(tail),
            (Some(column), _) => Arc::clone(column),
            (None, _) => nulls.of(field.data_type(), batch.num_rows()),
        };
        let columns = self.schema.fields().iter().map(column).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    /// The batch's tail together with the attributes that have no column here; `None` when there are none such.
    fn tail(&self, batch: &RecordBatch) -> Result<Option<ArrayRef>, Error> {
        let folded: Vec<Folded<'_>> = batch
            .schema_ref()
            .fields()
            .iter()
            .zip(batch.columns())
            .filter(|(field, _)| self.schema.column_with_name(field.name()).is_none())
            .filter_map(|(field, column)| {
                let (key, column_type) = schema::parse_attribute_column(field.name())?;
                Some((key, column_type, column))
            })
            .collect();
        if folded.is_empty() {
            return Ok(None);
        }
        let tail = match batch.column_by_name(schema::ATTRIBUTES_TAIL) {
            Some(tail) => tail.as_binary_opt::<i32>().cloned().ok_or_else(|| {
                ArrowError::SchemaError(format!("{} is not binary", schema::ATTRIBUTES_TAIL))
            })?,
            None => BinaryArray::new_null(batch.num_rows()),
        };
        Ok(Some(Arc::new(fold(&folded, &tail))))
    }
}

/// An attribute column on its way into the tail.
type Folded<'a> = (&'a str, ColumnType, &'a ArrayRef);

/// The tail with these columns put before what each row's tail already had: the first value of a key that comes twice
/// is the one in the column.
fn fold(columns: &[Folded<'_>], tail: &BinaryArray) -> BinaryArray {
    let mut folded = BinaryBuilder::with_capacity(tail.len(), tail.value_data().len());
    let mut entry = Vec::new();
    for row in 0..tail.len() {
        entry.clear();
        for (key, column_type, column) in columns {
            column_entry(&mut entry, key, *column_type, column, row);
        }
        if tail.is_valid(row) {
            entry.extend_from_slice(tail.value(row));
        }
        folded.append_option((!entry.is_empty()).then_some(&entry));
    }
    folded.finish()
}

/// Columns of nulls, made once and shared by all batches that need them.
#[derive(Default)]
pub(crate) struct Nulls {
    by_type: HashMap<DataType, ArrayRef>,
}

impl Nulls {
    fn of(&mut self, data_type: &DataType, rows: usize) -> ArrayRef {
        match self.by_type.get(data_type) {
            Some(nulls) if nulls.len() >= rows => nulls.slice(0, rows),
            _ => {
                let nulls = new_null_array(data_type, rows.max(8192));
                self.by_type.insert(data_type.clone(), Arc::clone(&nulls));
                nulls.slice(0, rows)
            }
        }
    }
}

/// Parts the attribute columns into those that are kept, in the order met, and the keys of the others.
fn choose(attributes: Vec<(FieldRef, u64)>, fewest: u64) -> (Vec<FieldRef>, BTreeSet<String>) {
    let mut ranked: Vec<usize> = (0..attributes.len()).collect();
    ranked.sort_by_key(|place| attributes.get(*place).map(|(_, values)| Reverse(*values)));
    let common: BTreeSet<usize> = ranked.into_iter().take(MOST_ATTRIBUTE_COLUMNS).collect();
    let mut kept = Vec::new();
    let mut folded = BTreeSet::new();
    for (place, (field, values)) in attributes.into_iter().enumerate() {
        if values >= fewest && common.contains(&place) {
            kept.push(Arc::new(Field::clone(&field).with_nullable(true)));
        } else if let Some((key, _)) = schema::parse_attribute_column(field.name()) {
            folded.insert(key.to_owned());
        }
    }
    (kept, folded)
}

/// The keys in the tail of any of the batches, or folded now; `None` when they are not known.
fn tail_keys(batches: &[&RecordBatch], folded: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let mut keys = folded.clone();
    for batch in batches {
        let tail = batch.column_by_name(schema::ATTRIBUTES_TAIL);
        if tail.is_none_or(|tail| tail.null_count() == tail.len()) {
            continue;
        }
        let listed = batch.schema_ref().metadata().get(schema::TAIL_KEYS)?;
        keys.extend(serde_json::from_str::<Vec<String>>(listed).ok()?);
    }
    (keys.len() <= MOST_TAIL_KEYS).then_some(keys)
}
