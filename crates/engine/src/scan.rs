//! Runs one filter over a snapshot, source by source, newest first: each block and hot batch has columns of its own.

use crate::predicate::Predicate;
use crate::trace::internal;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{Expr, ident, lit, when};
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionConfig, SessionContext};
use futures::TryStreamExt;
use model::{Signal, TimeRange, schema};
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

    async fn frame(&self, source: &Source) -> Result<DataFrame, Error> {
        match source {
            Source::Hot(batch) => self.context.read_batch(batch.columns.clone()).map_err(internal),
            Source::Block(block) => {
                let path = block.path().to_string_lossy().into_owned();
                let schema: &Schema = block.schema();
                let options = ParquetReadOptions::default().schema(schema);
                self.context.read_parquet(path, options).await.map_err(internal)
            }
        }
    }

    /// Shows every row of a source that satisfies the filter and lies in the range, with these of its columns (all for
    /// `None`), a batch at a time.
    pub async fn each(
        &self,
        source: &Source,
        signal: Signal,
        wanted: (&Expression, TimeRange),
        columns: Option<&[&str]>,
        mut show: impl FnMut(&RecordBatch),
    ) -> Result<(), Error> {
        let mut frame = self.matching(source, signal, wanted).await?;
        if let Some(columns) = columns {
            let schema = source.schema();
            let present = columns.iter().filter(|name| schema.index_of(name).is_ok());
            frame = frame.select(present.map(|name| ident(*name)).collect::<Vec<_>>()).map_err(internal)?;
        }
        let mut batches = frame.execute_stream().await.map_err(failed)?;
        while let Some(batch) = batches.try_next().await.map_err(failed)? {
            show(&batch);
        }
        Ok(())
    }

    /// The newest rows, at most `limit`, of those that satisfy the filter and lie in the range.
    pub async fn newest(
        &self,
        source: &Source,
        signal: Signal,
        wanted: (&Expression, TimeRange),
        limit: usize,
    ) -> Result<Vec<RecordBatch>, Error> {
        let frame = self.matching(source, signal, wanted).await?;
        let newest_first = frame.sort(vec![moment(signal)?.sort(false, false)]).map_err(internal)?;
        newest_first.limit(0, Some(limit)).map_err(internal)?.collect().await.map_err(failed)
    }

    /// Whether a row of a batch satisfies the filter and lies in the range.
    pub async fn any(
        &self,
        batch: RecordBatch,
        signal: Signal,
        (filter, range): (&Expression, TimeRange),
    ) -> Result<bool, Error> {
        let schema = batch.schema();
        let mut frame = self.context.read_batch(batch).map_err(internal)?;
        let condition = Predicate { signal, schema: &schema }.expression(filter);
        for condition in condition.into_iter().chain([in_range(signal, range)]) {
            frame = frame.filter(condition).map_err(internal)?;
        }
        Ok(frame.limit(0, Some(1)).map_err(internal)?.count().await.map_err(failed)? > 0)
    }

    async fn matching(
        &self,
        source: &Source,
        signal: Signal,
        (filter, range): (&Expression, TimeRange),
    ) -> Result<DataFrame, Error> {
        let schema = source.schema();
        let mut frame = self.frame(source).await?;
        if let Some(condition) = (Predicate { signal, schema: &schema }).expression(filter) {
            frame = frame.filter(condition).map_err(internal)?;
        }
        // Often every row is in the range anyway.
        let statistics = source.statistics();
        if !range.contains(statistics.first) || !range.contains(statistics.last) {
            frame = frame.filter(in_range(signal, range)).map_err(internal)?;
        }
        Ok(frame)
    }
}

fn failed(error: datafusion::error::DataFusionError) -> Error {
    match error.find_root() {
        datafusion::error::DataFusionError::ResourcesExhausted(_) => Error::Busy {
            message: "the query needs more memory than there is; narrow the time range or the filter"
                .to_owned(),
        },
        _ => internal(error),
    }
}

fn in_range(signal: Signal, range: TimeRange) -> Expr {
    let between = |column: &str| {
        let lower = ident(column).gt_eq(lit(range.from.0));
        lower.and(ident(column).lt(lit(range.to.0)))
    };
    match signal {
        Signal::Traces => between(schema::START),
        Signal::Metrics => between(schema::TIME),
        Signal::Logs => {
            let unknown = ident(schema::TIME).eq(lit(0u64));
            between(schema::TIME).or(unknown.and(between(schema::OBSERVED_TIME)))
        }
    }
}

/// What rows are sorted by when the newest are wanted. A log record without a time was observed at some time.
fn moment(signal: Signal) -> Result<Expr, Error> {
    match signal {
        Signal::Traces => Ok(ident(schema::START)),
        Signal::Metrics => Ok(ident(schema::TIME)),
        Signal::Logs => when(ident(schema::TIME).eq(lit(0u64)), ident(schema::OBSERVED_TIME))
            .otherwise(ident(schema::TIME))
            .map_err(internal),
    }
}
