//! Metrics: each data point is a row; what differs between the five kinds is kept as the point's bytes.

use super::chunk::{Dictionary, Emit, Row, Rows};
use super::columns::{Columns, SharedColumns};
use super::refuse::Refusal;
use super::validate::{self, Reason, fields, text};
use super::value::{attribute, put_attributes};
use super::wire::{
    Data, Fields, Slice, put_bytes, put_fixed64, put_message, put_number, put_text, put_varint,
};
use crate::metric::{Exemplar, MetricKind, MetricPoint, Number};
use crate::{Signal, SpanId, Timestamp, TraceId, schema};
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, UInt64Builder,
};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// What the points of a metric share.
#[derive(Default, Clone, Copy)]
struct Metric<'a> {
    name: &'a str,
    description: &'a str,
    unit: &'a str,
    kind: MetricKind,
    temporality: i32,
    monotonic: bool,
}

/// A data point's own data, borrowed.
#[derive(Default)]
pub struct PointRow<'a> {
    metric: Metric<'a>,
    start: u64,
    time: u64,
    number: Option<Number>,
    count: Option<u64>,
    sum: Option<f64>,
    point: Vec<u8>,
}

pub struct MetricColumns<'a> {
    name: Dictionary<'a>,
    description: Dictionary<'a>,
    unit: Dictionary<'a>,
    kind: Int32Builder,
    temporality: Int32Builder,
    monotonic: BooleanBuilder,
    start: UInt64Builder,
    time: UInt64Builder,
    value_int: Int64Builder,
    value_double: Float64Builder,
    count: UInt64Builder,
    sum: Float64Builder,
    point: BinaryBuilder,
}

impl<'a> Rows<'a> for MetricColumns<'a> {
    const SIGNAL: Signal = Signal::Metrics;
    type Own = PointRow<'a>;

    fn read(item: Slice<'a>, row: &mut Row<'a, PointRow<'a>>, emit: &mut Emit<'_, 'a, PointRow<'a>>) {
        if let Err(reason) = read_metric(item, row, emit) {
            emit(Err(Refusal { reason, rows: Self::rows(item) }));
        }
    }

    fn rows(item: Slice<'a>) -> u64 {
        let points = |data: Data<'a>| Fields::new(data.slice()).flatten().filter(|(number, _)| *number == 1);
        let data = Fields::new(item).flatten().filter(|(number, _)| kind_of(*number).is_some()).last();
        data.map_or(1, |(_, data)| points(data).count().max(1) as u64)
    }

    fn with_capacity(rows: usize) -> Self {
        Self {
            name: Dictionary::default(),
            description: Dictionary::default(),
            unit: Dictionary::default(),
            kind: Int32Builder::with_capacity(rows),
            temporality: Int32Builder::with_capacity(rows),
            monotonic: BooleanBuilder::with_capacity(rows),
            start: UInt64Builder::with_capacity(rows),
            time: UInt64Builder::with_capacity(rows),
            value_int: Int64Builder::with_capacity(rows),
            value_double: Float64Builder::with_capacity(rows),
            count: UInt64Builder::with_capacity(rows),
            sum: Float64Builder::with_capacity(rows),
            point: BinaryBuilder::with_capacity(rows, 0),
        }
    }

    fn push(&mut self, own: &PointRow<'a>) {
        self.name.push(own.metric.name.as_bytes());
        self.description.push_text(own.metric.description);
        self.unit.push_text(own.metric.unit);
        self.kind.append_value(own.metric.kind as i32);
        self.temporality.append_value(own.metric.temporality);
        self.monotonic.append_value(own.metric.monotonic);
        self.start.append_value(own.start);
        self.time.append_value(own.time);
        self.value_int.append_option(match own.number {
            Some(Number::Int(number)) => Some(number),
            _ => None,
        });
        self.value_double.append_option(match own.number {
            Some(Number::Double(number)) => Some(number),
            _ => None,
        });
        self.count.append_option(own.count);
        self.sum.append_option(own.sum);
        self.point.append_option((!own.point.is_empty()).then_some(&own.point));
    }

    fn arrays(mut self) -> Vec<ArrayRef> {
        vec![
            self.name.finish_text(),
            self.description.finish_text(),
            self.unit.finish_text(),
            Arc::new(self.kind.finish()),
            Arc::new(self.temporality.finish()),
            Arc::new(self.monotonic.finish()),
            Arc::new(self.start.finish()),
            Arc::new(self.time.finish()),
            Arc::new(self.value_int.finish()),
            Arc::new(self.value_double.finish()),
            Arc::new(self.count.finish()),
            Arc::new(self.sum.finish()),
            Arc::new(self.point.finish()),
        ]
    }
}

