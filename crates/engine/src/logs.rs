//! Finds log records: of a trace through the blocks' indexes, others newest first.

use crate::newest;
use crate::scan::{Scanner, Wanted, sources};
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
    let Some(trace) = request.trace_id else {
        return newest_first(storage, scanner, tenant, request).await;
    };
    let rows = load(storage, tenant, Signal::Logs, trace, Width::All).await?;
    let wanted = Wanted { signal: Signal::Logs, filter: &request.filter, range: request.range };
    let mut records = Vec::new();
    for batch in rows.batches {
        let matching = match request.filter {
            Expression::All => vec![batch],
            _ => scanner.matching(batch, wanted).await?,
        };
        records.extend(matching.iter().flat_map(otlp::log_records));
    }
    Ok(oldest_first(records, request))
}

/// When it happened or, when the sender does not say, when it was seen.
fn moment(record: &LogRecord) -> Timestamp {
    if record.time.0 == 0 { record.observed_time } else { record.time }
}

fn wanted(record: &LogRecord, request: &LogRequest) -> bool {
    request.range.contains(moment(record)) && request.span_id.is_none_or(|span| record.span_id == Some(span))
}

fn oldest_first(mut records: Vec<LogRecord>, request: &LogRequest) -> LogResult {
    records.retain(|record| wanted(record, request));
    records.sort_by_key(moment);
    let complete = records.len() <= request.limit;
    records.truncate(request.limit);
    LogResult { records, complete }
}

/// By filter and range; of these, the newest.
async fn newest_first(
    storage: &Storage,
    scanner: &Scanner,
    tenant: &TenantId,
    request: &LogRequest,
) -> Result<LogResult, Error> {
    let snapshot = storage.snapshot(tenant, Signal::Logs);
    let of_span = request.span_id.map(|span| {
        let value = literal(&Field::SpanId, &span.to_string());
        Expression::Compare(Comparison { field: Field::SpanId, operator: Operator::Equal, value })
    });
    let filter = Expression::And(of_span.into_iter().chain([request.filter.clone()]).collect());
    let wanted = Wanted { signal: Signal::Logs, filter: &filter, range: request.range };
    let sources = sources(&snapshot, request.range);
    // One more than asked for tells that there is more.
    let newest = newest::rows(scanner, &sources, wanted, request.limit.saturating_add(1)).await?;
    let mut records: Vec<LogRecord> = newest.rows.iter().flat_map(otlp::log_records).collect();
    records.retain(|record| request.range.contains(moment(record)));
    records.sort_by_key(|record| std::cmp::Reverse(moment(record)));
    let complete = newest.whole && records.len() <= request.limit;
    records.truncate(request.limit);
    Ok(LogResult { records, complete })
}
