//! Runs one filter over a snapshot, source by source, newest first: each block and hot batch has columns of its own.
//!
//! A block is read in portions, and each in batches that are bounded by their bytes ([`storage::Portion`]).

use crate::admission::{Charge, Question};
use crate::predicate::Predicate;
use crate::pruning::Needs;
use crate::table::BlockTable;
use crate::trace::{internal, unread};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use futures::stream::TryStreamExt;
use model::{Signal, TimeRange, Timestamp, schema};
use query::{Error, Expression};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use storage::{BATCH_ROWS, Block, BlockStatistics, HotBatch, Portion, Snapshot, SpanKeys};

/// Memory that all queries together may use for what DataFusion itself keeps, which is little.
const MEMORY: usize = 64 << 20;
/// Columns that a filter has read already are kept for the rows that it lets through.
const FILTERED_BYTES: usize = 8 << 20;

/// One block or hot batch.
#[derive(Clone)]
pub enum Source {
    /// A block, and which of its rows do not count.
    Block(Arc<Block>, Option<Arc<SpanKeys>>),
    Hot(Arc<HotBatch>),
}

impl Source {
    pub fn statistics(&self) -> &BlockStatistics {
        match self {
            Self::Block(block, _) => block.statistics(),
            Self::Hot(batch) => &batch.statistics,
        }
    }

    pub fn schema(&self) -> SchemaRef {
        match self {
            Self::Block(block, _) => Arc::clone(block.schema()),
            Self::Hot(batch) => batch.columns.schema(),
        }
    }

    pub const fn is_block(&self) -> bool {
        matches!(self, Self::Block(..))
    }

    /// Rows that do not count: other sources have their spans.
    pub fn superseded(&self) -> Option<&SpanKeys> {
        match self {
            Self::Block(_, superseded) => superseded.as_deref(),
            Self::Hot(_) => None,
        }
    }
}

/// The sources that may hold something of this range, newest first.
pub fn sources(snapshot: &Snapshot, range: TimeRange) -> Vec<Source> {
    let hot = snapshot.hot.iter().map(|batch| Source::Hot(Arc::clone(batch)));
    let blocks = snapshot
        .blocks
        .iter()
        .map(|block| Source::Block(Arc::clone(block), snapshot.superseded_in(block).cloned()));
    let mut sources: Vec<_> = hot.chain(blocks).collect();
    sources.retain(|source| overlaps(range, source.statistics()));
    sources.sort_by_key(|source| std::cmp::Reverse(source.statistics().last));
    sources
}

/// How many of these are blocks.
pub fn blocks(sources: &[Source]) -> usize {
    sources.iter().filter(|source| source.is_block()).count()
}

/// The newest moment that a row of these can have.
pub fn horizon(sources: &[Source]) -> Option<Timestamp> {
    sources.iter().map(|source| source.statistics().last).max()
}

/// An end at the very end of time is none.
const fn has_end(range: TimeRange) -> bool {
    range.to.0 != u64::MAX
}

/// Whether a moment is in a range.
pub fn contains(range: TimeRange, moment: Timestamp) -> bool {
    range.from <= moment && (moment < range.to || !has_end(range))
}

/// Whether a source may have rows of a range.
pub fn overlaps(range: TimeRange, of: &BlockStatistics) -> bool {
    range.from <= of.last && (of.first < range.to || !has_end(range))
}

/// Which rows of a signal to find.
#[derive(Clone, Copy)]
pub struct Wanted<'w> {
    pub signal: Signal,
    pub filter: &'w Expression,
    pub range: TimeRange,
}

impl Wanted<'_> {
    fn conditions(&self, schema: &SchemaRef, statistics: &BlockStatistics) -> Vec<Expr> {
        let predicate = Predicate { signal: self.signal, schema };
        // The range comes first: it is cheaper than any filter.
        let range = in_range(self.signal, statistics, self.range);
        range.into_iter().chain(predicate.expression(self.filter)).collect()
    }
}

/// DataFusion, set up once for each size of batches.
#[derive(Clone)]
pub struct Scanner {
    contexts: Arc<[(usize, SessionContext)]>,
}

