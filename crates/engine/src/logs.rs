//! Finds log records: of a trace through the blocks' indexes, others newest first.

use crate::admission::Question;
use crate::newest::{self, Form, Kept, note};
use crate::scan::{Scanner, Wanted, contains, sources};
use crate::trace::{Asked, Shape, Visitor, load, visit};
use crate::weight;
use arrow::array::RecordBatch;
use model::{LogRecord, Signal, SpanId, TimeRange, Timestamp, otlp};
use query::filter::{Comparison, Field, Operator, literal};
use query::result::{Held, LogResult};
use query::{Error, Expression, LogRequest};
use std::sync::Arc;
use storage::{Extent, Snapshot};

const FORM: Form<LogRecord> = Form { read: otlp::log_records, moment, weigh: weight::log_record };

/// Those of one trace, oldest first.
pub async fn of_trace(scanner: &Scanner, asked: Asked<'_>, request: &LogRequest) -> Result<LogResult, Error> {
    let question = asked.question;
    let most = (request.limit.saturating_add(1), question.answer_bytes());
    let first = First {
        kept: Kept::new(FORM, most, true),
        range: request.range,
        span: request.span_id,
        question: Arc::clone(question),
    };
    let first = match request.filter {
        Expression::All => visit(asked, Signal::Logs, Shape::default(), first).await?,
        _ => matching(scanner, asked, request, first).await?,
    };
    let cut = first.kept.cut;
    Ok(answer(question, first.kept.oldest_first(), cut, request.limit))
}

async fn matching(
    scanner: &Scanner,
    asked: Asked<'_>,
    request: &LogRequest,
    mut first: First,
) -> Result<First, Error> {
    let wanted = Wanted { signal: Signal::Logs, filter: &request.filter, range: request.range };
    let mut rows = load(asked, Signal::Logs, Shape::default()).await?;
    for batch in std::mem::take(&mut rows.batches) {
        for rows in scanner.matching(batch, wanted).await? {
            first.take(&rows);
            asked.question.admit().await?;
        }
    }
    Ok(first)
}

/// The first records of a trace.
struct First {
    kept: Kept<LogRecord>,
    range: TimeRange,
    span: Option<SpanId>,
    question: Arc<Question>,
}

impl Visitor for First {
    fn take(&mut self, rows: &RecordBatch) -> bool {
        let mut records = otlp::log_records(rows);
        records.retain(|record| {
            contains(self.range, moment(record)) && self.span.is_none_or(|span| record.span_id == Some(span))
        });
        note(&self.question, self.kept.add(records));
        self.question.fits()
    }

    fn expects(&self, extent: Extent) -> u64 {
        extent.bytes.min(self.question.answer_bytes())
    }
}

/// When it happened or, when the sender does not say, when it was seen.
fn moment(record: &LogRecord) -> Timestamp {
    if record.time.0 == 0 { record.observed_time } else { record.time }
}

fn answer(question: &Arc<Question>, mut records: Vec<LogRecord>, cut: bool, limit: usize) -> LogResult {
    let more = records.len() > limit;
    records.truncate(limit);
    let incomplete = question.incomplete().or_else(|| cut.then(|| newest::too_long(question, records.len())));
    let held = if question.is_heavy() { Held::new(Arc::clone(question)) } else { Held::default() };
    LogResult { records, complete: !more && incomplete.is_none(), incomplete, held }
}

/// By filter and range; of these, the newest.
pub async fn newest_first(
    (scanner, question): (&Scanner, &Arc<Question>),
    snapshot: &Snapshot,
    request: &LogRequest,
) -> Result<LogResult, Error> {
    let of_span = request.span_id.map(|span| {
        let value = literal(&Field::SpanId, &span.to_string());
        Expression::Compare(Comparison { field: Field::SpanId, operator: Operator::Equal, value })
    });
    let filter = Expression::And(of_span.into_iter().chain([request.filter.clone()]).collect());
    let wanted = Wanted { signal: Signal::Logs, filter: &filter, range: request.range };
    let sources = sources(snapshot, request.range);
    // One more than asked for tells that there is more.
    let limit = request.limit.saturating_add(1);
    let kept = newest::rows((scanner, question), &sources, wanted, limit, FORM).await?;
    let cut = kept.cut;
    let mut records = kept.oldest_first();
    records.reverse();
    Ok(answer(question, records, cut, request.limit))
}
