//! Rows of many batches in another order, a portion at a time.
//!
//! Rows that follow each other in a batch mostly do so in the block too, because both have those of a trace together;
//! such a run is copied at once. Dictionaries are united once for all portions.

use super::order::Place;
use crate::error::Error;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanBufferBuilder, BufferBuilder, DictionaryArray,
    FixedSizeBinaryArray, GenericByteArray, Int32Array, PrimitiveArray, downcast_primitive, new_empty_array,
};
use arrow::buffer::{MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{cast, concat, interleave};
use arrow::datatypes::{BinaryType, ByteArrayType, DataType, Int32Type, SchemaRef, Utf8Type};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::collections::HashMap;
use std::sync::Arc;

/// Batches of one schema, by column.
pub(super) struct Gather {
    schema: SchemaRef,
    columns: Vec<Column>,
}

/// A column's arrays, one of each batch.
struct Column {
    arrays: Vec<ArrayRef>,
    /// When the arrays are keys into a dictionary.
    values: Option<ArrayRef>,
}

/// Neighbouring rows of one batch.
struct Run {
    batch: usize,
    start: usize,
    end: usize,
}

impl Gather {
    pub(super) fn new(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self, Error> {
        let column = |number: usize| {
            let arrays: Vec<ArrayRef> =
                batches.iter().map(|batch| Arc::clone(batch.column(number))).collect();
            match schema.field(number).data_type() {
                DataType::Dictionary(_, values) => unite(&arrays, values),
                _ => Ok(Column { arrays, values: None }),
            }
        };
        let columns = (0..schema.fields().len()).map(column).collect::<Result<_, _>>()?;
        Ok(Self { schema: Arc::clone(schema), columns })
    }

    /// The rows at these places.
    pub(super) fn rows(&self, places: &[Place]) -> Result<RecordBatch, Error> {
        let runs = runs(places);
        let columns = self.columns.iter().map(|column| column.rows(places, &runs));
        let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
        let columns = columns.collect::<Result<_, _>>()?;
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

fn runs(places: &[Place]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &(batch, row) in places {
        match runs.last_mut() {
            Some(run) if run.batch == batch && run.end == row => run.end += 1,
            _ => runs.push(Run { batch, start: row, end: row + 1 }),
        }
    }
    runs
}

impl Column {
    fn rows(&self, places: &[Place], runs: &[Run]) -> Result<ArrayRef, Error> {
        let gathered = gather(&self.arrays, places, runs)?;
        Ok(match &self.values {
            Some(values) => {
                let keys = gathered.as_primitive::<Int32Type>().clone();
                Arc::new(DictionaryArray::try_new(keys, Arc::clone(values))?)
            }
            None => gathered,
        })
    }
}

fn gather(arrays: &[ArrayRef], places: &[Place], runs: &[Run]) -> Result<ArrayRef, Error> {
    let Some(first) = arrays.first() else { return Ok(interleave(&[], places)?) };
    macro_rules! primitive {
        ($primitive:ty) => {
            primitives::<$primitive>(&typed(arrays, AsArray::as_primitive), first.data_type(), runs)
        };
    }
    Ok(downcast_primitive! {
        first.data_type() => (primitive),
        DataType::Utf8 => texts::<Utf8Type>(&typed(arrays, AsArray::as_bytes), runs)?,
        DataType::Binary => texts::<BinaryType>(&typed(arrays, AsArray::as_bytes), runs)?,
        DataType::FixedSizeBinary(size) => ids(&typed(arrays, AsArray::as_fixed_size_binary), *size, runs)?,
        _ => interleave(&typed(arrays, AsRef::as_ref), places)?,
    })
}

fn typed<'a, T: ?Sized>(arrays: &'a [ArrayRef], of: impl Fn(&'a ArrayRef) -> &'a T) -> Vec<&'a T> {
    arrays.iter().map(of).collect()
}

fn primitives<T: ArrowPrimitiveType>(
    arrays: &[&PrimitiveArray<T>],
    data_type: &DataType,
    runs: &[Run],
) -> ArrayRef {
    let mut values = BufferBuilder::<T::Native>::new(rows(runs));
    for run in runs {
        values.append_slice(&arrays[run.batch].values()[run.start..run.end]);
    }
    let values = ScalarBuffer::from(values.finish());
    Arc::new(PrimitiveArray::<T>::new(values, nulls(arrays, runs)).with_data_type(data_type.clone()))
}

fn texts<T: ByteArrayType<Offset = i32>>(
    arrays: &[&GenericByteArray<T>],
    runs: &[Run],
) -> Result<ArrayRef, Error> {
    let mut offsets: Vec<i32> = Vec::with_capacity(rows(runs) + 1);
    let length = |run: &Run| {
        let offsets = arrays[run.batch].value_offsets();
        offsets[run.end].abs_diff(offsets[run.start]) as usize
    };
    let mut values = MutableBuffer::new(runs.iter().map(length).sum());
    offsets.push(0);
    for run in runs {
        let array = arrays[run.batch];
        let from = &array.value_offsets()[run.start..=run.end];
        let (Some(first), Some(last)) = (from.first(), from.last()) else { continue };
        let moved = offset(values.len())?.wrapping_sub(*first);
        offset(values.len() + last.abs_diff(*first) as usize)?;
        offsets.extend(from.iter().skip(1).map(|offset| offset.wrapping_add(moved)));
        values.extend_from_slice(&array.value_data()[index(*first)..index(*last)]);
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(GenericByteArray::<T>::try_new(offsets, values.into(), nulls(arrays, runs))?))
}

fn ids(arrays: &[&FixedSizeBinaryArray], size: i32, runs: &[Run]) -> Result<ArrayRef, Error> {
    let length = index(size);
    let mut values = MutableBuffer::new(rows(runs) * length);
    for run in runs {
        values.extend_from_slice(&arrays[run.batch].value_data()[run.start * length..run.end * length]);
    }
    Ok(Arc::new(FixedSizeBinaryArray::try_new(size, values.into(), nulls(arrays, runs))?))
}

fn nulls<A: Array>(arrays: &[&A], runs: &[Run]) -> Option<NullBuffer> {
    if arrays.iter().all(|array| array.null_count() == 0) {
        return None;
    }
    let mut valid = BooleanBufferBuilder::new(rows(runs));
    for run in runs {
        match arrays[run.batch].nulls() {
            Some(nulls) => {
                let range = nulls.offset() + run.start..nulls.offset() + run.end;
                valid.append_packed_range(range, nulls.validity());
            }
            None => valid.append_n(run.end - run.start, true),
        }
    }
    Some(NullBuffer::new(valid.finish())).filter(|nulls| nulls.null_count() > 0)
}

fn rows(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.end - run.start).sum()
}

fn index(offset: i32) -> usize {
    usize::try_from(offset).unwrap_or(0)
}

fn offset(length: usize) -> Result<i32, arrow::error::ArrowError> {
    i32::try_from(length).map_err(|_| arrow::error::ArrowError::OffsetOverflowError(length))
}

/// One dictionary in which every value is once, and what each array's keys are in it.
fn unite(arrays: &[ArrayRef], values_type: &DataType) -> Result<Column, Error> {
    let dictionaries: Vec<_> =
        arrays.iter().filter_map(|array| array.as_dictionary_opt::<Int32Type>()).collect();
    let mut known: HashMap<Vec<u8>, i32, foldhash::fast::RandomState> = HashMap::default();
    let mut kept: Vec<ArrayRef> = Vec::new();
    let mut keys: Vec<ArrayRef> = Vec::with_capacity(dictionaries.len());
    for dictionary in dictionaries {
        let bytes = cast(dictionary.values(), &DataType::Binary)?;
        let mut mapping = Vec::with_capacity(bytes.len());
        for (place, value) in bytes.as_binary::<i32>().iter().enumerate() {
            mapping.push(value.map(|value| {
                let next = i32::try_from(known.len()).unwrap_or(i32::MAX);
                known.get(value).copied().unwrap_or_else(|| {
                    known.insert(value.to_owned(), next);
                    kept.push(dictionary.values().slice(place, 1));
                    next
                })
            }));
        }
        let mapped = dictionary.keys().iter().map(|key| mapping.get(usize::try_from(key?).ok()?).copied()?);
        keys.push(Arc::new(mapped.collect::<Int32Array>()));
    }
    let kept: Vec<&dyn Array> = kept.iter().map(AsRef::as_ref).collect();
    let values = if kept.is_empty() { new_empty_array(values_type) } else { concat(&kept)? };
    Ok(Column { arrays: keys, values: Some(values) })
}
