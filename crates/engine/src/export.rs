//! Gives stored telemetry back as it was taken in.

use crate::scan::{Scanner, Wanted, sources};
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use model::{Signal, TimeRange, TraceId, otlp, schema};
use query::{Error, ExportRequest, Expression};
use std::collections::HashSet;
use std::sync::Arc;
use storage::Snapshot;

/// Items of one request; as many as SDKs send.
const ITEMS: usize = 512;
/// Traces that a filter may choose: their ids are kept in memory.
const MOST_TRACES: usize = 4_000_000;

/// What is asked for, as requests in protobuf, oldest source first.
pub async fn requests(
    scanner: Scanner,
    snapshot: &Snapshot,
    request: ExportRequest,
) -> Result<BoxStream<'static, Result<Vec<u8>, Error>>, Error> {
    let everything = request.filter == Expression::All && request.range == TimeRange::ALL;
    let (chosen, request) = if request.signal == Signal::Traces && !everything {
        let chosen = traces(&scanner, snapshot, &request).await?;
        (Some(chosen), ExportRequest { filter: Expression::All, range: TimeRange::ALL, ..request })
    } else {
        (None, request)
    };
    let mut sources = sources(snapshot, request.range);
    sources.reverse();
    let (signal, chosen) = (request.signal, chosen.map(Arc::new));
    let batches = stream::iter(sources).then(move |source| {
        let (scanner, request) = (scanner.clone(), request.clone());
        async move { scanner.rows(&source, wanted(&request)).await }
    });
    let requests = batches.try_flatten().and_then(move |batch| {
        let chosen = chosen.clone();
        async move {
            let encoded = move || match chosen {
                Some(chosen) => encode(signal, &of_traces(&batch, &chosen)),
                None => encode(signal, &batch),
            };
            Ok(stream::iter(crate::compute(encoded).await?).map(Ok))
        }
    });
    Ok(requests.try_flatten().boxed())
}

const fn wanted(request: &ExportRequest) -> Wanted<'_> {
    Wanted { signal: request.signal, filter: &request.filter, range: request.range }
}

/// The traces that have a matching span.
async fn traces(
    scanner: &Scanner,
    snapshot: &Snapshot,
    request: &ExportRequest,
) -> Result<HashSet<TraceId>, Error> {
    let mut chosen = HashSet::new();
    for source in sources(snapshot, request.range) {
        scanner
            .each(&source, wanted(request), &[schema::TRACE_ID], |batch| chosen.extend(ids(batch).flatten()))
            .await?;
        if chosen.len() > MOST_TRACES {
            let message =
                format!("more than {MOST_TRACES} traces match; narrow the time range or the filter");
            return Err(Error::Invalid { message });
        }
    }
    Ok(chosen)
}

fn ids(batch: &RecordBatch) -> impl Iterator<Item = Option<TraceId>> {
    let column = batch.column_by_name(schema::TRACE_ID).and_then(|column| column.as_fixed_size_binary_opt());
    (0..batch.num_rows()).map(move |row| Some(TraceId(column?.value(row).try_into().ok()?)))
}

fn of_traces(batch: &RecordBatch, chosen: &HashSet<TraceId>) -> RecordBatch {
    let kept: BooleanArray = ids(batch).map(|id| Some(id.is_some_and(|id| chosen.contains(&id)))).collect();
    filter_record_batch(batch, &kept).expect("there is a bit for each row")
}

fn encode(signal: Signal, batch: &RecordBatch) -> Vec<Vec<u8>> {
    let starts = (0..batch.num_rows()).step_by(ITEMS);
    let parts = starts.map(|start| batch.slice(start, ITEMS.min(batch.num_rows() - start)));
    parts
        .map(|part| match signal {
            Signal::Traces => otlp::encode_spans(&otlp::spans(&part)),
            Signal::Logs => otlp::encode_log_records(&otlp::log_records(&part)),
            Signal::Metrics => otlp::encode_metric_points(&otlp::metric_points(&part)),
        })
        .collect()
}
