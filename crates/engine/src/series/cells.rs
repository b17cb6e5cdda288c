//! The cells of a batch of data points, without owned values.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use model::metric::MetricKind;
use model::otlp::columns::{bytes_at, text_at};
use model::schema::{self, ColumnType, parse_attribute_column};

/// OTLP's flag `FLAG_NO_RECORDED_VALUE`.
const NO_RECORDED_VALUE: u32 = 1;
/// OTLP's `AGGREGATION_TEMPORALITY_DELTA`.
const DELTA: i32 = 1;

/// The columns that points are read from, beside those of attributes.
pub const COLUMNS: [&str; 17] = [
    schema::NAME,
    schema::UNIT,
    schema::METRIC_KIND,
    schema::TEMPORALITY,
    schema::MONOTONIC,
    schema::START,
    schema::TIME,
    schema::FLAGS,
    schema::VALUE_INT,
    schema::VALUE_DOUBLE,
    schema::COUNT,
    schema::SUM,
    schema::POINT,
    schema::RESOURCE,
    schema::SCOPE,
    schema::SERVICE,
    schema::ATTRIBUTES_TAIL,
];

/// The columns of a batch.
pub struct Cells<'a> {
    name: Option<&'a ArrayRef>,
    unit: Option<&'a ArrayRef>,
    resource: Option<&'a ArrayRef>,
    scope: Option<&'a ArrayRef>,
    point: Option<&'a ArrayRef>,
    tail: Option<&'a ArrayRef>,
    kind: Option<&'a PrimitiveArray<Int32Type>>,
    temporality: Option<&'a PrimitiveArray<Int32Type>>,
    monotonic: Option<&'a BooleanArray>,
    start: Option<&'a PrimitiveArray<UInt64Type>>,
    time: Option<&'a PrimitiveArray<UInt64Type>>,
    flags: Option<&'a PrimitiveArray<UInt32Type>>,
    int: Option<&'a PrimitiveArray<Int64Type>>,
    double: Option<&'a PrimitiveArray<Float64Type>>,
    count: Option<&'a PrimitiveArray<UInt64Type>>,
    sum: Option<&'a PrimitiveArray<Float64Type>>,
    attributes: Vec<(u16, ColumnType, &'a ArrayRef)>,
}

fn numbers<'a, T: ArrowPrimitiveType>(batch: &'a RecordBatch, name: &str) -> Option<&'a PrimitiveArray<T>> {
    batch.column_by_name(name)?.as_primitive_opt::<T>()
}

fn number<T: ArrowPrimitiveType>(column: Option<&PrimitiveArray<T>>, row: usize) -> Option<T::Native> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

impl<'a> Cells<'a> {
    pub fn new(batch: &'a RecordBatch) -> Self {
        let fields = batch.schema_ref().fields().iter().zip(batch.columns()).zip(0u16..);
        let attribute = |((field, array), index): ((&arrow::datatypes::FieldRef, &'a ArrayRef), u16)| {
            parse_attribute_column(field.name()).map(|(_, column_type)| (index, column_type, array))
        };
        Self {
            name: batch.column_by_name(schema::NAME),
            unit: batch.column_by_name(schema::UNIT),
            resource: batch.column_by_name(schema::RESOURCE),
            scope: batch.column_by_name(schema::SCOPE),
            point: batch.column_by_name(schema::POINT),
            tail: batch.column_by_name(schema::ATTRIBUTES_TAIL),
            kind: numbers(batch, schema::METRIC_KIND),
            temporality: numbers(batch, schema::TEMPORALITY),
            monotonic: batch.column_by_name(schema::MONOTONIC).and_then(|column| column.as_boolean_opt()),
            start: numbers(batch, schema::START),
            time: numbers(batch, schema::TIME),
            flags: numbers(batch, schema::FLAGS),
            int: numbers(batch, schema::VALUE_INT),
            double: numbers(batch, schema::VALUE_DOUBLE),
            count: numbers(batch, schema::COUNT),
            sum: numbers(batch, schema::SUM),
            attributes: fields.filter_map(attribute).collect(),
        }
    }

    fn text(column: Option<&'a ArrayRef>, row: usize) -> &'a str {
        column
            .filter(|column| column.is_valid(row))
            .and_then(|column| text_at(column, row))
            .unwrap_or_default()
    }

    fn bytes(column: Option<&'a ArrayRef>, row: usize) -> &'a [u8] {
        column
            .filter(|column| column.is_valid(row))
            .and_then(|column| bytes_at(column, row))
            .unwrap_or_default()
    }

    pub fn name(&self, row: usize) -> &'a str {
        Self::text(self.name, row)
    }

    pub fn unit(&self, row: usize) -> &'a str {
        Self::text(self.unit, row)
    }

    pub fn resource(&self, row: usize) -> &'a [u8] {
        Self::bytes(self.resource, row)
    }

