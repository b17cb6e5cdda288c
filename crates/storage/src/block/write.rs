//! Writes a block: from hot batches when sealing, from other blocks when these are rewritten.

use super::Description;
use super::checksum::{Checksums, Summing};
use super::gather::Gather;
use super::manifest::{self, Manifest, Origin};
use super::order::{Place as RowPlace, order, traces};
use super::pieces::{Piece, Pieces, fitting, group_rows, row_bytes};
use super::words::{self, Words};
use crate::disk;
use crate::error::Error;
use crate::layout::{Layout, Nulls, Part};
use crate::place::Place;
use crate::rollup::Rollup;
use crate::snapshot::{BlockStatistics, HotBatch};
use crate::statistics;
use crate::steps;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use model::{Signal, Timestamp, schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A row group has at most so many rows; those of a block have equally many.
pub(super) const ROW_GROUP_ROWS: usize = 96 << 10;
pub(super) const PAGE_ROWS: usize = 4096;
/// Smaller than Parquet's usual megabyte, because a trace lookup reads them whole.
const PAGE_BYTES: usize = 128 << 10;
/// An attribute that fewer than one row in this many has goes into the tail.
pub(super) const RARE: u64 = 64;
/// Where the schema's metadata says where the roll-up is: offset and length, with a plus between them.
pub(super) const ROLLUP: &str = "clew.rollup";
/// A block of more operations has no roll-up: names then are no names, but have an id in them.
const MOST_OPERATIONS: usize = 10_000;
/// Rows are gathered in portions of about this size, so that sealing needs little memory of its own.
const PORTION_BYTES: u64 = 64 << 20;

/// Writes the rows of hot batches as one block to `path`, in order, without what was resent.
pub(crate) fn write_block(
    path: &Path,
    origin: &Origin,
    batches: &[Arc<HotBatch>],
) -> Result<Description, Error> {
    let signal = origin.key.signal;
    let columns: Vec<&RecordBatch> = batches.iter().map(|batch| &batch.columns).collect();
    let rows: u64 = batches.iter().map(|batch| batch.statistics.rows).sum();
    let parts = Part::of_hot(&columns);
    let layout = Layout::plan(signal, &parts, rows / RARE);
    let mut nulls = Nulls::default();
    let arranged: Vec<RecordBatch> =
        columns.iter().map(|batch| layout.arrange(batch, &mut nulls)).collect::<Result<_, _>>()?;
    let gather = Gather::new(&layout.schema, &arranged)?;
    let received = batches.iter().map(|batch| batch.received).min().unwrap_or_else(Timestamp::now);
    let mut writer = Writer::create(path, signal, &layout, (rows, traces(batches)))?;
    let mut contents = Contents::new(signal, received, rows);
    let order = order(signal, batches);
    let sizes: Vec<Vec<u64>> = arranged.iter().map(row_bytes).collect();
    // One thread gathers and looks at rows while the other writes those before.
    let (send, ready) = std::sync::mpsc::sync_channel(1);
    let contents = std::thread::scope(|threads| {
        let gathering = threads.spawn(move || {
            let mut rest = order.as_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(portion(rest, &sizes));
                rest = later;
                let pieces = contents.add(&gather.rows(now)?);
                // Fails when writing failed, which tells of it.
                if send.send(pieces).is_err() {
                    break;
                }
            }
            Ok::<_, Error>(contents)
        });
        for piece in ready.into_iter().flatten() {
            writer.write(&piece)?;
        }
        gathering.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    writer.finish(origin, contents)
}

/// How many of these rows to gather at once.
fn portion(places: &[RowPlace], sizes: &[Vec<u64>]) -> usize {
    let size = |(batch, row): &RowPlace| sizes.get(*batch).and_then(|of| of.get(*row)).copied().unwrap_or(0);
    let next: Vec<u64> = places.iter().take(PAGE_ROWS).map(size).collect();
    fitting(&next, PORTION_BYTES).0
}

/// What is known of rows that are written.
pub(super) struct Contents {
    signal: Signal,
    /// What a time that was not given counts as.
    received: Timestamp,
    parts: Vec<BlockStatistics>,
    pieces: Pieces,
    value_bytes: u64,
    words: Words,
    /// Of spans.
    rollup: Rollup,
}

impl Contents {
    /// For at most so many rows.
    pub(super) fn new(signal: Signal, received: Timestamp, rows: u64) -> Self {
        Self {
            signal,
            received,
            parts: Vec::new(),
            pieces: Pieces::new(rows),
            value_bytes: 0,
            words: Words::new(),
            rollup: Rollup::default(),
        }
    }

    /// Looks at the next rows, and answers in which pieces to write them.
    pub(super) fn add(&mut self, rows: &RecordBatch) -> Vec<Piece> {
        if self.signal == Signal::Traces && self.rollup.operations.len() <= MOST_OPERATIONS {
            self.rollup.add(rows);
        }
        self.parts.push(statistics::of_rows(self.signal, rows, self.received));
        let pieces = self.pieces.cut(rows);
        for piece in &pieces {
            self.value_bytes += piece.value_bytes;
            if self.signal != Signal::Metrics {
                self.words.add(&piece.rows, piece.ends_group);
            }
        }
        pieces
    }
}

/// A block being written under a temporary name; dropped without [`Writer::finish`], it leaves nothing.
pub(super) struct Writer {
    path: PathBuf,
    temporary: Temporary,
    schema: SchemaRef,
    file: ArrowWriter<Summing<File>>,
}

impl Writer {
    /// For at most so many rows and traces.
    pub(super) fn create(
        path: &Path,
        signal: Signal,
        layout: &Layout,
        (rows, traces): (u64, u64),
    ) -> Result<Self, Error> {
        let temporary = Temporary(path.with_extension("tmp"));
        let file = File::create(&temporary.0).map_err(Error::io("creating", &temporary.0))?;
        let properties = properties(signal, layout, (group_rows(rows), traces))?;
        let file = ArrowWriter::try_new(Summing::new(file), Arc::clone(&layout.schema), Some(properties))?;
        Ok(Self { path: path.to_owned(), temporary, schema: Arc::clone(&layout.schema), file })
    }

    /// The next rows, in the layout's schema.
    pub(super) fn write(&mut self, piece: &Piece) -> Result<(), Error> {
        let written = self.file.write(&piece.rows);
        let written = if piece.ends_group { written.and_then(|()| self.file.flush()) } else { written };
        written.map_err(|error| disk_error(error, &self.temporary.0))
    }

    /// Writes what is not rows: between the last row group and the footer, where Parquet readers do not look. Answers what
    /// the schema's metadata says of it.
    fn write_indexes(
        &mut self,
        signal: Signal,
        words: Words,
        rollup: &Rollup,
    ) -> Result<Vec<(&'static str, String)>, Error> {
        let mut written = Vec::new();
        let failed = || Error::io("writing", &self.temporary.0);
        if signal != Signal::Metrics {
            let (filters, location) = words.finish(self.file.bytes_written() as u64);
            self.file.write_all(&filters).map_err(failed())?;
            written.extend(serde_json::to_string(&location).ok().map(|json| (words::KEY, json)));
        }
        if signal == Signal::Traces && rollup.operations.len() <= MOST_OPERATIONS {
            let bytes = rollup.to_bytes().map_err(failed())?;
            written.push((ROLLUP, format!("{}+{}", self.file.bytes_written(), bytes.len())));
            self.file.write_all(&bytes).map_err(failed())?;
        }
        Ok(written)
    }

    /// Fsyncs the file and gives it its name, for good. The contents are those of all rows.
    pub(super) fn finish(mut self, origin: &Origin, contents: Contents) -> Result<Description, Error> {
        self.file.flush().map_err(|error| disk_error(error, &self.temporary.0))?;
        let mut metadata = self.schema.metadata().clone();
        for (key, value) in self.write_indexes(contents.signal, contents.words, &contents.rollup)? {
            metadata.insert(key.to_owned(), value);
        }
        let schema = Arc::new(self.schema.as_ref().clone().with_metadata(metadata));
        let statistics = BlockStatistics { sealed: origin.sealed, ..statistics::sum(&contents.parts) };
        let value_bytes = contents.value_bytes;
        let sums = self.file.inner().whole_chunks();
        let manifest = Manifest::new(origin, &statistics, &schema, (&sums, value_bytes)).to_text()?;
        self.file.append_key_value_metadata(KeyValue::new(manifest::KEY.to_owned(), manifest));
        let (path, bytes, checksums) = self.name()?;
        Ok(Description {
            place: Place::Disk(path),
            bytes,
            statistics,
            schema,
            checksums,
            coverage: origin.coverage,
            generation: origin.generation,
            value_bytes,
        })
    }

    /// Ends the file, and names it once all of it is on the disk.
    fn name(mut self) -> Result<(PathBuf, u64, Checksums), Error> {
        self.file.finish().map_err(|error| disk_error(error, &self.temporary.0))?;
        self.file.inner().inner().sync_all().map_err(Error::io("writing", &self.temporary.0))?;
        steps::reached("seal: file written");
        let checksums = self.file.inner().checksums();
        let path = self.path;
        std::fs::rename(&self.temporary.0, &path).map_err(Error::io("renaming", &self.temporary.0))?;
        let directory = path.parent().unwrap_or(&path);
        disk::sync_directory(directory).map_err(Error::io("writing the directory", directory))?;
        let bytes = path.metadata().map_err(Error::io("reading", &path))?.len();
        Ok((path, bytes, checksums))
    }
}

/// A file that is removed when it was not renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        disk::remove(&self.0);
    }
}

