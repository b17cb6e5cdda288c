//! A block as a table of DataFusion's, of which only some row groups may be read.

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{CachedParquetFileReaderFactory, ParquetAccessPlan};
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// One block's file.
#[derive(Debug)]
pub struct BlockTable {
    pub path: String,
    pub bytes: u64,
    pub schema: SchemaRef,
    /// Which row groups to read; all when it is not known.
    pub groups: Option<Vec<bool>>,
}

#[async_trait]
impl TableProvider for BlockTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
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
        let disk = ObjectStoreUrl::local_filesystem();
        let store = state.runtime_env().object_store(&disk)?;
        let footers = state.runtime_env().cache_manager.get_file_metadata_cache();
        let options = TableParquetOptions {
            global: state.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(store, footers)));
        let mut file = PartitionedFile::new(self.path.clone(), self.bytes);
        if let Some(groups) = &self.groups {
            let mut plan = ParquetAccessPlan::new_all(groups.len());
            let unread = groups.iter().enumerate().filter(|(_, read)| !**read);
            unread.for_each(|(group, _)| plan.skip(group));
            file = file.with_extension(plan);
        }
        let scan = FileScanConfigBuilder::new(disk, Arc::new(source))
            .with_file(file)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}
