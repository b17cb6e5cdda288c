//! How a block is read in portions that fit in memory, however long its values are: rows are counted by their bytes.

use arrow::datatypes::{DataType, Schema};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use std::ops::Range;

/// A batch of rows is about this large when decoded. Far below 2^31, where the offsets of texts end.
const BATCH_BYTES: u64 = 32 << 20;
/// So much of a row group is read at once.
const PORTION_BYTES: u64 = 64 << 20;
/// Rows of a batch: a reader is set up for one of these.
pub const BATCH_ROWS: [usize; 5] = [8_192, 1_024, 128, 16, 1];

/// What is read at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// Row groups, and of each which rows; all where none are named.
    pub parts: Vec<(usize, Option<Range<usize>>)>,
    /// How many rows a batch may have: one of [`BATCH_ROWS`].
    pub batch_rows: usize,
    /// About as much memory is needed at a time.
    pub bytes: u64,
}

/// A column of a row group: its decoded bytes, page by page.
struct Profile {
    /// The first row of each page.
    starts: Vec<usize>,
    /// Before each page, and at the end.
    sums: Vec<u64>,
    rows: usize,
    /// As it rests in the file.
    compressed: u64,
}

impl Profile {
    fn of(footer: &ParquetMetaData, group: usize, column: usize, schema: &Schema) -> Self {
        let metadata = footer.row_group(group);
        let chunk = metadata.column(column);
        let rows = usize::try_from(metadata.num_rows()).unwrap_or_default();
        let compressed = chunk.compressed_size().unsigned_abs();
        let total = decoded(chunk, schema.fields().get(column).map(|field| field.data_type()));
        let index = footer.offset_index().and_then(|index| index.get(group)?.get(column));
        let pages = index.map(|index| {
            let first = |page: &parquet::file::page_index::offset_index::PageLocation| {
                usize::try_from(page.first_row_index).unwrap_or_default()
            };
            let starts: Vec<usize> = index.page_locations().iter().map(first).collect();
            (starts, index.unencoded_byte_array_data_bytes())
        });
        let (starts, bytes) = match pages {
            Some((starts, Some(bytes))) if !starts.is_empty() && starts.len() == bytes.len() => {
                (starts, bytes.iter().map(|bytes| bytes.unsigned_abs()).collect())
            }
            Some((starts, _)) if !starts.is_empty() => {
                let even = total.div_ceil(starts.len() as u64);
                let bytes = vec![even; starts.len()];
                (starts, bytes)
            }
            _ => (vec![0], vec![total]),
        };
        let mut sums = Vec::with_capacity(starts.len() + 1);
        sums.push(0);
        let mut sum = 0u64;
        for bytes in &bytes {
            sum = sum.saturating_add(*bytes);
            sums.push(sum);
        }
        // Dictionaries are held once, and not for each row.
        if sum > total {
            let scaled = |part: u64| u128::from(part) * u128::from(total) / u128::from(sum);
            let scale = |part: &mut u64| *part = scaled(*part).try_into().unwrap_or(total);
            sums.iter_mut().for_each(scale);
        }
        Self { starts, sums, rows, compressed }
    }

    fn total(&self) -> u64 {
        self.sums.last().copied().unwrap_or_default()
    }

    /// Of the pages that these rows are in.
    fn bytes(&self, rows: &Range<usize>) -> u64 {
        let first = self.starts.partition_point(|start| *start <= rows.start).saturating_sub(1);
        let end = self.starts.partition_point(|start| *start < rows.end);
        let sum = |place: usize| self.sums.get(place).copied().unwrap_or_default();
        sum(end).saturating_sub(sum(first))
    }

    /// Of a row of the page with the longest ones.
    fn densest(&self, rows: &Range<usize>) -> u64 {
        let ends = self.starts.iter().skip(1).copied().chain([self.rows]);
        let sums = self.sums.iter().zip(self.sums.iter().skip(1));
        let pages = self.starts.iter().zip(ends).zip(sums);
        let within = pages.filter(|((start, end), _)| **start < rows.end && *end > rows.start);
        let per_row = within.map(|((start, end), (before, after))| {
            after.saturating_sub(*before).div_ceil((end.saturating_sub(*start)).max(1) as u64)
        });
        per_row.max().unwrap_or_default()
    }
}

/// What a column's part takes in memory.
fn decoded(chunk: &ColumnChunkMetaData, data_type: Option<&DataType>) -> u64 {
    let encoded = chunk.uncompressed_size().unsigned_abs();
    match data_type {
        // Of a dictionary each value is there once; beside it, each row has a number.
        Some(DataType::Dictionary(..)) => encoded.saturating_add(4 * chunk.num_values().unsigned_abs()),
        _ => chunk.unencoded_byte_array_data_bytes().map_or(0, i64::unsigned_abs).max(encoded),
    }
}

/// How many rows of these a batch may have, and how many bytes that is at most.
fn batch(profiles: &[Profile], rows: &Range<usize>) -> (usize, u64) {
    let dense: Vec<(u64, u64)> =
        profiles.iter().map(|profile| (profile.densest(rows), profile.bytes(rows))).collect();
    let bytes = |count: usize| {
        let each = |(row, all): &(u64, u64)| row.saturating_mul(count as u64).min(*all);
        dense.iter().map(each).fold(0u64, u64::saturating_add)
    };
    let fits = BATCH_ROWS.into_iter().find(|count| bytes(*count) <= BATCH_BYTES).unwrap_or(1);
    (fits, bytes(fits))
}