/// The field of `Metric` that holds a kind's points.
const fn kind_of(field: u32) -> Option<MetricKind> {
    Some(match field {
        5 => MetricKind::Gauge,
        7 => MetricKind::Sum,
        9 => MetricKind::Histogram,
        10 => MetricKind::ExponentialHistogram,
        11 => MetricKind::Summary,
        _ => return None,
    })
}

const fn has_temporality(kind: MetricKind) -> bool {
    !matches!(kind, MetricKind::Gauge | MetricKind::Summary)
}

const fn field_of(kind: MetricKind) -> u32 {
    match kind {
        MetricKind::Gauge => 5,
        MetricKind::Sum => 7,
        MetricKind::Histogram => 9,
        MetricKind::ExponentialHistogram => 10,
        MetricKind::Summary => 11,
    }
}

fn read_metric<'a>(
    item: Slice<'a>,
    row: &mut Row<'a, PointRow<'a>>,
    emit: &mut Emit<'_, 'a, PointRow<'a>>,
) -> Result<(), Reason> {
    let mut metric = Metric::default();
    let mut points = None;
    for field in fields(item) {
        match field? {
            (1, data) => metric.name = text(data.slice(), "its name")?,
            (2, data) => metric.description = text(data.slice(), "its description")?,
            (3, data) => metric.unit = text(data.slice(), "its unit")?,
            (7 | 8, Data::Fixed64(_)) => return Err("it has the times of a span".to_owned()),
            (number, data) => points = kind_of(number).map(|kind| (kind, data.slice())).or(points),
        }
    }
    if metric.name.is_empty() {
        return Err("it has no name; every metric needs one".to_owned());
    }
    let Some((kind, data)) = points else { return Ok(()) };
    metric.kind = kind;
    for field in fields(data) {
        match field? {
            (2, data) if has_temporality(kind) => metric.temporality = data.int32(),
            (3, data) if kind == MetricKind::Sum => metric.monotonic = data.number() != 0,
            _ => {}
        }
    }
    for field in fields(data) {
        if let (1, point) = field? {
            match read_point(point.slice(), metric, row) {
                Ok(()) => emit(Ok(row)),
                Err(reason) => emit(Err(reason.into())),
            }
        }
    }
    Ok(())
}

fn read_point<'a>(
    slice: Slice<'a>,
    metric: Metric<'a>,
    row: &mut Row<'a, PointRow<'a>>,
) -> Result<(), Reason> {
    let mut point = std::mem::take(&mut row.own.point);
    point.clear();
    row.own = PointRow { metric, point, ..PointRow::default() };
    row.attributes.clear();
    (row.flags, row.dropped_attributes) = (0, 0);
    let (attributes, flags) = match metric.kind {
        MetricKind::Gauge | MetricKind::Sum | MetricKind::Summary => (7, 8),
        MetricKind::Histogram => (9, 10),
        MetricKind::ExponentialHistogram => (1, 10),
    };
    let plain = matches!(metric.kind, MetricKind::Gauge | MetricKind::Sum);
    for field in fields(slice) {
        let (number, data) = field?;
        match number {
            _ if number == attributes => row.add_attribute(data.slice())?,
            _ if number == flags => row.flags = data.number32(),
            2 => row.own.start = data.number(),
            3 => row.own.time = data.number(),
            4 if plain => row.own.number = Some(Number::Double(data.double())),
            6 if plain => row.own.number = Some(Number::Int(data.number().cast_signed())),
            _ => keep(&mut row.own, number, data, plain)?,
        }
    }
    Ok(())
}

/// The field of a point that has its exemplars.
const fn exemplars_field(kind: MetricKind) -> Option<u32> {
    match kind {
        MetricKind::Gauge | MetricKind::Sum => Some(5),
        MetricKind::Histogram => Some(8),
        MetricKind::ExponentialHistogram => Some(11),
        MetricKind::Summary => None,
    }
}

/// Keeps a field that has no column, and reads count and sum on the way. Exemplars hold attributes under 7.
fn keep(own: &mut PointRow<'_>, number: u32, data: Data<'_>, plain: bool) -> Result<(), Reason> {
    if !plain {
        match (number, data) {
            (4, Data::Fixed64(count)) => own.count = Some(count),
            (5, Data::Fixed64(sum)) => own.sum = Some(f64::from_bits(sum)),
            _ => {}
        }
    }
    if exemplars_field(own.metric.kind) == Some(number) {
        validate::message(data.slice(), &[], 7)?;
    }
    put_data(&mut own.point, number, data);
    Ok(())
}

