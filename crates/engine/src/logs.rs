//! Finds log records: of a trace through the blocks' indexes, others by filter, newest first.

use crate::scan::{Scanner, sources};
use crate::trace::{Width, load};
use model::{LogRecord, Signal, TenantId, Timestamp, otlp};
use query::filter::{Comparison, Field, Operator, literal};
use query::result::LogResult;
use query::{Error, Expression, LogRequest};
use storage::Storage;

pub async fn find(
    storage: &Storage,
    scanner: &Scanner,
    tenant: &TenantId,
    request: &LogRequest,
) -> Result<LogResult, Error> {
    match request.trace_id {
        Some(trace) if request.filter == Expression::All => {
            let rows = load(storage, tenant, Signal::Logs, trace, Width::All).await?;
            let records = rows.batches.iter().flat_map(otlp::log_records).collect();
            Ok(oldest_first(records, request))
        }
        _ => filtered(storage, scanner, tenant, request).await,
    }
}

/// When it happened or, when the sender does not say, when it was seen.
fn moment(record: &LogRecord) -> Timestamp {
    if record.time.0 == 0 { record.observed_time } else { record.time }
}

fn wanted(record: &LogRecord, request: &LogRequest) -> bool {
    request.range.contains(moment(record))
        && request.trace_id.is_none_or(|trace| record.trace_id == Some(trace))
        && request.span_id.is_none_or(|span| record.span_id == Some(span))
}

fn oldest_first(mut records: Vec<LogRecord>, request: &LogRequest) -> LogResult {
    records.retain(|record| wanted(record, request));
    records.sort_by_key(moment);
    let complete = records.len() <= request.limit;
    records.truncate(request.limit);
    LogResult { records, complete }
}

/// The filter with the trace and the span that the request names.
fn with_ids(request: &LogRequest) -> Expression {
    let equal = |field: Field, id: String| {
        let value = literal(&field, &id);
        Expression::Compare(Comparison { field, operator: Operator::Equal, value })
    };
    let trace = request.trace_id.map(|id| equal(Field::TraceId, id.to_string()));
    let span = request.span_id.map(|id| equal(Field::SpanId, id.to_string()));
    let filter = (request.filter != Expression::All).then(|| request.filter.clone());
    let parts: Vec<Expression> = [trace, span, filter].into_iter().flatten().collect();
    if parts.is_empty() { Expression::All } else { Expression::And(parts) }
}

async fn filtered(
    storage: &Storage,
    scanner: &Scanner,
    tenant: &TenantId,
    request: &LogRequest,
) -> Result<LogResult, Error> {
    let snapshot = storage.snapshot(tenant, Signal::Logs);
    let filter = with_ids(request);
    let mut records: Vec<LogRecord> = Vec::new();
    let sources = sources(&snapshot, request.range);
    for (number, source) in sources.iter().enumerate() {
        // One more than asked for tells that there is more.
        let batches =
            scanner.newest(source, Signal::Logs, (&filter, request.range), request.limit + 1).await?;
        records.extend(batches.iter().flat_map(otlp::log_records));
        records.sort_by_key(|record| std::cmp::Reverse(moment(record)));
        records.truncate(request.limit + 1);
        let horizon = sources[number + 1..].iter().map(|source| source.statistics().last).max();
        let settled =
            records.get(request.limit).zip(horizon).is_some_and(|(last, horizon)| moment(last) > horizon);
        if settled {
            break;
        }
    }
    if request.trace_id.is_some() {
        return Ok(oldest_first(records, request));
    }
    let complete = records.len() <= request.limit;
    records.truncate(request.limit);
    Ok(LogResult { records, complete })
}
