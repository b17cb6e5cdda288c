//! The newest rows of several sources: first their times alone, then only the rows that are new enough, whole.
//!
//! Rows are wide and time is one narrow column: to read everything only to sort it would cost all that is stored.

use crate::admission::Question;
use crate::scan::{Scanner, Source, Wanted, blocks, horizon, overlaps};
use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use model::otlp::columns::Columns;
use model::{Signal, TimeRange, Timestamp, schema};
use query::Error;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// How rows become items.
#[derive(Clone, Copy)]
pub struct Form<T> {
    pub read: fn(&RecordBatch) -> Vec<T>,
    pub moment: fn(&T) -> Timestamp,
    /// Bytes in memory.
    pub weigh: fn(&T) -> u64,
}

/// Items in order of time, as many and as large as may be kept.
pub struct Kept<T> {
    form: Form<T>,
    items: BTreeMap<(Timestamp, u64), (T, u64)>,
    number: u64,
    bytes: u64,
    /// At most so many, and so many bytes.
    most: (usize, u64),
    keeps_oldest: bool,
    /// Whether some were let go for their bytes.
    pub cut: bool,
}

impl<T> Kept<T> {
    /// Keeps the newest, or the oldest, of all that is added.
    pub const fn new(form: Form<T>, most: (usize, u64), keeps_oldest: bool) -> Self {
        Self { form, items: BTreeMap::new(), number: 0, bytes: 0, most, keeps_oldest, cut: false }
    }

    /// Adds items; how many bytes more are held for that.
    pub fn add(&mut self, items: impl IntoIterator<Item = T>) -> i64 {
        let before = self.bytes;
        for item in items {
            let bytes = (self.form.weigh)(&item);
            self.bytes += bytes;
            self.number += 1;
            self.items.insert(((self.form.moment)(&item), self.number), (item, bytes));
            while self.items.len() > self.most.0 || (self.bytes > self.most.1 && self.items.len() > 1) {
                self.cut |= self.items.len() <= self.most.0;
                let gone = if self.keeps_oldest { self.items.pop_last() } else { self.items.pop_first() };
                self.bytes -= gone.map_or(0, |(_, (_, bytes))| bytes);
            }
        }
        self.bytes.cast_signed() - before.cast_signed()
    }

    /// Those that are kept, the oldest first.
    pub fn oldest_first(self) -> Vec<T> {
        self.items.into_values().map(|(item, _)| item).collect()
    }
}

/// Why items were let go for their bytes.
pub fn too_long(question: &Question, told: usize) -> String {
    let most = question.answer_bytes() >> 20;
    format!("only {told} are told: an answer has at most {most} MiB of them; ask for a shorter time")
}

/// Counts what is held more, or less.
pub fn note(question: &Question, more: i64) {
    if more >= 0 { question.note(more.unsigned_abs()) } else { question.give_back(more.unsigned_abs()) }
}

/// The `limit` newest rows of these sources (which are in order), as far as their bytes allow.
pub async fn rows<T>(
    (scanner, question): (&Scanner, &Arc<Question>),
    sources: &[Source],
    wanted: Wanted<'_>,
    limit: usize,
    form: Form<T>,
) -> Result<Kept<T>, Error> {
    let mut times = Times { newest: BinaryHeap::new(), limit };
    let mut visited = 0;
    for (number, source) in sources.iter().enumerate() {
        let columns: &[&str] = &[schema::TIME, schema::OBSERVED_TIME];
        let take = |batch: &RecordBatch| times.add(wanted.signal, batch);
        if let Err(error) = scanner.each(question, source, wanted, (columns, take)).await {
            question.pass_over(source, error)?;
        }
        visited = number + 1;
        if horizon(&sources[visited..]).is_some_and(|horizon| times.oldest_kept() >= Some(horizon)) {
            break;
        }
    }
    let sources = &sources[..visited];
    question.searching(wanted.signal, blocks(sources));
    let from = times.oldest_kept().unwrap_or_default().max(wanted.range.from);
    let wanted = Wanted { range: TimeRange { from, ..wanted.range }, ..wanted };
    let mut new_enough = times.new_enough();
    let mut kept = Kept::new(form, (limit, question.answer_bytes()), false);
    for source in sources.iter().filter(|source| overlaps(wanted.range, source.statistics())) {
        if let Err(error) = whole((scanner, question), source, wanted, &mut new_enough, &mut kept).await {
            question.pass_over(source, error)?;
        }
    }
    Ok(kept)
}

/// Adds the rows of a source that are new enough.
async fn whole<T>(
    (scanner, question): (&Scanner, &Arc<Question>),
    source: &Source,
    wanted: Wanted<'_>,
    new_enough: &mut NewEnough,
    kept: &mut Kept<T>,
) -> Result<(), Error> {
    let mut scan = scanner.open(question, source, wanted, None).await?;
    while let Some(batch) = scan.next().await? {
        let mask = new_enough.of(wanted.signal, &batch);
        let read = filter_record_batch(&batch, &mask).map(|rows| (kept.form.read)(&rows));
        note(question, kept.add(read.map_err(crate::trace::internal)?));
        drop(batch);
        question.admit().await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// When each row happened.
fn moments(signal: Signal, batch: &RecordBatch) -> Vec<u64> {
    let columns = Columns::new(batch);
    let time = |name, row| columns.uint64(name, row).unwrap_or_default();
    let moment = |row| match (signal, time(schema::TIME, row)) {
        (Signal::Logs, 0) => time(schema::OBSERVED_TIME, row),
        (_, moment) => moment,
    };
    (0..batch.num_rows()).map(moment).collect()
}

/// The newest times, the oldest of them at hand.
struct Times {
    newest: BinaryHeap<Reverse<u64>>,
    limit: usize,
}

impl Times {
    fn add(&mut self, signal: Signal, batch: &RecordBatch) {
        for moment in moments(signal, batch) {
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

    fn new_enough(&self) -> NewEnough {
        let oldest = self.oldest_kept().map_or(0, |oldest| oldest.0);
        let as_old = self.newest.iter().filter(|Reverse(moment)| *moment == oldest).count();
        NewEnough { oldest, as_old: if self.oldest_kept().is_some() { as_old } else { usize::MAX } }
    }
}

/// Tells rows that are among the newest: many may have one time, and not all of these are wanted.
struct NewEnough {
    oldest: u64,
    /// So many more of the oldest time.
    as_old: usize,
}

impl NewEnough {
    fn of(&mut self, signal: Signal, batch: &RecordBatch) -> BooleanArray {
        let mut is = |moment: u64| {
            if moment != self.oldest {
                return moment > self.oldest;
            }
            let wanted = self.as_old > 0;
            self.as_old = self.as_old.saturating_sub(1);
            wanted
        };
        moments(signal, batch).into_iter().map(|moment| Some(is(moment))).collect()
    }
}