impl Scanner {
    pub fn new() -> Result<Self, Error> {
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(MEMORY)));
        let runtime = runtime.build_arc().map_err(internal)?;
        let context = |rows: usize| {
            // Rows so long that a batch has few of them are not read twice at a time.
            let partitions = if rows == BATCH_ROWS[0] { 2 } else { 1 };
            let mut config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(rows);
            let parquet = &mut config.options_mut().execution.parquet;
            parquet.pushdown_filters = true;
            parquet.reorder_filters = true;
            parquet.max_predicate_cache_size = Some(FILTERED_BYTES);
            (rows, SessionContext::new_with_config_rt(config, Arc::clone(&runtime)))
        };
        Ok(Self { contexts: BATCH_ROWS.map(context).into() })
    }

    fn context(&self, rows: usize) -> &SessionContext {
        let fitting = self.contexts.iter().find(|(known, _)| *known <= rows);
        &fitting.unwrap_or(&self.contexts[0]).1
    }

    /// The rows of a source that are wanted, with these of the columns that it has, or with all.
    pub async fn open<'s>(
        &'s self,
        question: &'s Arc<Question>,
        source: &'s Source,
        wanted: Wanted<'_>,
        columns: Option<&[&str]>,
    ) -> Result<Scan<'s>, Error> {
        let schema = source.schema();
        // Those that do not count are told by their ids.
        let ids: &[&str] =
            if source.superseded().is_some() { &[schema::TRACE_ID, schema::SPAN_ID] } else { &[] };
        let columns: Option<Vec<&str>> = columns.map(|names| present(&schema, &[names, ids].concat()));
        let conditions = wanted.conditions(&schema, source.statistics());
        let portions = match source {
            Source::Hot(_) => VecDeque::from([None]),
            Source::Block(block, _) => {
                let groups = groups(question, block, wanted.filter).await?;
                let tested = conditions.iter().flat_map(Expr::column_refs).map(|column| column.name.clone());
                let tested: Vec<String> = tested.collect();
                let all = || schema.fields().iter().map(|field| field.name().as_str()).collect();
                let mut read: Vec<&str> = columns.clone().unwrap_or_else(all);
                read.extend(tested.iter().map(String::as_str));
                let portions = block.portions(groups.as_deref(), &read).await;
                portions.map_err(|error| unread(&error))?.into_iter().map(Some).collect()
            }
        };
        let columns = columns.map(|names| names.into_iter().map(ident).collect());
        Ok(Scan { scanner: self, question, source, conditions, columns, portions, current: None })
    }

    /// Gives the rows of a source that are wanted to `take`, batch by batch, with these of the columns that it has.
    pub async fn each(
        &self,
        question: &Arc<Question>,
        source: &Source,
        wanted: Wanted<'_>,
        (columns, mut take): (&[&str], impl FnMut(&RecordBatch)),
    ) -> Result<(), Error> {
        let all = |batch: &RecordBatch| {
            take(batch);
            true
        };
        self.each_while(question, source, wanted, (columns, all)).await
    }

    /// Likewise, until `take` says that it wants no more.
    pub async fn each_while(
        &self,
        question: &Arc<Question>,
        source: &Source,
        wanted: Wanted<'_>,
        (columns, mut take): (&[&str], impl FnMut(&RecordBatch) -> bool),
    ) -> Result<(), Error> {
        let mut scan = self.open(question, source, wanted, Some(columns)).await?;
        while let Some(batch) = scan.next().await? {
            if !take(&batch) {
                break;
            }
            drop(batch);
            question.admit().await?;
            // Others have their turn on this thread.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// The rows that are wanted of these.
    pub async fn matching(&self, rows: RecordBatch, wanted: Wanted<'_>) -> Result<Vec<RecordBatch>, Error> {
        let batch = HotBatch::new(wanted.signal, rows, Timestamp::default());
        let conditions = wanted.conditions(&batch.columns.schema(), &batch.statistics);
        let frame = self.context(BATCH_ROWS[0]).read_batch(batch.columns).map_err(internal)?;
        filtered(frame, &conditions)?.collect().await.map_err(failed)
    }
}

fn filtered(frame: DataFrame, conditions: &[Expr]) -> Result<DataFrame, Error> {
    conditions.iter().cloned().try_fold(frame, DataFrame::filter).map_err(internal)
}

/// The columns that a source has of these, each once: DataFusion refuses to give one twice.
fn present<'n>(schema: &SchemaRef, names: &[&'n str]) -> Vec<&'n str> {
    let mut seen = BTreeSet::new();
    let mut present = names.to_vec();
    present.retain(|name| schema.index_of(name).is_ok() && seen.insert(*name));
    present
}

