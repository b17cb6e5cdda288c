//! Reads cells of record batches by column name, whether a column is plain or a dictionary.

use super::value::{any_value, resource, scope, tail_attributes};
use crate::schema::{self, ColumnType, parse_attribute_column};
use crate::value::{Attribute, Resource, Scope, Shared, Value};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use std::collections::HashMap;
use std::sync::Arc;

/// The columns of a batch, by name. Columns that are not there read as null or zero.
pub struct Columns<'a> {
    by_name: HashMap<&'a str, &'a ArrayRef, foldhash::fast::RandomState>,
    attributes: Vec<(&'a str, ColumnType, &'a ArrayRef)>,
}

impl<'a> Columns<'a> {
    #[must_use]
    pub fn new(batch: &'a RecordBatch) -> Self {
        let (mut by_name, mut attributes) = (HashMap::default(), Vec::new());
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            match parse_attribute_column(field.name()) {
                Some((key, column_type)) => attributes.push((key, column_type, array)),
                None => drop(by_name.insert(field.name().as_str(), array)),
            }
        }
        Self { by_name, attributes }
    }

    fn cell(&self, name: &str, row: usize) -> Option<&'a ArrayRef> {
        self.by_name.get(name).copied().filter(|array| array.is_valid(row))
    }

    /// Text, null as `None`.
    #[must_use]
    pub fn text(&self, name: &str, row: usize) -> Option<&'a str> {
        text_at(self.cell(name, row)?, row)
    }

    /// Bytes, null as `None`.
    #[must_use]
    pub fn bytes(&self, name: &str, row: usize) -> Option<&'a [u8]> {
        bytes_at(self.cell(name, row)?, row)
    }

    /// An id, null as `None`.
    #[must_use]
    pub fn id<const N: usize>(&self, name: &str, row: usize) -> Option<[u8; N]> {
        bytes_at(self.cell(name, row)?, row)?.try_into().ok()
    }

    #[must_use]
    pub fn uint64(&self, name: &str, row: usize) -> Option<u64> {
        Some(self.cell(name, row)?.as_primitive_opt::<UInt64Type>()?.value(row))
    }

    #[must_use]
    pub fn uint32(&self, name: &str, row: usize) -> u32 {
        self.cell(name, row)
            .and_then(|array| array.as_primitive_opt::<UInt32Type>())
            .map_or(0, |array| array.value(row))
    }

    #[must_use]
    pub fn int32(&self, name: &str, row: usize) -> i32 {
        self.cell(name, row)
            .and_then(|array| array.as_primitive_opt::<Int32Type>())
            .map_or(0, |array| array.value(row))
    }

    #[must_use]
    pub fn int64(&self, name: &str, row: usize) -> Option<i64> {
        Some(self.cell(name, row)?.as_primitive_opt::<Int64Type>()?.value(row))
    }

    #[must_use]
    pub fn float64(&self, name: &str, row: usize) -> Option<f64> {
        Some(self.cell(name, row)?.as_primitive_opt::<Float64Type>()?.value(row))
    }

    #[must_use]
    pub fn boolean(&self, name: &str, row: usize) -> bool {
        self.cell(name, row).and_then(|array| array.as_boolean_opt()).is_some_and(|array| array.value(row))
    }

    /// A row's attributes: its columns, then its tail.
    #[must_use]
    pub fn attributes(&self, row: usize) -> Vec<Attribute> {
        let columns = self.attributes.iter().filter(|(_, _, array)| array.is_valid(row));
        let mut attributes: Vec<_> = columns
            .filter_map(|(key, column_type, array)| {
                Some(Attribute::new(*key, column_value(*column_type, array, row)?))
            })
            .collect();
        if let Some(tail) = self.bytes(schema::ATTRIBUTES_TAIL, row) {
            attributes.extend(tail_attributes(tail));
        }
        attributes
    }
}

/// Text of a cell that is not null, however the column is laid out: Parquet and DataFusion choose for themselves.
#[must_use]
pub fn text_at(array: &ArrayRef, row: usize) -> Option<&str> {
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string_opt::<i32>()?.value(row)),
        DataType::LargeUtf8 => Some(array.as_string_opt::<i64>()?.value(row)),
        DataType::Utf8View => Some(array.as_string_view_opt()?.value(row)),
        DataType::Dictionary(_, _) => {
            let (values, row) = dictionary_cell(array, row)?;
            text_at(values, row)
        }
        _ => None,
    }
}

/// Bytes of a cell that is not null, likewise.
#[must_use]
pub fn bytes_at(array: &ArrayRef, row: usize) -> Option<&[u8]> {
    match array.data_type() {
        DataType::Binary => Some(array.as_binary_opt::<i32>()?.value(row)),
        DataType::LargeBinary => Some(array.as_binary_opt::<i64>()?.value(row)),
        DataType::BinaryView => Some(array.as_binary_view_opt()?.value(row)),
        DataType::FixedSizeBinary(_) => Some(array.as_fixed_size_binary_opt()?.value(row)),
        DataType::Dictionary(_, _) => {
            let (values, row) = dictionary_cell(array, row)?;
            bytes_at(values, row)
        }
        _ => None,
    }
}

fn dictionary_cell(array: &ArrayRef, row: usize) -> Option<(&ArrayRef, usize)> {
    let dictionary = array.as_dictionary_opt::<Int32Type>()?;
    let key = dictionary.key(row).filter(|key| dictionary.values().is_valid(*key))?;
    Some((dictionary.values(), key))
}

/// The value of an attribute column in a row that is not null.
fn column_value(column_type: ColumnType, array: &ArrayRef, row: usize) -> Option<Value> {
    Some(match column_type {
        ColumnType::String => Value::String(text_at(array, row)?.to_owned()),
        ColumnType::Int => Value::Int(array.as_primitive_opt::<Int64Type>()?.value(row)),
        ColumnType::Double => Value::Double(array.as_primitive_opt::<Float64Type>()?.value(row)),
        ColumnType::Bool => Value::Bool(array.as_boolean_opt()?.value(row)),
        ColumnType::Value => any_value(bytes_at(array, row)?),
    })
}

/// Resources and scopes, each decoded once per batch and shared by its rows.
pub struct SharedColumns<'a> {
    columns: &'a Columns<'a>,
    resources: HashMap<(&'a [u8], &'a str), Shared<Resource>>,
    scopes: HashMap<(&'a [u8], &'a str), Shared<Scope>>,
}

impl<'a> SharedColumns<'a> {
    pub fn new(columns: &'a Columns<'a>) -> Self {
        Self { columns, resources: HashMap::new(), scopes: HashMap::new() }
    }

    pub fn resource(&mut self, row: usize) -> Shared<Resource> {
        let bytes = self.columns.bytes(schema::RESOURCE, row).unwrap_or_default();
        let schema_url = self.columns.text(schema::RESOURCE_SCHEMA_URL, row).unwrap_or_default();
        let decode = || Arc::new(Resource { schema_url: schema_url.to_owned(), ..resource(bytes) });
        Arc::clone(self.resources.entry((bytes, schema_url)).or_insert_with(decode))
    }

    pub fn scope(&mut self, row: usize) -> Shared<Scope> {
        let bytes = self.columns.bytes(schema::SCOPE, row).unwrap_or_default();
        let schema_url = self.columns.text(schema::SCOPE_SCHEMA_URL, row).unwrap_or_default();
        let decode = || Arc::new(Scope { schema_url: schema_url.to_owned(), ..scope(bytes) });
        Arc::clone(self.scopes.entry((bytes, schema_url)).or_insert_with(decode))
    }
}
