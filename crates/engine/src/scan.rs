//! Runs one filter over a snapshot, source by source, newest first: each block and hot batch has columns of its own.

use crate::predicate::Predicate;
use crate::pruning::Needs;
use crate::table::BlockTable;
use crate::trace::{internal, unread};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::functions::expr_fn::{nullif, nvl};
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use model::{Signal, TimeRange, Timestamp, schema};
use query::{Error, Expression};
use std::sync::Arc;
use storage::{Block, BlockStatistics, HotBatch, Snapshot};

/// Memory that all queries together may use for intermediate results.
const MEMORY: usize = 512 << 20;

/// One block or hot batch.
#[derive(Clone)]
pub enum Source {
    Block(Arc<Block>),
    Hot(Arc<HotBatch>),
}

impl Source {
    pub fn statistics(&self) -> &BlockStatistics {
        match self {
            Self::Block(block) => block.statistics(),
            Self::Hot(batch) => &batch.statistics,
        }
    }

    /// A block that cannot be read costs what is in it, and nothing else: passes over its error, and no other.
    pub fn forgive(&self, error: Error) -> Result<(), Error> {
        match (self, error) {
            (Self::Block(block), Error::Internal { message }) => {
                block.mark_damaged(&message);
                Ok(())
            }
            (_, error) => Err(error),
        }
    }

    pub fn schema(&self) -> SchemaRef {
        match self {
            Self::Block(block) => Arc::clone(block.schema()),
            Self::Hot(batch) => batch.columns.schema(),
        }
    }
}

/// The sources that may hold something of this range, newest first.
pub fn sources(snapshot: &Snapshot, range: TimeRange) -> Vec<Source> {
    let hot = snapshot.hot.iter().map(|batch| Source::Hot(Arc::clone(batch)));
    let blocks = snapshot.blocks.iter().map(|block| Source::Block(Arc::clone(block)));
    let mut sources: Vec<_> = hot.chain(blocks).collect();
    sources.retain(|source| range.overlaps(source.statistics().first, source.statistics().last));
    sources.sort_by_key(|source| std::cmp::Reverse(source.statistics().last));
    sources
}

/// The newest moment that a row of these can have.
pub fn horizon(sources: &[Source]) -> Option<Timestamp> {
    sources.iter().map(|source| source.statistics().last).max()
}

/// Why something may be missing, when blocks were damaged.
pub fn damage(blocks: u64) -> Option<String> {
    (blocks > 0).then(|| format!("{blocks} of the blocks searched are damaged; the server's log names them"))
}

/// Which rows of a signal to find.
#[derive(Clone, Copy)]
pub struct Wanted<'w> {
    pub signal: Signal,
    pub filter: &'w Expression,
    pub range: TimeRange,
}

/// DataFusion, set up once.
#[derive(Clone)]
pub struct Scanner {
    context: SessionContext,
}