fn put_data(out: &mut Vec<u8>, number: u32, data: Data<'_>) {
    match data {
        Data::Varint(value) => {
            put_varint(out, u64::from(number) << 3);
            put_varint(out, value);
        }
        Data::Fixed64(value) => put_fixed64(out, number, value),
        Data::Fixed32(value) => {
            put_varint(out, u64::from(number) << 3 | 5);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Data::Bytes(slice) => put_bytes(out, number, slice.bytes),
    }
}

/// The data points of these rows; see [`super::metric_points`].
pub fn owned(batch: &RecordBatch) -> Vec<MetricPoint> {
    let columns = Columns::new(batch);
    let mut shared = SharedColumns::new(&columns);
    (0..batch.num_rows()).map(|row| owned_row(&columns, &mut shared, row)).collect()
}

fn owned_row(columns: &Columns<'_>, shared: &mut SharedColumns<'_>, row: usize) -> MetricPoint {
    let text = |name| columns.text(name, row).unwrap_or_default().to_owned();
    let time = |name| Timestamp(columns.uint64(name, row).unwrap_or_default());
    let int = columns.int64(schema::VALUE_INT, row).map(Number::Int);
    MetricPoint {
        resource: shared.resource(row),
        scope: shared.scope(row),
        name: text(schema::NAME),
        description: text(schema::DESCRIPTION),
        unit: text(schema::UNIT),
        kind: kind_number(columns.int32(schema::METRIC_KIND, row)),
        temporality: columns.int32(schema::TEMPORALITY, row),
        monotonic: columns.boolean(schema::MONOTONIC, row),
        attributes: columns.attributes(row),
        start: time(schema::START),
        time: time(schema::TIME),
        flags: columns.uint32(schema::FLAGS, row),
        number: int.or_else(|| columns.float64(schema::VALUE_DOUBLE, row).map(Number::Double)),
        count: columns.uint64(schema::COUNT, row),
        sum: columns.float64(schema::SUM, row),
        wire: columns.bytes(schema::POINT, row).unwrap_or_default().to_vec(),
    }
}

/// The exemplars of a point, as they were sent.
#[must_use]
pub fn exemplars(point: &MetricPoint) -> Vec<Exemplar> {
    let Some(field) = exemplars_field(point.kind) else { return Vec::new() };
    let fields = Fields::new(Slice { bytes: &point.wire, at: 0 }).flatten();
    fields.filter(|(number, _)| *number == field).map(|(_, data)| exemplar(data.slice())).collect()
}

fn exemplar(slice: Slice<'_>) -> Exemplar {
    let mut exemplar = Exemplar::default();
    for (number, data) in Fields::new(slice).flatten() {
        match number {
            2 => exemplar.time = Timestamp(data.number()),
            3 => exemplar.number = Some(Number::Double(data.double())),
            // An id of zeros is none.
            4 => exemplar.span_id = id(data).map(SpanId),
            5 => exemplar.trace_id = id(data).map(TraceId),
            6 => exemplar.number = Some(Number::Int(data.number().cast_signed())),
            7 => exemplar.attributes.push(attribute(data)),
            _ => {}
        }
    }
    exemplar
}

fn id<const N: usize>(data: Data<'_>) -> Option<[u8; N]> {
    data.slice().bytes.try_into().ok().filter(|id| *id != [0; N])
}

const fn kind_number(number: i32) -> MetricKind {
    match number {
        1 => MetricKind::Sum,
        2 => MetricKind::Histogram,
        3 => MetricKind::ExponentialHistogram,
        4 => MetricKind::Summary,
        _ => MetricKind::Gauge,
    }
}

/// Appends the fields of a `Metric` message with this one point.
pub fn put_metric(out: &mut Vec<u8>, point: &MetricPoint) {
    put_text(out, 1, &point.name);
    put_text(out, 2, &point.description);
    put_text(out, 3, &point.unit);
    put_message(out, field_of(point.kind), |data| {
        put_message(data, 1, |out| put_point(out, point));
        if has_temporality(point.kind) {
            put_number(data, 2, u64::from(point.temporality.cast_unsigned()));
        }
        if point.kind == MetricKind::Sum {
            put_number(data, 3, u64::from(point.monotonic));
        }
    });
}

fn put_point(out: &mut Vec<u8>, point: &MetricPoint) {
    let (attributes, flags) = match point.kind {
        MetricKind::Gauge | MetricKind::Sum | MetricKind::Summary => (7, 8),
        MetricKind::Histogram => (9, 10),
        MetricKind::ExponentialHistogram => (1, 10),
    };
    put_attributes(out, attributes, &point.attributes);
    put_fixed64(out, 2, point.start.0);
    put_fixed64(out, 3, point.time.0);
    put_number(out, flags, u64::from(point.flags));
    match point.number {
        Some(Number::Int(number)) => put_fixed64(out, 6, number.cast_unsigned()),
        Some(Number::Double(number)) => put_fixed64(out, 4, number.to_bits()),
        None => {}
    }
    out.extend_from_slice(&point.wire);
}
