//! Cuts rows into pieces by bytes, and says where a row group ends.
//!
//! Parquet's writer ends a page when a piece is written, and keeps a row group in memory until it ends. Rows of an agent
//! may have a few bytes or 20 MB each, so that neither may be counted in rows alone.

use super::write::{PAGE_ROWS, ROW_GROUP_ROWS};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

/// A piece has no more bytes of values than this, unless it is one row.
const PIECE_BYTES: u64 = 4 << 20;
/// A row group ends when its values have so many bytes.
const GROUP_BYTES: u64 = 128 << 20;
/// Columns with less than this in a batch are not looked at row by row.
const SMALL_COLUMN: u64 = 256 << 10;

/// Rows to be written at once.
pub(super) struct Piece {
    pub(super) rows: RecordBatch,
    pub(super) value_bytes: u64,
    /// Whether the row group ends with it.
    pub(super) ends_group: bool,
}

/// Cuts the rows of one block.
pub(super) struct Pieces {
    group_rows: usize,
    /// Of the row group at hand.
    rows: usize,
    bytes: u64,
}

impl Pieces {
    /// For a block of at most so many rows.
    pub(super) fn new(rows: u64) -> Self {
        Self { group_rows: group_rows(rows), rows: 0, bytes: 0 }
    }

    /// The rows in pieces, in order.
    pub(super) fn cut(&mut self, rows: &RecordBatch) -> Vec<Piece> {
        let sizes = row_bytes(rows);
        let mut pieces = Vec::new();
        let mut start = 0;
        while start < rows.num_rows() {
            let most = (self.group_rows - self.rows).min(rows.num_rows() - start);
            let (count, value_bytes) =
                fitting(sizes.get(start..start + most).unwrap_or_default(), PIECE_BYTES);
            self.rows += count;
            self.bytes += value_bytes;
            let ends_group = self.rows == self.group_rows || self.bytes >= GROUP_BYTES;
            if ends_group {
                (self.rows, self.bytes) = (0, 0);
            }
            pieces.push(Piece { rows: rows.slice(start, count), value_bytes, ends_group });
            start += count;
        }
        pieces
    }
}

/// How many of the first rows have no more bytes than this, at least one; and how many bytes these have.
pub(super) fn fitting(sizes: &[u64], most: u64) -> (usize, u64) {
    let mut total = 0;
    let mut count = 0;
    for size in sizes {
        if count > 0 && total + size > most {
            break;
        }
        total += size;
        count += 1;
    }
    (count, total)
}

/// How many rows of a block of so many are in a row group, if they are not large.
pub(super) fn group_rows(rows: u64) -> usize {
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    rows.div_ceil(rows.div_ceil(ROW_GROUP_ROWS).max(1)).next_multiple_of(PAGE_ROWS).max(PAGE_ROWS)
}

/// About how many bytes the texts and bytes of each row have.
pub(super) fn row_bytes(rows: &RecordBatch) -> Vec<u64> {
    let count = rows.num_rows().max(1) as u64;
    let mut sizes = vec![0; rows.num_rows()];
    let mut small = 0;
    for column in rows.columns() {
        let Some(offsets) = offsets(column) else { continue };
        let ends = offsets.first().zip(offsets.last());
        let total = ends.map_or(0, |(first, last)| u64::from(last.abs_diff(*first)));
        if total < SMALL_COLUMN {
            small += total;
            continue;
        }
        for (size, ends) in sizes.iter_mut().zip(offsets.windows(2)) {
            *size += ends.first().zip(ends.last()).map_or(0, |(from, to)| u64::from(to.abs_diff(*from)));
        }
    }
    let share = small / count + 64;
    sizes.iter_mut().for_each(|size| *size += share);
    sizes
}

fn offsets(column: &ArrayRef) -> Option<&[i32]> {
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().value_offsets()),
        DataType::Binary => Some(column.as_binary::<i32>().value_offsets()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{GROUP_BYTES, PIECE_BYTES, Pieces};
    use arrow::array::{ArrayRef, StringArray};
    use arrow::record_batch::RecordBatch;
    use std::sync::Arc;

    fn rows(sizes: &[usize]) -> RecordBatch {
        let texts: StringArray = sizes.iter().map(|size| Some("x".repeat(*size))).collect();
        RecordBatch::try_from_iter([("text", Arc::new(texts) as ArrayRef)]).unwrap()
    }

    #[test]
    fn pieces_are_bounded_in_bytes_and_groups_end_in_time() {
        let sizes: Vec<usize> = (0..300).map(|row| if row % 3 == 0 { 1 << 20 } else { 10 }).collect();
        let mut pieces = Pieces::new(1_000_000);
        let (mut total, mut group, mut groups) = (0, 0, 0);
        for _ in 0..3 {
            for piece in pieces.cut(&rows(&sizes)) {
                assert!(piece.value_bytes <= PIECE_BYTES, "{}", piece.value_bytes);
                total += piece.rows.num_rows();
                group += piece.value_bytes;
                if piece.ends_group {
                    assert!((GROUP_BYTES..GROUP_BYTES + PIECE_BYTES).contains(&group), "{group}");
                    (group, groups) = (0, groups + 1);
                }
            }
        }
        assert_eq!((total, groups), (900, 2));
    }

    #[test]
    fn a_row_that_is_larger_stands_alone() {
        let mut pieces = Pieces::new(10);
        let cut = pieces.cut(&rows(&[1, 20 << 20, 1, 1]));
        let counts: Vec<usize> = cut.iter().map(|piece| piece.rows.num_rows()).collect();
        assert_eq!(counts, [1, 1, 2]);
    }

    #[test]
    fn small_rows_are_cut_by_their_number() {
        let mut pieces = Pieces::new(5_000);
        let cut = pieces.cut(&rows(&vec![5; 9_000]));
        let counts: Vec<_> = cut.iter().map(|piece| (piece.rows.num_rows(), piece.ends_group)).collect();
        assert_eq!(counts, [(8_192, true), (808, false)]);
    }
}
