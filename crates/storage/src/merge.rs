//! Makes one batch of several: unites their attribute columns, sorts, and drops spans that were sent again.

use crate::Error;
use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{concat, take};
use arrow::datatypes::{FieldRef, Schema, UInt64Type};
use model::Signal;
use model::otlp::attributes::column_entry;
use model::schema::{self, ColumnType, attribute_field, fixed_fields, parse_attribute_column};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The most attribute columns of a block; the rarest fold into the tail.
const MAX_COLUMNS: usize = 256;
/// A column must be filled in at least one of this many rows, in batches of more rows than `SMALL`.
const RARE: usize = 64;
const SMALL: usize = 64;
/// The most tail keys that are listed.
const MAX_TAIL_KEYS: usize = 1_000;

type Key<'a> = (&'a str, ColumnType);

/// All rows of these batches of one signal, in order.
pub fn concatenate(signal: Signal, batches: &[&RecordBatch]) -> Result<RecordBatch, Error> {
    let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    let (kept, rare) = choose_columns(batches, rows);
    let fixed = fixed_fields(signal);
    let mut arrays = Vec::with_capacity(fixed.len() + kept.len());
    for field in &fixed {
        if field.name() == schema::ATTRIBUTES_TAIL {
            arrays.push(tail(batches, &rare)?);
        } else {
            arrays.push(united(batches, field)?);
        }
    }
    let mut fields = fixed;
    for (key, column_type) in &kept {
        let field = attribute_field(key, *column_type);
        arrays.push(united(batches, &field)?);
        fields.push(field);
    }
    let metadata = tail_keys(batches, &rare);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields).with_metadata(metadata)), arrays)?)
}

fn choose_columns<'a>(batches: &[&'a RecordBatch], rows: usize) -> (Vec<Key<'a>>, BTreeSet<Key<'a>>) {
    let mut filled: BTreeMap<Key<'a>, usize> = BTreeMap::new();
    for batch in batches {
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if let Some(key) = parse_attribute_column(field.name()) {
                *filled.entry(key).or_default() += array.len() - array.null_count();
            }
        }
    }
    let mut by_use: Vec<_> = filled.into_iter().collect();
    by_use.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
    let common = |count: usize| rows <= SMALL || count * RARE >= rows;
    let number = by_use.iter().take(MAX_COLUMNS).take_while(|(_, count)| common(*count)).count();
    let rare = by_use.split_off(number).into_iter().map(|(key, _)| key).collect();
    let mut kept: Vec<_> = by_use.into_iter().map(|(key, _)| key).collect();
    kept.sort_unstable();
    (kept, rare)
}

fn united(batches: &[&RecordBatch], field: &FieldRef) -> Result<ArrayRef, Error> {
    let parts: Vec<ArrayRef> = batches
        .iter()
        .map(|batch| match batch.column_by_name(field.name()) {
            Some(array) => Arc::clone(array),
            None => new_null_array(field.data_type(), batch.num_rows()),
        })
        .collect();
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(concat(&parts)?)
}

