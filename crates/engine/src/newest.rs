//! The newest rows of several sources: first their times alone, then only the rows that are new enough, whole.
//!
//! Rows are wide and time is one narrow column: to read everything only to sort it would cost all that is stored.

use crate::scan::{Scanner, Source, Wanted, horizon};
use arrow::array::RecordBatch;
use model::otlp::columns::Columns;
use model::{Signal, TimeRange, Timestamp, schema};
use query::Error;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The newest rows.
pub struct Newest {
    pub rows: Vec<RecordBatch>,
    /// Whether all sources could be read.
    pub whole: bool,
}

/// The `limit` newest rows of these sources (which are in order), and some that are older.
pub async fn rows(
    scanner: &Scanner,
    sources: &[Source],
    wanted: Wanted<'_>,
    limit: usize,
) -> Result<Newest, Error> {
    let mut whole = true;
    let mut times = Times { newest: BinaryHeap::new(), limit };
    let mut visited = 0;
    for (number, source) in sources.iter().enumerate() {
        let columns = [schema::TIME, schema::OBSERVED_TIME];
        if let Err(error) =
            scanner.each(source, wanted, &columns, |batch| times.add(wanted.signal, batch)).await
        {
            source.forgive(error)?;
            whole = false;
        }
        visited = number + 1;
        if horizon(&sources[visited..]).is_some_and(|horizon| times.oldest_kept() >= Some(horizon)) {
            break;
        }
    }
    let from = times.oldest_kept().unwrap_or_default().max(wanted.range.from);
    let wanted = Wanted { range: TimeRange { from, ..wanted.range }, ..wanted };
    let mut rows = Vec::new();
    for source in &sources[..visited] {
        if wanted.range.overlaps(source.statistics().first, source.statistics().last) {
            match scanner.newest(source, wanted, limit).await {
                Ok(newest) => rows.extend(newest),
                Err(error) => {
                    source.forgive(error)?;
                    whole = false;
                }
            }
        }
    }
    Ok(Newest { rows, whole })
}

/// The newest times, the oldest of them at hand.
struct Times {
    newest: BinaryHeap<Reverse<u64>>,
    limit: usize,
}

impl Times {
    fn add(&mut self, signal: Signal, batch: &RecordBatch) {
        let columns = Columns::new(batch);
        let time = |name, row| columns.uint64(name, row).unwrap_or_default();
        for row in 0..batch.num_rows() {
            let moment = match (signal, time(schema::TIME, row)) {
                (Signal::Logs, 0) => time(schema::OBSERVED_TIME, row),
                (_, moment) => moment,
            };
            if self.newest.len() < self.limit {
                self.newest.push(Reverse(moment));
            } else if let Some(mut oldest) = self.newest.peek_mut().filter(|oldest| moment > oldest.0) {
                *oldest = Reverse(moment);
            }
        }
    }

    /// Once there are as many as asked for: what is older than this is not among them.
    fn oldest_kept(&self) -> Option<Timestamp> {
        let oldest = self.newest.peek().filter(|_| self.newest.len() >= self.limit);
        oldest.map(|Reverse(moment)| Timestamp(*moment))
    }
}