    pub fn scope(&self, row: usize) -> &'a [u8] {
        Self::bytes(self.scope, row)
    }

    pub fn point(&self, row: usize) -> &'a [u8] {
        Self::bytes(self.point, row)
    }

    pub fn kind(&self, row: usize) -> MetricKind {
        match number(self.kind, row) {
            Some(1) => MetricKind::Sum,
            Some(2) => MetricKind::Histogram,
            Some(3) => MetricKind::ExponentialHistogram,
            Some(4) => MetricKind::Summary,
            _ => MetricKind::Gauge,
        }
    }

    pub fn is_delta(&self, row: usize) -> bool {
        number(self.temporality, row) == Some(DELTA)
    }

    pub fn is_monotonic(&self, row: usize) -> bool {
        self.monotonic.is_some_and(|column| column.is_valid(row) && column.value(row))
    }

    pub fn start(&self, row: usize) -> u64 {
        number(self.start, row).unwrap_or_default()
    }

    pub fn time(&self, row: usize) -> u64 {
        number(self.time, row).unwrap_or_default()
    }

    /// Whether the point says that there is no value any more.
    pub fn is_stale(&self, row: usize) -> bool {
        number(self.flags, row).is_some_and(|flags| flags & NO_RECORDED_VALUE != 0)
    }

    pub fn value(&self, row: usize) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
        let int = number(self.int, row).map(|int| int as f64);
        int.or_else(|| number(self.double, row))
    }

    pub fn count(&self, row: usize) -> u64 {
        number(self.count, row).unwrap_or_default()
    }

    pub fn sum(&self, row: usize) -> Option<f64> {
        number(self.sum, row)
    }

    /// Appends bytes that are the same for two rows of batches of the same schema when their attributes are.
    pub fn put_attributes(&self, row: usize, key: &mut Vec<u8>) {
        for (index, column_type, array) in &self.attributes {
            if array.is_null(row) {
                continue;
            }
            key.extend_from_slice(&index.to_le_bytes());
            match column_type {
                ColumnType::String => put_bytes(key, text_at(array, row).unwrap_or_default().as_bytes()),
                ColumnType::Value => put_bytes(key, bytes_at(array, row).unwrap_or_default()),
                ColumnType::Int => put_number(key, number(array.as_primitive_opt::<Int64Type>(), row)),
                ColumnType::Double => {
                    let double = number(array.as_primitive_opt::<Float64Type>(), row);
                    put_number(key, double.map(|double| double.to_bits().cast_signed()));
                }
                ColumnType::Bool => {
                    let yes = array.as_boolean_opt().is_some_and(|array| array.value(row));
                    key.push(u8::from(yes));
                }
            }
        }
        let tail = Self::bytes(self.tail, row);
        if !tail.is_empty() {
            key.extend_from_slice(&u16::MAX.to_le_bytes());
            key.extend_from_slice(tail);
        }
    }
}

fn put_bytes(key: &mut Vec<u8>, bytes: &[u8]) {
    key.extend_from_slice(&bytes.len().to_le_bytes());
    key.extend_from_slice(bytes);
}

fn put_number(key: &mut Vec<u8>, number: Option<i64>) {
    key.extend_from_slice(&number.unwrap_or_default().to_le_bytes());
}