fn profiles(footer: &ParquetMetaData, group: usize, columns: &[usize], schema: &Schema) -> Vec<Profile> {
    columns.iter().map(|column| Profile::of(footer, group, *column, schema)).collect()
}

/// How many rows of a row group may be in a batch with these columns.
pub(super) fn batch_rows(
    footer: &ParquetMetaData,
    group: usize,
    columns: &[usize],
    schema: &Schema,
) -> usize {
    let rows = usize::try_from(footer.row_group(group).num_rows()).unwrap_or_default();
    batch(&profiles(footer, group, columns, schema), &(0..rows)).0
}

/// What these columns of a row group take in memory.
pub(super) fn decoded_bytes(
    footer: &ParquetMetaData,
    group: usize,
    columns: &[usize],
    schema: &Schema,
) -> u64 {
    let metadata = footer.row_group(group);
    let of = |column: &usize| {
        decoded(metadata.column(*column), schema.fields().get(*column).map(|field| field.data_type()))
    };
    columns.iter().map(of).fold(0, u64::saturating_add)
}

/// The portions in which these columns of these row groups are read, in order.
pub(super) fn portions(
    footer: &ParquetMetaData,
    schema: &Schema,
    groups: impl Iterator<Item = usize>,
    columns: &[usize],
) -> Vec<Portion> {
    let mut portions: Vec<Portion> = Vec::new();
    for group in groups {
        let profiles = profiles(footer, group, columns, schema);
        let rows = usize::try_from(footer.row_group(group).num_rows()).unwrap_or_default();
        let total = profiles.iter().map(Profile::total).fold(0, u64::saturating_add);
        let compressed = profiles.iter().map(|profile| profile.compressed).fold(0, u64::saturating_add);
        if total <= PORTION_BYTES {
            let (batch_rows, bytes) = batch(&profiles, &(0..rows));
            let bytes = bytes.saturating_add(compressed);
            match portions.last_mut() {
                Some(last) if last.batch_rows == batch_rows && is_whole(last) => {
                    last.parts.push((group, None));
                    last.bytes = last.bytes.max(bytes);
                }
                _ => portions.push(Portion { parts: vec![(group, None)], batch_rows, bytes }),
            }
            continue;
        }
        for rows in cut(&profiles, rows) {
            let (batch_rows, bytes) = batch(&profiles, &rows);
            let held = profiles.iter().map(|profile| profile.bytes(&rows).min(profile.compressed));
            let bytes = bytes.saturating_add(held.fold(0, u64::saturating_add));
            portions.push(Portion { parts: vec![(group, Some(rows))], batch_rows, bytes });
        }
    }
    portions
}

fn is_whole(portion: &Portion) -> bool {
    portion.parts.iter().all(|(_, rows)| rows.is_none())
}

/// Cuts the rows of a row group at pages of its longest column.
fn cut(profiles: &[Profile], rows: usize) -> Vec<Range<usize>> {
    let longest = profiles.iter().max_by_key(|profile| profile.total());
    let borders = longest.map(|profile| profile.starts.as_slice()).unwrap_or_default();
    let weight =
        |rows: &Range<usize>| profiles.iter().map(|profile| profile.bytes(rows)).fold(0, u64::saturating_add);
    let (mut cuts, mut start, mut before) = (Vec::new(), 0, 0);
    for border in borders.iter().copied().filter(|border| *border > 0).chain([rows]) {
        if weight(&(start..border)) > PORTION_BYTES && before > start {
            cuts.push(start..before);
            start = before;
        }
        before = border;
    }
    cuts.push(start..rows);
    cuts
}

#[cfg(test)]
mod tests {
    use super::{BATCH_BYTES, Profile, batch, cut};

    fn profile(pages: &[(usize, u64)]) -> Profile {
        let (mut starts, mut sums, mut rows, mut sum) = (Vec::new(), vec![0], 0, 0);
        for (count, bytes) in pages {
            starts.push(rows);
            rows += count;
            sum += bytes;
            sums.push(sum);
        }
        Profile { starts, sums, rows, compressed: sum / 2 }
    }

    #[test]
    fn rows_are_counted_by_their_bytes() {
        let check = |pages: &[(usize, u64)], rows: usize| {
            let profile = profile(pages);
            let all = 0..profile.rows;
            let (found, bytes) = batch(&[profile], &all);
            assert_eq!(found, rows, "{pages:?}");
            assert!(found == 1 || bytes <= BATCH_BYTES, "{pages:?}");
        };
        check(&[(8_192, 1 << 20), (8_192, 1 << 20)], 8_192);
        check(&[(32, 32 << 20), (32, 32 << 20)], 16);
        check(&[(4_096, 1 << 10), (2, 40 << 20)], 1);
        // One long value among many short ones is in one batch at most.
        check(&[(1_000, 20 << 20)], 8_192);
        check(&[], 8_192);
    }

    #[test]
    fn row_groups_are_cut_at_pages() {
        let check = |pages: &[(usize, u64)], expect: &[std::ops::Range<usize>]| {
            let profile = profile(pages);
            let rows = profile.rows;
            assert_eq!(cut(&[profile], rows), expect, "{pages:?}");
        };
        let long = (32, 32 << 20);
        check(&[long, long, long, long], &[0..64, 64..128]);
        check(&[long, (10, 100 << 20), long], &[0..32, 32..42, 42..74]);
        check(&[(10, 10)], std::slice::from_ref(&(0..10)));
    }
}
