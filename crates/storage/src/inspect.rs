//! Looks into the files of a store without opening it, so that it may be in use, or damaged.

use crate::block::filled_by;
use crate::catalog::{CATALOG, Catalog, Entry};
use crate::error::Error;
use crate::log::read_segment_report;
pub use crate::log::{RecordReport, SegmentReport};
use crate::place::{Place, Places};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Inspection {
    Directory(DirectoryReport),
    Segment(SegmentReport),
    Block(BlockReport),
}

/// A data directory.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryReport {
    pub tables: Vec<TableReport>,
    /// Blocks that the catalog knows and that are missing, or of another length.
    pub damaged: Vec<String>,
    pub log: Vec<SegmentReport>,
}

/// A tenant's blocks of one signal.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableReport {
    pub tenant: String,
    pub signal: String,
    pub blocks: u64,
    pub rows: u64,
    pub bytes: u64,
    /// Nanoseconds since the epoch of the first and the last row.
    pub first: u64,
    pub last: u64,
}

/// A block's file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockReport {
    pub bytes: u64,
    pub rows: u64,
    pub row_groups: usize,
    /// In the file's order.
    pub columns: Vec<ColumnReport>,
    /// What is not in columns: bloom filters, page indexes, footer.
    pub other_bytes: u64,
}

/// A column of a block.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnReport {
    pub name: String,
    pub values: u64,
    pub encodings: String,
    pub compressed_bytes: u64,
    pub encoded_bytes: u64,
    /// Of text and bytes, before encoding.
    pub text_bytes: u64,
}

/// Tells what a data directory, a segment of its log or a block holds.
///
/// # Errors
/// When it is none of these, or cannot be read.
pub async fn inspect(path: &Path) -> Result<Inspection, Error> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("parquet") => block(path).map(Inspection::Block),
        Some("log") => read_segment_report(path).map(Inspection::Segment),
        _ if path.join(CATALOG).exists() => directory(path).await.map(Inspection::Directory),
        _ => Err(Error::Damaged {
            what: path.display().to_string(),
            detail: "it is neither a data directory (with catalog.sqlite in it), nor a .log or .parquet file of one"
                .to_owned(),
        }),
    }
}

async fn directory(path: &Path) -> Result<DirectoryReport, Error> {
    let contents = Catalog::read(&Places { directory: path.to_owned(), objects: None }).await?;
    let mut tables: BTreeMap<(String, &str), TableReport> = BTreeMap::new();
    let mut damaged: Vec<String> = contents.unreadable.iter().map(|(_, place)| place.to_string()).collect();
    for Entry { key, description, .. } in contents.blocks {
        // An object store is not asked.
        if let Place::Disk(file) = &description.place
            && file.metadata().map_or(0, |found| found.len()) != description.bytes
        {
            damaged.push(description.place.to_string());
        }
        let (tenant, signal) = (key.tenant.as_str().to_owned(), key.signal.as_str());
        let statistics = description.statistics;
        let table = tables.entry((tenant.clone(), signal)).or_insert_with(|| TableReport {
            tenant,
            signal: signal.to_owned(),
            first: u64::MAX,
            ..TableReport::default()
        });
        table.blocks += 1;
        table.rows += statistics.rows;
        table.bytes += description.bytes;
        table.first = table.first.min(statistics.first.0);
        table.last = table.last.max(statistics.last.0);
    }
    let segments = path.join("log");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&segments)
        .map_err(Error::io("reading the directory", &segments))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    let log = paths.iter().map(|segment| read_segment_report(segment)).collect::<Result<_, _>>()?;
    Ok(DirectoryReport { tables: tables.into_values().collect(), damaged, log })
}

fn block(path: &Path) -> Result<BlockReport, Error> {
    let file = File::open(path).map_err(Error::io("opening", path))?;
    let bytes = file.metadata().map_err(Error::io("reading", path))?.len();
    let damaged = |error: ParquetError| Error::Damaged {
        what: format!("block {}", path.display()),
        detail: error.to_string(),
    };
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(damaged)?;
    let columns = columns(&metadata);
    let in_columns: u64 = columns.iter().map(|column| column.compressed_bytes).sum();
    Ok(BlockReport {
        bytes,
        rows: metadata.file_metadata().num_rows().unsigned_abs(),
        row_groups: metadata.num_row_groups(),
        columns,
        other_bytes: bytes.saturating_sub(in_columns),
    })
}

fn columns(metadata: &ParquetMetaData) -> Vec<ColumnReport> {
    let mut columns: Vec<ColumnReport> = Vec::new();
    for (number, group) in metadata.row_groups().iter().enumerate() {
        for (place, chunk) in group.columns().iter().enumerate() {
            if number == 0 {
                columns.push(ColumnReport {
                    name: chunk.column_path().string(),
                    values: 0,
                    encodings: chunk
                        .encodings()
                        .map(|encoding| encoding.to_string())
                        .collect::<Vec<_>>()
                        .join(" "),
                    compressed_bytes: 0,
                    encoded_bytes: 0,
                    text_bytes: 0,
                });
            }
            let Some(column) = columns.get_mut(place) else { continue };
            let filled = filled_by(chunk);
            column.values += filled.values;
            column.text_bytes += filled.bytes;
            column.compressed_bytes += chunk.compressed_size().unsigned_abs();
            column.encoded_bytes += chunk.uncompressed_size().unsigned_abs();
        }
    }
    columns
}

impl SegmentReport {
    /// Records by tenant and signal: how many, and their bytes.
    #[must_use]
    pub fn by_table(&self) -> BTreeMap<(String, String), (u64, u64)> {
        let mut tables = BTreeMap::new();
        for RecordReport { tenant, signal, bytes, .. } in &self.records {
            let (count, total) = tables.entry((tenant.clone(), signal.clone())).or_insert((0, 0));
            *count += 1;
            *total += bytes;
        }
        tables
    }
}
