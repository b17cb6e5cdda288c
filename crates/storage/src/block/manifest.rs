//! What a block says of itself, in the footer of its file: enough to enter it into a catalog that has lost it.

use super::{Checksums, Coverage, Description};
use crate::error::Error;
use crate::place::Place;
use crate::snapshot::{BlockStatistics, OperationCount};
use crate::tables::TableKey;
use arrow::datatypes::{Schema, SchemaRef};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{Signal, TenantId, Timestamp};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::reader::ChunkReader;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Where the file's key-value metadata has it.
pub(super) const KEY: &str = "clew.block";
/// The version of [`Manifest`].
const VERSION: u32 = 2;

/// Where the rows of a block came from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) key: TableKey,
    pub(crate) coverage: Option<Coverage>,
    pub(crate) generation: u32,
    /// The names of the blocks that it was made of.
    pub(crate) sources: Vec<String>,
    /// When the youngest of its rows were sealed, on the store's clock.
    pub(crate) sealed: Timestamp,
}

/// As it is written: JSON after its CRC-32C in hexadecimal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    version: u32,
    tenant: String,
    signal: String,
    sequences: Option<(u64, u64)>,
    generation: u32,
    pub(crate) sources: Vec<String>,
    sealed: u64,
    rows: u64,
    first: u64,
    last: u64,
    value_bytes: u64,
    operations: Vec<(String, String, i32, u64)>,
    /// Of the schema: where the indexes are, which keys there are.
    metadata: HashMap<String, String>,
    /// Of the chunks before the footer.
    checksums: String,
}

impl Manifest {
    pub(super) fn new(
        origin: &Origin,
        statistics: &BlockStatistics,
        schema: &Schema,
        (checksums, value_bytes): (&Checksums, u64),
    ) -> Self {
        let operation = |of: &OperationCount| (of.service.clone(), of.operation.clone(), of.kind, of.rows);
        Self {
            version: VERSION,
            tenant: origin.key.tenant.as_str().to_owned(),
            signal: origin.key.signal.as_str().to_owned(),
            sequences: origin.coverage.map(|of| (of.first, of.last)),
            generation: origin.generation,
            sources: origin.sources.clone(),
            sealed: origin.sealed.0,
            rows: statistics.rows,
            first: statistics.first.0,
            last: statistics.last.0,
            value_bytes,
            operations: statistics.operations.iter().map(operation).collect(),
            metadata: schema.metadata().clone(),
            checksums: STANDARD.encode(checksums.to_bytes()),
        }
    }

    pub(super) fn to_text(&self) -> Result<String, Error> {
        let json = serde_json::to_string(self).map_err(|error| Error::Damaged {
            what: "what a block says of itself".to_owned(),
            detail: error.to_string(),
        })?;
        Ok(format!("{:08x}{json}", crc32c::crc32c(json.as_bytes())))
    }

    fn of_text(text: &str) -> Option<Self> {
        let (sum, json) = text.split_at_checked(8)?;
        let is_whole = u32::from_str_radix(sum, 16).ok()? == crc32c::crc32c(json.as_bytes());
        let manifest: Self = serde_json::from_str(json).ok().filter(|_| is_whole)?;
        (manifest.version <= VERSION).then_some(manifest)
    }

    /// That of a file, with the schema of its columns; `None` when an older version wrote it.
    ///
    /// # Errors
    /// When the file cannot be read as Parquet.
    pub(crate) fn read(file: &impl ChunkReader) -> parquet::errors::Result<Option<(Self, SchemaRef)>> {
        let footer = ParquetMetaDataReader::new().parse_and_finish(file)?;
        let footer = footer.file_metadata();
        let listed = footer.key_value_metadata();
        let text = listed.and_then(|pairs| pairs.iter().find(|pair| pair.key == KEY)?.value.as_deref());
        let Some(manifest) = text.and_then(Self::of_text) else { return Ok(None) };
        let schema = parquet_to_arrow_schema(footer.schema_descr(), listed)?;
        let schema = schema.with_metadata(manifest.metadata.clone());
        Ok(Some((manifest, Arc::new(schema))))
    }

    /// That of a file on the disk; `None` also when it is no block.
    pub(crate) fn of_file(path: &Path) -> Option<(Self, SchemaRef)> {
        Self::read(&File::open(path).ok()?).ok()?
    }

    pub(crate) fn key(&self) -> Option<TableKey> {
        Some(TableKey { tenant: TenantId::new(&self.tenant)?, signal: Signal::from_name(&self.signal)? })
    }

    pub(crate) fn coverage(&self) -> Option<Coverage> {
        self.sequences.map(|(first, last)| Coverage { first, last })
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// What the catalog is to know of the block at this place. What was written before the footer is checked by the sums in
    /// here when it is read; the rest has those that are given.
    pub(crate) fn describe(
        &self,
        place: Place,
        bytes: u64,
        schema: SchemaRef,
        found: &Checksums,
    ) -> Description {
        let operation = |(service, operation, kind, rows): &(String, String, i32, u64)| OperationCount {
            service: service.clone(),
            operation: operation.clone(),
            kind: *kind,
            rows: *rows,
        };
        let own = STANDARD.decode(&self.checksums).unwrap_or_default();
        Description {
            place,
            bytes,
            statistics: BlockStatistics {
                rows: self.rows,
                first: Timestamp(self.first),
                last: Timestamp(self.last),
                sealed: Timestamp(self.sealed),
                operations: self.operations.iter().map(operation).collect(),
            },
            schema,
            checksums: Checksums::from_bytes(&own).or(found),
            coverage: self.coverage(),
            generation: self.generation,
            value_bytes: self.value_bytes,
        }
    }
}
