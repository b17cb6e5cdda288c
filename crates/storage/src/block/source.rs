//! A block that is being rewritten: its rows in order, with few of them in memory at a time.

use super::checksum::Checked;
use super::order::{Keys, RowKey, key_columns};
use crate::error::Error;
use crate::layout::{Filled, Part};
use crate::snapshot::Block;
use arrow::record_batch::RecordBatch;
use model::Signal;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

/// Rows are read in portions of about this size.
const PORTION_BYTES: u64 = 2 << 20;
const MOST_ROWS: u64 = 8192;

/// An open block.
pub(super) struct Source {
    file: Checked,
    footer: ArrowReaderMetadata,
}

/// The rows of a block, portion by portion.
pub(super) struct Rows {
    file: Checked,
    reader: ParquetRecordBatchReader,
}

impl Source {
    pub(super) fn open(block: &Block) -> Result<Self, Error> {
        let file = block.file()?;
        let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new());
        let footer = footer.map_err(|error| file.fault(&error))?;
        Ok(Self { file, footer })
    }

    /// What its columns hold.
    pub(super) fn part(&self) -> Part {
        let schema = self.footer.schema();
        let mut columns = vec![Filled::default(); schema.fields().len()];
        for group in self.footer.metadata().row_groups() {
            // No column nests, so that they are the same in Parquet and Arrow.
            for (filled, chunk) in columns.iter_mut().zip(group.columns()) {
                let own = filled_by(chunk);
                filled.values += own.values;
                filled.bytes += own.bytes;
                filled.sampled += own.sampled;
                filled.different += own.different;
            }
        }
        Part::new(schema.clone(), columns)
    }

    pub(super) fn rows(&self) -> Result<Rows, Error> {
        self.read(ProjectionMask::all(), self.portion())
    }

    /// The keys of all rows, in order.
    pub(super) fn keys<'k>(
        &self,
        signal: Signal,
        keys: &'k Keys,
    ) -> Result<impl Iterator<Item = Result<RowKey, Error>> + use<'k>, Error> {
        let fields = self.footer.schema().fields().iter().enumerate();
        let roots = fields.filter(|(_, field)| key_columns(signal).contains(&field.name().as_str()));
        let roots: Vec<usize> = roots.map(|(place, _)| place).collect();
        let mask = ProjectionMask::roots(self.footer.parquet_schema(), roots);
        let rows = self.read(mask, usize::try_from(MOST_ROWS).unwrap_or(usize::MAX))?;
        Ok(rows.flat_map(move |batch| match batch {
            Ok(batch) => keys.of(&batch).into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        }))
    }

    fn read(&self, columns: ProjectionMask, portion: usize) -> Result<Rows, Error> {
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.footer.clone())
                .with_projection(columns)
                .with_batch_size(portion)
                .build()
                .map_err(|error| self.file.fault(&error))?;
        Ok(Rows { file: self.file.clone(), reader })
    }

    /// How many rows to read at once.
    fn portion(&self) -> usize {
        let groups = self.footer.metadata().row_groups();
        let rows: i64 = groups.iter().map(RowGroupMetaData::num_rows).sum();
        let chunks = groups.iter().flat_map(RowGroupMetaData::columns);
        // What shares its start with the value before is larger in memory than uncompressed in the file.
        let bytes: u64 =
            chunks.map(|chunk| filled_by(chunk).bytes.max(chunk.uncompressed_size().unsigned_abs())).sum();
        let per_row = (bytes / rows.unsigned_abs().max(1)).max(1);
        usize::try_from((PORTION_BYTES / per_row).clamp(16, MOST_ROWS)).unwrap_or(16)
    }
}

/// What one row group's part of a column holds.
pub(crate) fn filled_by(chunk: &ColumnChunkMetaData) -> Filled {
    let nulls = chunk.statistics().and_then(Statistics::null_count_opt).unwrap_or(0);
    let values = chunk.num_values().unsigned_abs().saturating_sub(nulls);
    let bytes = chunk.unencoded_byte_array_data_bytes().map_or(0, i64::unsigned_abs);
    // What was found unique when it was sealed was written without a dictionary.
    let unique = bytes > 0 && chunk.dictionary_page_offset().is_none();
    Filled { values, bytes, sampled: values, different: if unique { values } else { 0 } }
}

impl Rows {
    /// What an error in these rows means.
    pub(super) fn fault(&self, error: &dyn std::fmt::Display) -> Error {
        self.file.fault(error)
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.map_err(|error| self.file.fault(&error)))
    }
}
