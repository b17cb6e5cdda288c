//! Telemetry as a Parquet file that any tool can read: a row for each span, record or point, with the columns that people
//! ask for first, and beside them the whole item as OTLP's JSON, which is what is read back.

use super::{Request, Unreadable, reading};
use crate::failure::Failure;
use anyhow::Context;
use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, TimestampNanosecondArray,
};
use arrow::record_batch::RecordBatch;
use model::metric::Number;
use model::value::Resource;
use model::{Attribute, Batch, LogRecord, MetricPoint, Signal, Span, TenantId, Timestamp, Value, otlp};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// The column that has everything.
const WHOLE: &str = "otlp";

/// Writes requests to a Parquet file.
pub struct Writer<W: Write + Send> {
    out: Option<W>,
    file: Option<ArrowWriter<W>>,
    pub rows: u64,
}

impl<W: Write + Send> Writer<W> {
    pub const fn new(out: W) -> Self {
        Self { out: Some(out), file: None, rows: 0 }
    }

    /// Adds what a request has.
    pub fn write(&mut self, signal: Signal, wire: Vec<u8>) -> anyhow::Result<()> {
        let encoding = model::batch::Encoding::Protobuf;
        let batch = otlp::decode(TenantId::default(), signal, encoding, wire.into())?;
        let rows = rows(signal, &batch)?;
        self.rows += rows.num_rows() as u64;
        if let Some(out) = self.out.take() {
            let compression = Compression::ZSTD(ZstdLevel::try_new(3)?);
            let properties = WriterProperties::builder().set_compression(compression).build();
            self.file = Some(ArrowWriter::try_new(out, rows.schema(), Some(properties))?);
        }
        self.file.as_mut().map_or(Ok(()), |file| Ok(file.write(&rows)?))
    }

    /// Ends the file; one that nothing was written to has the columns all the same.
    pub fn finish(mut self, signal: Signal) -> anyhow::Result<u64> {
        if self.file.is_none() {
            self.write(signal, Vec::new())?;
        }
        if let Some(file) = self.file {
            file.close()?;
        }
        Ok(self.rows)
    }
}

fn rows(signal: Signal, batch: &Batch) -> anyhow::Result<RecordBatch> {
    let columns = match signal {
        Signal::Traces => span_columns(&batch.columns.iter().flat_map(otlp::spans).collect::<Vec<_>>()),
        Signal::Logs => record_columns(&batch.columns.iter().flat_map(otlp::log_records).collect::<Vec<_>>()),
        Signal::Metrics => {
            point_columns(&batch.columns.iter().flat_map(otlp::metric_points).collect::<Vec<_>>())
        }
    };
    Ok(RecordBatch::try_from_iter(columns)?)
}

type Columns = Vec<(&'static str, ArrayRef)>;

fn texts<T>(items: &[T], text: impl Fn(&T) -> Option<String>) -> ArrayRef {
    Arc::new(items.iter().map(text).collect::<StringArray>())
}

fn times<T>(items: &[T], time: impl Fn(&T) -> Timestamp) -> ArrayRef {
    let nanoseconds = |item| Some(time(item).0).filter(|time| *time > 0).map(u64::cast_signed);
    Arc::new(items.iter().map(nanoseconds).collect::<TimestampNanosecondArray>().with_timezone("UTC"))
}

fn integers<T>(items: &[T], number: impl Fn(&T) -> Option<u64>) -> ArrayRef {
    Arc::new(items.iter().map(|item| number(item).map(u64::cast_signed)).collect::<Int64Array>())
}

fn doubles<T>(items: &[T], number: impl Fn(&T) -> Option<f64>) -> ArrayRef {
    Arc::new(items.iter().map(number).collect::<Float64Array>())
}

fn span_columns(spans: &[Span]) -> Columns {
    let whole = |span: &Span| otlp::to_json(Signal::Traces, &otlp::encode_spans(std::slice::from_ref(span)));
    let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];
    let statuses = ["unset", "ok", "error"];
    let named = |names: &[&str], number: i32| {
        usize::try_from(number).ok().and_then(|number| names.get(number)).map(|name| (*name).to_owned())
    };
    vec![
        ("trace_id", texts(spans, |span| Some(span.trace_id.to_string()))),
        ("span_id", texts(spans, |span| Some(span.span_id.to_string()))),
        ("parent_span_id", texts(spans, |span| span.parent_span_id.map(|id| id.to_string()))),
        ("service", texts(spans, |span| service(&span.resource))),
        ("name", texts(spans, |span| Some(span.name.clone()))),
        ("kind", texts(spans, |span| named(&kinds, span.kind))),
        ("start_time", times(spans, |span| span.start)),
        ("end_time", times(spans, |span| span.end)),
        ("duration_nano", integers(spans, |span| span.end.0.checked_sub(span.start.0))),
        ("status", texts(spans, |span| named(&statuses, span.status.code))),
        ("status_message", texts(spans, |span| Some(span.status.message.clone()))),
        ("attributes", texts(spans, |span| Some(object(&span.attributes)))),
        ("resource", texts(spans, |span| Some(object(&span.resource.attributes)))),
        (WHOLE, texts(spans, |span| Some(whole(span)))),
    ]
}