impl Scanner {
    pub fn new() -> Result<Self, Error> {
        let mut config = SessionConfig::new().with_target_partitions(2).with_batch_size(8_192);
        let parquet = &mut config.options_mut().execution.parquet;
        parquet.pushdown_filters = true;
        parquet.reorder_filters = true;
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(MEMORY)));
        let runtime = runtime.build_arc().map_err(internal)?;
        Ok(Self { context: SessionContext::new_with_config_rt(config, runtime) })
    }

    /// The rows of a source that are wanted. `None` when it has none, by what is known of its words.
    async fn wanted(&self, source: &Source, wanted: Wanted<'_>) -> Result<Option<DataFrame>, Error> {
        let schema = source.schema();
        let frame = match source {
            Source::Hot(batch) => self.context.read_batch(batch.columns.clone()),
            Source::Block(block) => {
                let groups = groups(block, wanted.filter).await?;
                if groups.as_ref().is_some_and(|groups| !groups.contains(&true)) {
                    return Ok(None);
                }
                self.context.read_table(Arc::new(BlockTable { block: Arc::clone(block), groups }))
            }
        };
        let predicate = Predicate { signal: wanted.signal, schema: &schema };
        // The range comes first: it is cheaper than any filter.
        let conditions =
            [in_range(wanted.signal, source.statistics(), wanted.range), predicate.expression(wanted.filter)];
        let frame = conditions.into_iter().flatten().try_fold(frame.map_err(internal)?, DataFrame::filter);
        frame.map(Some).map_err(internal)
    }

    /// Gives the rows of a source that are wanted to `take`, batch by batch, with these of the columns that it has.
    pub async fn each(
        &self,
        source: &Source,
        wanted: Wanted<'_>,
        columns: &[&str],
        mut take: impl FnMut(&RecordBatch),
    ) -> Result<(), Error> {
        let all = |batch: &RecordBatch| {
            take(batch);
            true
        };
        self.each_while(source, wanted, columns, all).await
    }

    /// Likewise, until `take` says that it wants no more.
    pub async fn each_while(
        &self,
        source: &Source,
        wanted: Wanted<'_>,
        columns: &[&str],
        mut take: impl FnMut(&RecordBatch) -> bool,
    ) -> Result<(), Error> {
        let schema = source.schema();
        let present = columns.iter().filter(|name| schema.index_of(name).is_ok()).map(|name| ident(*name));
        let Some(frame) = self.wanted(source, wanted).await? else { return Ok(()) };
        let frame = frame.select(present.collect::<Vec<_>>()).map_err(internal)?;
        let mut batches = frame.execute_stream().await.map_err(failed)?;
        while let Some(batch) = batches.try_next().await.map_err(failed)? {
            if !take(&batch) {
                break;
            }
        }
        Ok(())
    }

    /// The rows of a source that are wanted, whole.
    pub async fn rows(
        &self,
        source: &Source,
        wanted: Wanted<'_>,
    ) -> Result<BoxStream<'static, Result<RecordBatch, Error>>, Error> {
        let Some(frame) = self.wanted(source, wanted).await? else { return Ok(stream::empty().boxed()) };
        Ok(frame.execute_stream().await.map_err(failed)?.map_err(failed).boxed())
    }

    /// The rows that are wanted of these.
    pub async fn matching(&self, rows: RecordBatch, wanted: Wanted<'_>) -> Result<Vec<RecordBatch>, Error> {
        let source = Source::Hot(Arc::new(HotBatch::new(wanted.signal, rows, Timestamp::default())));
        match self.wanted(&source, wanted).await? {
            Some(frame) => frame.collect().await.map_err(failed),
            None => Ok(Vec::new()),
        }
    }

    /// The newest rows of a source that are wanted, with all columns.
    pub async fn newest(
        &self,
        source: &Source,
        wanted: Wanted<'_>,
        limit: usize,
    ) -> Result<Vec<RecordBatch>, Error> {
        let Some(frame) = self.wanted(source, wanted).await? else { return Ok(Vec::new()) };
        let newest_first = vec![moment(wanted.signal).sort(false, false)];
        let frame = frame.sort(newest_first).and_then(|frame| frame.limit(0, Some(limit)));
        frame.map_err(internal)?.collect().await.map_err(failed)
    }
}

/// Which row groups of a block may have what is wanted; `None` when that is not known.
async fn groups(block: &Arc<Block>, filter: &Expression) -> Result<Option<Vec<bool>>, Error> {
    let needs = Needs::of(filter, block.schema());
    if needs.are_none() {
        return Ok(None);
    }
    let block = Arc::clone(block);
    let looked = crate::compute(move || block.row_groups(|has| needs.are_met(has)));
    // As with any error of reading: the block is marked, and the search goes on without it.
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

/// When a row happened.
fn moment(signal: Signal) -> Expr {
    match signal {
        Signal::Traces => ident(schema::START),
        Signal::Metrics => ident(schema::TIME),
        Signal::Logs => nvl(nullif(ident(schema::TIME), lit(0u64)), ident(schema::OBSERVED_TIME)),
    }
}

/// Nothing when every row is in the range anyway.
fn in_range(signal: Signal, statistics: &BlockStatistics, range: TimeRange) -> Option<Expr> {
    if range.contains(statistics.first) && range.contains(statistics.last) {
        return None;
    }
    let between = |column: &str| {
        let lower = ident(column).gt_eq(lit(range.from.0));
        lower.and(ident(column).lt(lit(range.to.0)))
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
