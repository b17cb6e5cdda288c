//! Brings batches with different attribute columns into one schema.
//!
//! The schema has the signal's fixed columns, then the attribute columns that are common enough, at most
//! [`MOST_ATTRIBUTE_COLUMNS`]; attributes of other columns go into the tail.

use crate::error::Error;
use crate::statistics;
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use model::otlp::attributes::column_entry;
use model::schema::ColumnType;
use model::{Signal, otlp, schema};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

const MOST_ATTRIBUTE_COLUMNS: usize = 256;
/// A list of keys is kept while it is no longer than this; no list means "any key".
const MOST_KEYS: usize = 4096;

/// Text and bytes of which a value takes this many bytes on average are long: content rather than a name.
const LONG: u64 = 128;

/// How many values of a column are looked at to see whether they repeat, and of how many it can be told.
const SAMPLE: usize = 128;
const SAMPLED_BATCHES: usize = 16;
const FEWEST_SAMPLED: u64 = 16;

/// Rows that go into a layout: their columns, and how much is in each.
pub(crate) struct Part {
    schema: SchemaRef,
    columns: Vec<Filled>,
    /// The attribute keys of all resources; `None` when they were not looked at.
    resource_keys: Option<BTreeSet<String>>,
}

/// How much is in a column.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filled {
    pub(crate) values: u64,
    /// Of text and bytes.
    pub(crate) bytes: u64,
    /// Of some values of text and bytes: how many were looked at, and how many of those were the only one of their kind.
    pub(crate) sampled: u64,
    pub(crate) different: u64,
}

impl Part {
    pub(crate) fn new(schema: SchemaRef, columns: Vec<Filled>) -> Self {
        let listed = schema.metadata().get(schema::RESOURCE_KEYS);
        let resource_keys = listed.and_then(|keys| serde_json::from_str(keys).ok());
        Self { schema, columns, resource_keys }
    }

    /// Batches that are to be sealed: their resources are looked at, each once, and whether values repeat.
    pub(crate) fn of_hot(batches: &[&RecordBatch]) -> Vec<Self> {
        let mut seen = HashSet::<&[u8], foldhash::fast::RandomState>::default();
        let step = batches.len().div_ceil(SAMPLED_BATCHES).max(1);
        let part = |(number, batch): (usize, &&'_ RecordBatch)| {
            let mut part = Self::of_batch(batch);
            if number % step == 0 {
                part.look_for_unique(batch);
            }
            part
        };
        let mut parts: Vec<Self> = batches.iter().enumerate().map(part).collect();
        for (batch, part) in batches.iter().zip(&mut parts) {
            let resources = statistics::dictionary(batch.column_by_name(schema::RESOURCE));
            let values = resources.and_then(|resources| resources.values().as_binary_opt::<i32>());
            let new = values.into_iter().flatten().flatten().filter(|bytes| seen.insert(bytes));
            let attributes = new.flat_map(|bytes| otlp::resource(bytes).attributes);
            part.resource_keys = Some(attributes.map(|attribute| attribute.key).collect());
        }
        parts
    }

    fn look_for_unique(&mut self, batch: &RecordBatch) {
        for (column, filled) in batch.columns().iter().zip(&mut self.columns) {
            let (sampled, different) = repeating(column);
            (filled.sampled, filled.different) = (sampled, different);
        }
    }

    pub(crate) fn of_batch(batch: &RecordBatch) -> Self {
        let bytes = |column: &ArrayRef| match column.data_type() {
            DataType::Utf8 => length(column.as_string::<i32>().value_offsets()),
            DataType::Binary => length(column.as_binary::<i32>().value_offsets()),
            _ => 0,
        };
        let filled = |column: &ArrayRef| {
            let values = (column.len() - column.null_count()) as u64;
            Filled { values, bytes: bytes(column), ..Filled::default() }
        };
        Self {
            schema: batch.schema(),
            columns: batch.columns().iter().map(filled).collect(),
            resource_keys: None,
        }
    }

    fn fields(&self) -> impl Iterator<Item = (&FieldRef, Filled)> {
        self.schema.fields().iter().zip(self.columns.iter().copied())
    }
}

/// One schema for several parts.
pub(crate) struct Layout {
    pub(crate) schema: SchemaRef,
    /// The columns of long text and bytes.
    pub(crate) long: Vec<String>,
    /// The columns of other text and bytes whose values hardly ever come twice.
    pub(crate) unique: Vec<String>,
    /// Of the columns.
    names: HashSet<String, foldhash::fast::RandomState>,
}

