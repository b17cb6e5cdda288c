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
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy};
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::statistics::Statistics;

/// Rows are read in portions of about this size.
const PORTION_BYTES: u64 = 4 << 20;
const MOST_ROWS: u64 = 8192;

/// An open block.
pub(super) struct Source {
    file: Checked,
    footer: ArrowReaderMetadata,
}

/// The rows of a block, portion by portion, one row group after the other.
pub(super) struct Rows {
    file: Checked,
    footer: ArrowReaderMetadata,
    columns: ProjectionMask,
    /// How many rows to read at once, by row group.
    portions: std::vec::IntoIter<usize>,
    group: usize,
    reader: Option<ParquetRecordBatchReader>,
}

impl Source {
    pub(super) fn open(block: &Block) -> Result<Self, Error> {
        let file = block.file()?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let footer = ArrowReaderMetadata::load(&file, options);
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

    pub(super) fn rows(&self) -> Rows {
        let groups = 0..self.footer.metadata().num_row_groups();
        self.read(ProjectionMask::all(), groups.map(|group| self.portion(group)).collect())
    }

    /// The rows that can be read: of a row group that is damaged, those before the damage.
    pub(super) fn readable_rows(&self) -> impl Iterator<Item = RecordBatch> {
        let groups = 0..self.footer.metadata().num_row_groups();
        groups.flat_map(|group| {
            let portions = vec![self.portion(group)].into_iter();
            let rows = Rows { group, portions, ..self.read(ProjectionMask::all(), Vec::new()) };
            rows.map_while(Result::ok)
        })
    }

    /// The keys of all rows, in order.
    pub(super) fn keys<'k>(
        &self,
        signal: Signal,
        keys: &'k Keys,
    ) -> Result<impl Iterator<Item = Result<RowKey, Error>> + use<'k>, Error> {
        let rows = self.columns(key_columns(signal));
        Ok(rows.flat_map(move |batch| match batch {
            Ok(batch) => keys.of(&batch).into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        }))
    }

    /// These columns of all rows, in order; values are to be short.
    pub(super) fn columns(&self, names: &[&str]) -> Rows {
        let fields = self.footer.schema().fields().iter().enumerate();
        let roots = fields.filter(|(_, field)| names.contains(&field.name().as_str()));
        let roots: Vec<usize> = roots.map(|(place, _)| place).collect();
        let mask = ProjectionMask::roots(self.footer.parquet_schema(), roots);
        let portion = usize::try_from(MOST_ROWS).unwrap_or(usize::MAX);
        self.read(mask, vec![portion; self.footer.metadata().num_row_groups()])
    }

    fn read(&self, columns: ProjectionMask, portions: Vec<usize>) -> Rows {
        Rows {
            file: self.file.clone(),
            footer: self.footer.clone(),
            columns,
            portions: portions.into_iter(),
            group: 0,
            reader: None,
        }
    }

    /// How many rows of a row group to read at once.
    fn portion(&self, group: usize) -> usize {
        let metadata = self.footer.metadata();
        let of_group = metadata.row_group(group);
        let rows = of_group.num_rows().unsigned_abs().max(1);
        let pages = metadata.offset_index().and_then(|index| index.get(group));
        let per_row = of_group.columns().iter().enumerate().map(|(place, chunk)| {
            // What shares its start with the value before is larger in memory than uncompressed in the file.
            let bytes = filled_by(chunk).bytes.max(chunk.uncompressed_size().unsigned_abs());
            let densest = pages.and_then(|pages| densest(pages.get(place)?, rows));
            densest.unwrap_or(0).max(bytes / rows)
        });
        usize::try_from((PORTION_BYTES / per_row.sum::<u64>().max(1)).clamp(1, MOST_ROWS)).unwrap_or(1)
    }
}

/// The most bytes that a row has on average in one of a column's pages.
fn densest(pages: &OffsetIndexMetaData, rows: u64) -> Option<u64> {
    let bytes = pages.unencoded_byte_array_data_bytes()?;
    let starts = pages.page_locations().iter().map(|page| page.first_row_index.unsigned_abs());
    let ends = starts.clone().skip(1).chain([rows]);
    let of_page = |((start, end), bytes): ((u64, u64), &i64)| bytes.unsigned_abs() / (end - start).max(1);
    starts.zip(ends).zip(bytes).map(of_page).max()
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

impl Rows {
    fn open_group(&self, portion: usize) -> Result<ParquetRecordBatchReader, Error> {
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.footer.clone())
            .with_projection(self.columns.clone())
            .with_row_groups(vec![self.group])
            .with_batch_size(portion)
            .build()
            .map_err(|error| self.file.fault(&error))
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.reader.as_mut().and_then(Iterator::next) {
                return Some(batch.map_err(|error| self.file.fault(&error)));
            }
            let portion = self.portions.next()?;
            match self.open_group(portion) {
                Ok(reader) => self.reader = Some(reader),
                Err(error) => return Some(Err(error)),
            }
            self.group += 1;
        }
    }
}