fn properties(
    signal: Signal,
    layout: &Layout,
    (group_rows, traces): (usize, u64),
) -> Result<WriterProperties, Error> {
    let builder = WriterProperties::builder()
        .set_created_by(format!("clew {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(group_rows))
        .set_write_batch_size(PAGE_ROWS / 4)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(PAGE_BYTES)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    let builder = encodings(builder, layout);
    // Only what rows are sorted by differs from page to page: bounds of other columns' pages would rule out none.
    let sorted = [schema::TRACE_ID, schema::NAME, schema::TIME].map(ColumnPath::from);
    let builder = sorted.into_iter().fold(builder, |builder, column| {
        builder.set_column_statistics_enabled(column, EnabledStatistics::Page)
    });
    let ids = ColumnPath::from(schema::TRACE_ID);
    Ok(match signal {
        Signal::Traces | Signal::Logs => builder
            .set_column_bloom_filter_enabled(ids.clone(), true)
            .set_column_bloom_filter_fpp(ids.clone(), 0.01)
            .set_column_bloom_filter_max_ndv(ids, traces.clamp(1, group_rows as u64))
            .build(),
        Signal::Metrics => builder.build(),
    })
}

fn encodings(builder: WriterPropertiesBuilder, layout: &Layout) -> WriterPropertiesBuilder {
    // Ids and times hardly repeat: a dictionary of them is built in vain.
    let unique =
        [schema::TRACE_ID, schema::SPAN_ID, schema::START, schema::END, schema::TIME, schema::OBSERVED_TIME];
    let builder = unique
        .into_iter()
        .fold(builder, |builder, name| builder.set_column_dictionary_enabled(ColumnPath::from(name), false));
    let builder = layout.unique.iter().fold(builder, |builder, name| {
        let column = ColumnPath::new(vec![name.clone()]);
        builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_LENGTH_BYTE_ARRAY)
    });
    // An agent sends its history again with every call, and a trace's calls follow each other in a block: what a value
    // shares with the start of the one before is not written again.
    layout.long.iter().fold(builder, |builder, name| {
        let column = ColumnPath::new(vec![name.clone()]);
        builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BYTE_ARRAY)
    })
}

/// Tells a full disk from other failures of the writer.
fn disk_error(error: parquet::errors::ParquetError, path: &Path) -> Error {
    match error {
        parquet::errors::ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => Error::io("writing", path)(*source),
            Err(source) => parquet::errors::ParquetError::External(source).into(),
        },
        other => other.into(),
    }
}
