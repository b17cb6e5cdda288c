//! How often and how long operations ran: from the roll-ups of blocks where these answer, from the rows elsewhere.

use crate::admission::Question;
use crate::scan::{Scanner, Source, Wanted, blocks, contains, sources};
use crate::trace::unread;
use arrow::array::RecordBatch;
use futures::stream::{self, StreamExt};
use model::{Signal, schema};
use query::result::{Operation, OperationStatistics, OperationsResult};
use query::{Error, Expression, OperationsRequest};
use std::sync::Arc;
use storage::{Rollup, Snapshot};

/// Sources that are read at the same time.
const SOURCES: usize = 4;

pub async fn statistics(
    scanner: &Scanner,
    question: &Arc<Question>,
    snapshot: &Snapshot,
    request: &OperationsRequest,
) -> Result<OperationsResult, Error> {
    let sources = sources(snapshot, request.range);
    question.searching(Signal::Traces, blocks(&sources));
    let each = stream::iter(sources).map(|source| async move {
        let rollup = of_source(scanner, question, &source, request).await;
        (source, rollup)
    });
    let mut parts = each.buffer_unordered(SOURCES);
    let mut total = Rollup::default();
    while let Some((source, part)) = parts.next().await {
        match part {
            Ok(part) => total.merge(part),
            Err(error) => question.pass_over(&source, error)?,
        }
    }
    let mut operations: Vec<OperationStatistics> = total
        .operations
        .into_iter()
        .map(|(key, totals)| OperationStatistics {
            service: key.service,
            operation: Operation { name: key.operation, kind: key.kind },
            spans: totals.spans,
            errors: totals.errors,
            durations: totals.durations,
        })
        .collect();
    operations.sort_by(|left, right| {
        let time = right.durations.total().cmp(&left.durations.total());
        time.then_with(|| (&left.service, &left.operation).cmp(&(&right.service, &right.operation)))
    });
    let complete = operations.len() <= request.limit;
    operations.truncate(request.limit);
    Ok(OperationsResult { operations, complete, incomplete: question.incomplete() })
}

async fn of_source(
    scanner: &Scanner,
    question: &Arc<Question>,
    source: &Source,
    request: &OperationsRequest,
) -> Result<Rollup, Error> {
    let all = source.statistics();
    let is_whole = contains(request.range, all.first) && contains(request.range, all.last);
    if let Source::Block(block, None) = source
        && is_whole
        && request.filter == Expression::All
    {
        let block = Arc::clone(block);
        let rollup = question.compute(move || block.rollup()).await?;
        if let Some(rollup) = rollup.map_err(|error| unread(&error))? {
            return Ok(rollup);
        }
    }
    let wanted = Wanted { signal: Signal::Traces, filter: &request.filter, range: request.range };
    let columns: &[&str] =
        &[schema::SERVICE, schema::NAME, schema::KIND, schema::START, schema::END, schema::STATUS_CODE];
    let mut rollup = Rollup::default();
    scanner.each(question, source, wanted, (columns, |batch: &RecordBatch| rollup.add(batch))).await?;
    Ok(rollup)
}