/// The wanted rows of one source, as they are read.
pub struct Scan<'s> {
    scanner: &'s Scanner,
    question: &'s Arc<Question>,
    source: &'s Source,
    conditions: Vec<Expr>,
    columns: Option<Vec<Expr>>,
    /// Those that are yet to be read; of hot batches, one that has no name.
    portions: VecDeque<Option<Portion>>,
    current: Option<(SendableRecordBatchStream, Charge)>,
}

impl Scan<'_> {
    /// The next batch; `None` when there are no more.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        loop {
            if let Some((batches, _)) = &mut self.current {
                match batches.try_next().await.map_err(failed)? {
                    Some(batch) => match self.counted(batch)? {
                        batch if batch.num_rows() > 0 => return Ok(Some(batch)),
                        _ => continue,
                    },
                    None => self.current = None,
                }
            }
            let Some(portion) = self.portions.pop_front() else { return Ok(None) };
            self.current = Some(self.read(portion).await?);
        }
    }

    /// The rows that count.
    fn counted(&self, rows: RecordBatch) -> Result<RecordBatch, Error> {
        match self.source.superseded() {
            Some(superseded) => superseded.leave_out(&rows).map_err(internal),
            None => Ok(rows),
        }
    }

    async fn read(&mut self, portion: Option<Portion>) -> Result<(SendableRecordBatchStream, Charge), Error> {
        let charge = self.question.charge(portion.as_ref().map_or(0, |portion| portion.bytes)).await?;
        let rows = portion.as_ref().map_or(BATCH_ROWS[0], |portion| portion.batch_rows);
        let context = self.scanner.context(rows);
        let frame = match (self.source, portion) {
            (Source::Hot(batch), _) => context.read_batch(batch.columns.clone()),
            (Source::Block(block, _), portion) => {
                let parts = portion.map(|portion| portion.parts).unwrap_or_default();
                context.read_table(Arc::new(BlockTable { block: Arc::clone(block), parts }))
            }
        };
        let mut frame = filtered(frame.map_err(internal)?, &self.conditions)?;
        if let Some(columns) = &self.columns {
            frame = frame.select(columns.clone()).map_err(internal)?;
        }
        Ok((frame.execute_stream().await.map_err(failed)?, charge))
    }
}

/// Which row groups of a block may have what is wanted; `None` when that is not known.
async fn groups(
    question: &Arc<Question>,
    block: &Arc<Block>,
    filter: &Expression,
) -> Result<Option<Vec<bool>>, Error> {
    let needs = Needs::of(filter, block.schema());
    if needs.are_none() {
        return Ok(None);
    }
    let block = Arc::clone(block);
    let looked = question.compute(move || block.row_groups(|has| needs.are_met(has)));
    looked.await?.map_err(|error| unread(&error))
}

fn failed(error: datafusion::error::DataFusionError) -> Error {
    match error.find_root() {
        datafusion::error::DataFusionError::ResourcesExhausted(_) => Error::Busy {
            message: "the query needs more memory than there is; narrow the time range or the filter"
                .to_owned(),
        },
        root => match of_storage(root) {
            Some(error) => unread(error),
            None => internal(error),
        },
    }
}

/// The failure of storage that is behind an error of DataFusion's.
fn of_storage<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e storage::Error> {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.filter_map(|error| error.downcast_ref()).next()
}

/// Nothing when every row is in the range anyway.
fn in_range(signal: Signal, statistics: &BlockStatistics, range: TimeRange) -> Option<Expr> {
    if contains(range, statistics.first) && contains(range, statistics.last) {
        return None;
    }
    let between = |column: &str| {
        let lower = ident(column).gt_eq(lit(range.from.0));
        if has_end(range) { lower.and(ident(column).lt(lit(range.to.0))) } else { lower }
    };
    Some(match signal {
        Signal::Traces => between(schema::START),
        Signal::Metrics => between(schema::TIME),
        Signal::Logs => {
            let unknown = ident(schema::TIME).eq(lit(0u64));
            between(schema::TIME).or(unknown.and(between(schema::OBSERVED_TIME)))
        }
    })
}