fn record_columns(records: &[LogRecord]) -> Columns {
    let whole = |record: &LogRecord| {
        otlp::to_json(Signal::Logs, &otlp::encode_log_records(std::slice::from_ref(record)))
    };
    let body = |record: &LogRecord| match record.body.as_ref()? {
        Value::String(text) => Some(text.clone()),
        other => Some(plain(other).to_string()),
    };
    vec![
        ("time", times(records, |record| record.time)),
        ("observed_time", times(records, |record| record.observed_time)),
        ("severity_number", integers(records, |record| u64::try_from(record.severity_number).ok())),
        ("severity", texts(records, |record| Some(record.severity_text.clone()))),
        ("event_name", texts(records, |record| Some(record.event_name.clone()))),
        ("body", texts(records, body)),
        ("trace_id", texts(records, |record| record.trace_id.map(|id| id.to_string()))),
        ("span_id", texts(records, |record| record.span_id.map(|id| id.to_string()))),
        ("service", texts(records, |record| service(&record.resource))),
        ("attributes", texts(records, |record| Some(object(&record.attributes)))),
        ("resource", texts(records, |record| Some(object(&record.resource.attributes)))),
        (WHOLE, texts(records, |record| Some(whole(record)))),
    ]
}

fn point_columns(points: &[MetricPoint]) -> Columns {
    let whole = |point: &MetricPoint| {
        otlp::to_json(Signal::Metrics, &otlp::encode_metric_points(std::slice::from_ref(point)))
    };
    #[expect(clippy::cast_precision_loss, reason = "the whole number is in the last column")]
    let number = |point: &MetricPoint| {
        point.number.map(|number| match number {
            Number::Int(number) => number as f64,
            Number::Double(number) => number,
        })
    };
    vec![
        ("name", texts(points, |point| Some(point.name.clone()))),
        ("unit", texts(points, |point| Some(point.unit.clone()))),
        ("kind", texts(points, |point| Some(format!("{:?}", point.kind)))),
        ("start_time", times(points, |point| point.start)),
        ("time", times(points, |point| point.time)),
        ("value", doubles(points, number)),
        ("count", integers(points, |point| point.count)),
        ("sum", doubles(points, |point| point.sum)),
        ("service", texts(points, |point| service(&point.resource))),
        ("attributes", texts(points, |point| Some(object(&point.attributes)))),
        ("resource", texts(points, |point| Some(object(&point.resource.attributes)))),
        (WHOLE, texts(points, |point| Some(whole(point)))),
    ]
}

fn service(resource: &Resource) -> Option<String> {
    let found = resource.attributes.iter().find(|attribute| attribute.key == "service.name");
    found.and_then(|attribute| attribute.value.as_str()).map(str::to_owned)
}

/// Attributes as a plain object, easy to read; the last column has their types.
fn object(attributes: &[Attribute]) -> String {
    let pairs = attributes.iter().map(|attribute| (attribute.key.clone(), plain(&attribute.value)));
    serde_json::Value::Object(pairs.collect()).to_string()
}

fn plain(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Empty => Json::Null,
        Value::String(text) => text.as_str().into(),
        Value::Bool(yes) => (*yes).into(),
        Value::Int(number) => (*number).into(),
        Value::Double(number) => (*number).into(),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|entry| (entry.key.clone(), plain(&entry.value))).collect())
        }
    }
}

/// The requests of a file that [`Writer`] wrote.
pub fn read(path: &Path) -> Result<Box<dyn Iterator<Item = Result<Request, Unreadable>>>, Failure> {
    let reading = || format!("reading {}", path.display());
    let file = File::open(path).with_context(reading)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).with_context(reading)?;
    let Ok(column) = builder.schema().index_of(WHOLE) else {
        return Err(Failure::Usage(format!(
            "{} has no column {WHOLE:?}; only Parquet files that `clew export` wrote can be imported",
            path.display()
        )));
    };
    let whole = parquet::arrow::ProjectionMask::roots(builder.parquet_schema(), [column]);
    let batches = builder.with_projection(whole).build().with_context(reading)?;
    let items = batches.scan(0, |before, batch| {
        let start = *before;
        *before += batch.as_ref().map_or(0, RecordBatch::num_rows);
        Some(batch.map_or_else(
            |error| vec![Err(Unreadable { place: format!("after row {start}"), reason: error.to_string() })],
            |batch| items(&batch, start),
        ))
    });
    Ok(Box::new(items.flatten()))
}

fn items(batch: &RecordBatch, start: usize) -> Vec<Result<Request, Unreadable>> {
    let Some(texts) = batch.column(0).as_string_opt::<i32>() else { return Vec::new() };
    let item = |row: usize| {
        let told = |reason: String| Unreadable { place: format!("row {}", start + row + 1), reason };
        let documents = serde_json::from_str::<&RawValue>(texts.value(row))
            .map_or_else(|error| vec![Err(error.to_string())], reading::requests);
        documents.into_iter().map(move |request| request.map_err(told)).collect::<Vec<_>>()
    };
    (0..texts.len()).filter(|row| texts.is_valid(*row)).flat_map(item).collect()
}
