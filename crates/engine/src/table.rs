//! A block as a table of DataFusion's, of which only some row groups may be read. What is read comes from storage, which
//! knows where the file is and checks what it has.

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    ParquetAccessPlan, ParquetFileReaderFactory, RowGroupAccess,
};
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection};
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::{BoxFuture, FutureExt, TryFutureExt};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use storage::Block;

/// One block's file.
pub struct BlockTable {
    pub block: Arc<Block>,
    /// The row groups to read, and of each which rows; all where none are named.
    pub parts: Vec<(usize, Option<Range<usize>>)>,
}

impl fmt::Debug for BlockTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("BlockTable").field(&self.block.name()).finish()
    }
}

impl BlockTable {
    /// What is read of the file.
    async fn plan(&self) -> Result<ParquetAccessPlan> {
        let footer = self.block.footer().await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let mut plan = ParquetAccessPlan::new_none(footer.num_row_groups());
        for (group, rows) in self.parts.iter().filter(|(group, _)| *group < footer.num_row_groups()) {
            match rows {
                None => plan.scan(*group),
                Some(rows) => {
                    let all = usize::try_from(footer.row_group(*group).num_rows()).unwrap_or_default();
                    let selection = RowSelection::from_consecutive_ranges(std::iter::once(rows.clone()), all);
                    plan.set(*group, RowGroupAccess::Selection(selection));
                }
            }
        }
        Ok(plan)
    }
}

#[async_trait]
impl TableProvider for BlockTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.block.schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters are not taken here: the optimizer pushes them into the scan.
    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = TableParquetOptions {
            global: state.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        let source = ParquetSource::new(self.schema())
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(BlockReader(Arc::clone(&self.block))));
        let mut file = PartitionedFile::new(self.block.name(), self.block.bytes());
        file = file.with_extension(self.plan().await?);
        let scan = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file(file)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}

/// Reads a block for DataFusion.
#[derive(Clone)]
struct BlockReader(Arc<Block>);

impl fmt::Debug for BlockReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("BlockReader").field(&self.0.name()).finish()
    }
}

impl ParquetFileReaderFactory for BlockReader {
    fn create_reader(
        &self,
        _partition_index: usize,
        _file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        Ok(Box::new(self.clone()))
    }
}

fn failed(error: storage::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for BlockReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let read = self.0.read(vec![range]).map_err(failed);
        read.map_ok(|mut parts| parts.pop().unwrap_or_default()).boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        self.0.read(ranges).map_err(failed).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        self.0.footer().map_err(failed).boxed()
    }
}
