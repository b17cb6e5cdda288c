//! Runs one filter over a snapshot, source by source, newest first: each block and hot batch has columns of its own.

use crate::predicate::Predicate;
use crate::trace::internal;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionConfig, SessionContext};
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

    /// The rows of a source that satisfy the filter and lie in the range, with these of its columns (all for `None`).
    pub async fn rows(
        &self,
        source: &Source,
        signal: Signal,
        (filter, range): (&Expression, TimeRange),
        columns: Option<&[&str]>,
    ) -> Result<Vec<RecordBatch>, Error> {
        let schema = source.schema();
        let predicate = Predicate { signal, schema: &schema };
        let mut frame = self.frame(source).await?;
        if let Some(condition) = predicate.expression(filter) {
            frame = frame.filter(condition).map_err(internal)?;
        }
        if let Some(condition) = in_range(signal, source.statistics(), range) {
            frame = frame.filter(condition).map_err(internal)?;
        }
        if let Some(columns) = columns {
            let present = columns.iter().filter(|name| schema.index_of(name).is_ok());
            frame = frame.select(present.map(|name| ident(*name)).collect::<Vec<_>>()).map_err(internal)?;
        }
        frame.collect().await.map_err(failed)
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