/// The tails with the values of rare columns before them.
fn tail(batches: &[&RecordBatch], rare: &BTreeSet<Key<'_>>) -> Result<ArrayRef, Error> {
    let mut builder = BinaryBuilder::new();
    let mut entry = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch.schema_ref().fields().iter().zip(batch.columns()).collect();
        let folded: Vec<_> = columns
            .into_iter()
            .filter_map(|(field, array)| Some((parse_attribute_column(field.name())?, array)))
            .filter(|(key, _)| rare.contains(key))
            .collect();
        let tail =
            batch.column_by_name(schema::ATTRIBUTES_TAIL).and_then(|array| array.as_binary_opt::<i32>());
        for row in 0..batch.num_rows() {
            entry.clear();
            for ((key, column_type), array) in &folded {
                column_entry(&mut entry, key, *column_type, array, row);
            }
            if let Some(tail) = tail.filter(|tail| tail.is_valid(row)) {
                entry.extend_from_slice(tail.value(row));
            }
            builder.append_option((!entry.is_empty()).then_some(&entry));
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn tail_keys(batches: &[&RecordBatch], rare: &BTreeSet<Key<'_>>) -> HashMap<String, String> {
    let mut keys: BTreeSet<String> = rare.iter().map(|(key, _)| (*key).to_owned()).collect();
    for batch in batches {
        let listed = batch.schema_ref().metadata().get(schema::TAIL_KEYS);
        match listed.and_then(|json| serde_json::from_str::<Vec<String>>(json).ok()) {
            Some(listed) => keys.extend(listed),
            None => return HashMap::new(),
        }
    }
    if keys.len() > MAX_TAIL_KEYS {
        return HashMap::new();
    }
    let json = serde_json::Value::from(keys.into_iter().collect::<Vec<_>>()).to_string();
    HashMap::from([(schema::TAIL_KEYS.to_owned(), json)])
}

/// The rows in the order of blocks: spans by trace and start, log records by trace and time, data points by name and time.
/// Of spans with the same trace and span id, the one that ended last stays; of several such, the last sent.
pub fn sort(signal: Signal, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let order = match signal {
        Signal::Traces => without_resent(batch, by_id(batch, schema::START)),
        Signal::Logs => by_id(batch, schema::TIME),
        Signal::Metrics => by_name(batch),
    };
    let order = UInt32Array::from(order);
    let columns: Result<Vec<_>, _> =
        batch.columns().iter().map(|column| take(column, &order, None)).collect();
    Ok(RecordBatch::try_new(batch.schema(), columns?)?)
}

fn row_numbers(batch: &RecordBatch) -> Vec<u32> {
    (0..u32::try_from(batch.num_rows()).unwrap_or(u32::MAX)).collect()
}

fn time(batch: &RecordBatch, name: &str, row: u32) -> u64 {
    let array = batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<UInt64Type>());
    array.map_or(0, |array| array.value(row as usize))
}

fn id<'a>(batch: &'a RecordBatch, name: &str, row: u32) -> &'a [u8] {
    let array = batch.column_by_name(name).and_then(|array| array.as_fixed_size_binary_opt());
    array.filter(|array| array.is_valid(row as usize)).map_or(&[], |array| array.value(row as usize))
}

/// Rows without a trace come last, for `false` is less than `true`.
fn by_id(batch: &RecordBatch, time_column: &str) -> Vec<u32> {
    let mut keyed: Vec<(bool, [u8; 16], u64, u32)> = row_numbers(batch)
        .into_iter()
        .map(|row| {
            let trace = <[u8; 16]>::try_from(id(batch, schema::TRACE_ID, row));
            (trace.is_err(), trace.unwrap_or_default(), time(batch, time_column, row), row)
        })
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, _, row)| row).collect()
}

fn by_name(batch: &RecordBatch) -> Vec<u32> {
    let columns = model::otlp::columns::Columns::new(batch);
    let mut rows = row_numbers(batch);
    rows.sort_by_cached_key(|row| {
        let name = columns.text(schema::NAME, *row as usize).unwrap_or_default();
        (name, time(batch, schema::TIME, *row))
    });
    rows
}

/// Trace id and span id.
type SpanKey<'a> = (&'a [u8], &'a [u8]);

fn without_resent(batch: &RecordBatch, order: Vec<u32>) -> Vec<u32> {
    let mut best: HashMap<SpanKey<'_>, (u64, u32), foldhash::fast::RandomState> = HashMap::default();
    for row in &order {
        let key = (id(batch, schema::TRACE_ID, *row), id(batch, schema::SPAN_ID, *row));
        let rank = (time(batch, schema::END, *row), *row);
        best.entry(key).and_modify(|known| *known = rank.max(*known)).or_insert(rank);
    }
    if best.len() == order.len() {
        return order;
    }
    let keep: std::collections::HashSet<u32> = best.into_values().map(|(_, row)| row).collect();
    order.into_iter().filter(|row| keep.contains(row)).collect()
}

/// A schema from what the catalog keeps of it: the signal's fixed columns, these attribute columns, this metadata.
pub fn schema_of(signal: Signal, attribute_columns: &[String], metadata: HashMap<String, String>) -> Schema {
    let mut fields = fixed_fields(signal);
    let attributes = attribute_columns.iter().filter_map(|name| parse_attribute_column(name));
    fields.extend(attributes.map(|(key, column_type)| attribute_field(key, column_type)));
    Schema::new(fields).with_metadata(metadata)
}