impl Layout {
    /// A schema for these parts in which an attribute column has at least `fewest` values.
    pub(crate) fn plan(signal: Signal, parts: &[Part], fewest: u64) -> Self {
        let mut fixed: Vec<FieldRef> = schema::fixed_fields(signal);
        let mut attributes: Vec<(FieldRef, u64)> = Vec::new();
        let mut places: HashMap<&str, usize, foldhash::fast::RandomState> = HashMap::default();
        for (field, filled) in parts.iter().flat_map(Part::fields) {
            let is_attribute = schema::parse_attribute_column(field.name()).is_some();
            if !is_attribute && !fixed.iter().any(|known| known.name() == field.name()) {
                fixed.push(Arc::new(field.as_ref().clone().with_nullable(true)));
            }
            if is_attribute {
                let place = *places.entry(field.name()).or_insert(attributes.len());
                match attributes.get_mut(place) {
                    Some((_, total)) => *total += filled.values,
                    None => attributes.push((Arc::clone(field), filled.values)),
                }
            }
        }
        let (kept, folded) = choose(attributes, fewest);
        let lists =
            [(schema::TAIL_KEYS, tail_keys(parts, &folded)), (schema::RESOURCE_KEYS, resource_keys(parts))];
        let metadata = lists.into_iter().filter_map(|(name, keys)| {
            Some((
                name.to_owned(),
                serde_json::to_string(&keys.filter(|keys| keys.len() <= MOST_KEYS)?).ok()?,
            ))
        });
        fixed.extend(kept);
        let schema = Arc::new(Schema::new_with_metadata(fixed, metadata.collect()));
        let total = total(parts);
        let columns = |has: fn(&Filled) -> bool| {
            let names = schema.fields().iter().map(|field| field.name());
            names.filter(|name| total.get(name.as_str()).is_some_and(has)).cloned().collect()
        };
        let (long, unique) = (columns(Filled::is_long), columns(Filled::is_unique));
        let names = schema.fields().iter().map(|field| field.name().clone()).collect();
        Self { schema, long, unique, names }
    }

    /// The batch with this layout's columns.
    pub(crate) fn arrange(&self, batch: &RecordBatch, nulls: &mut Nulls) -> Result<RecordBatch, Error> {
        let tail = self.tail(batch)?;
        let names = batch.schema_ref().fields().iter().map(|field| field.name().as_str());
        let here: HashMap<&str, &ArrayRef, foldhash::fast::RandomState> =
            names.zip(batch.columns()).collect();
        let column = |field: &FieldRef| match (here.get(field.name().as_str()), &tail) {
            (Some(_), Some(tail)) if field.name() == schema::ATTRIBUTES_TAIL => Arc::clone(tail),
            (Some(column), _) => Arc::clone(*column),
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
            .filter(|(field, _)| !self.names.contains(field.name()))
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

/// The keys in the tail of any of the parts, or folded now; `None` when they are not known.
fn tail_keys(parts: &[Part], folded: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let mut keys = folded.clone();
    for part in parts {
        let tail = part.fields().find(|(field, _)| field.name() == schema::ATTRIBUTES_TAIL);
        if tail.is_none_or(|(_, filled)| filled.values == 0) {
            continue;
        }
        let listed = part.schema.metadata().get(schema::TAIL_KEYS)?;
        keys.extend(serde_json::from_str::<Vec<String>>(listed).ok()?);
    }
    Some(keys)
}

/// The keys of any resource of the parts; `None` when they are not known.
fn resource_keys(parts: &[Part]) -> Option<BTreeSet<String>> {
    parts.iter().try_fold(BTreeSet::new(), |mut keys, part| {
        keys.extend(part.resource_keys.clone()?);
        Some(keys)
    })
}

fn length(offsets: &[i32]) -> u64 {
    let ends = offsets.first().zip(offsets.last());
    ends.map_or(0, |(first, last)| u64::from(last.abs_diff(*first)))
}

/// What all parts together have of each column.
fn total(parts: &[Part]) -> HashMap<&str, Filled, foldhash::fast::RandomState> {
    let mut total: HashMap<&str, Filled, foldhash::fast::RandomState> = HashMap::default();
    for (field, filled) in parts.iter().flat_map(Part::fields) {
        let entry = total.entry(field.name()).or_default();
        entry.values += filled.values;
        entry.bytes += filled.bytes;
        entry.sampled += filled.sampled;
        entry.different += filled.different;
    }
    total
}

impl Filled {
    const fn is_long(&self) -> bool {
        self.values > 0 && self.bytes / self.values >= LONG
    }

    /// Whether values hardly ever come twice, as those of an id.
    const fn is_unique(&self) -> bool {
        self.sampled >= FEWEST_SAMPLED && self.different * 10 > self.sampled * 9 && !self.is_long()
    }
}

/// Of some values from all over the column: how many there are, and how many different ones.
fn repeating(column: &ArrayRef) -> (u64, u64) {
    let value = |row| match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => Some(column.as_binary::<i32>().value(row)),
        _ => None,
    };
    let step = column.len().div_ceil(SAMPLE).max(1);
    let rows = (0..column.len()).step_by(step).filter(|row| column.is_valid(*row));
    let (mut sampled, mut different) = (0, HashSet::<&[u8], foldhash::fast::RandomState>::default());
    for value in rows.filter_map(value) {
        sampled += 1;
        different.insert(value);
    }
    (sampled, different.len() as u64)
}
