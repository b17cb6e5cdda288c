//! Which words each row group of a block has, so that a search for a rare one reads little.
//!
//! A filter for each row group, of those that Parquet knows as split-block bloom filters, over all words of names,
//! messages, text attributes, events and bodies. The filters stand in the block's file between its last row group and
//! its footer, where Parquet readers do not look; the schema's metadata says where. A filter answers from the one block of
//! 32 bytes that a word falls into.

use super::checksum::Checked;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int32Type};
use arrow::record_batch::RecordBatch;
use model::schema::{self, ColumnType};
use model::{otlp, words};
use parquet::bloom_filter::Sbbf;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::io;
use twox_hash::XxHash64;

/// Where the schema's metadata says where the filters are.
pub(super) const KEY: &str = "clew.words";
/// About one word in two hundred that is not there seems to be.
const BITS_PER_WORD: usize = 12;
/// Of a filter's blocks.
const BLOCK_BYTES: usize = 32;
/// A row group of more words has no filter: it may have any word.
const MOST_WORDS: usize = 4 << 20;
/// Longer words are not kept: nobody types them, and there is no end to those of encoded images.
const LONGEST_WORD: usize = 64;
/// Shorter values are known again by their hash, longer ones by how they start.
const SHORT: usize = 64;
/// So many long values of a column are remembered: an agent sends its history again with every call.
const RECENT: usize = 4;

/// Where the filters of a block are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Location {
    offset: u64,
    /// Bytes of each row group's filter; 0 where there is none.
    lengths: Vec<u64>,
}

/// Gathers the words of rows as they are written.
pub(super) struct Words {
    /// Whether the row group at hand has rows.
    any: bool,
    words: HashSet<u64, foldhash::fast::RandomState>,
    values: HashSet<u64, foldhash::fast::RandomState>,
    hasher: foldhash::fast::RandomState,
    /// By column, the newest last.
    recent: Vec<Vec<String>>,
    filters: Vec<u8>,
    lengths: Vec<u64>,
}

impl Words {
    pub(super) fn new() -> Self {
        Self {
            any: false,
            words: HashSet::default(),
            values: HashSet::default(),
            hasher: foldhash::fast::RandomState::default(),
            recent: Vec::new(),
            filters: Vec::new(),
            lengths: Vec::new(),
        }
    }

    /// Takes the next rows, which may end a row group.
    pub(super) fn add(&mut self, rows: &RecordBatch, ends_group: bool) {
        self.add_rows(rows);
        self.any = true;
        if ends_group {
            self.end_group();
        }
    }

    /// The filters, and where they are when they are written at this offset.
    pub(super) fn finish(mut self, offset: u64) -> (Vec<u8>, Location) {
        if self.any {
            self.end_group();
        }
        (self.filters, Location { offset, lengths: self.lengths })
    }

    fn add_rows(&mut self, rows: &RecordBatch) {
        let schema = rows.schema();
        self.recent.resize(schema.fields().len(), Vec::new());
        for (place, (field, column)) in schema.fields().iter().zip(rows.columns()).enumerate() {
            match (field.name().as_str(), schema::parse_attribute_column(field.name())) {
                (schema::NAME | schema::STATUS_MESSAGE | schema::BODY | schema::EVENT_NAME, _)
                | (_, Some((_, ColumnType::String))) => self.add_texts(place, column),
                (schema::EVENTS, _) => {
                    self.add_cells(place, column, otlp::each_event_text);
                }
                (schema::ATTRIBUTES_TAIL, _) => {
                    self.add_cells(place, column, otlp::each_tail_text);
                }
                (schema::BODY_VALUE, _) | (_, Some((_, ColumnType::Value))) => {
                    self.add_cells(place, column, otlp::each_text);
                }
                _ => {}
            }
        }
    }

    fn add_texts(&mut self, place: usize, column: &ArrayRef) {
        match column.data_type() {
            DataType::Utf8 => {
                column.as_string::<i32>().iter().flatten().for_each(|text| self.add_text(place, text));
            }
            DataType::Dictionary(_, _) => {
                let dictionary = column.as_dictionary::<Int32Type>();
                let Some(values) = dictionary.values().as_string_opt::<i32>() else { return };
                let keys: HashSet<usize, foldhash::fast::RandomState> =
                    (0..dictionary.len()).filter_map(|row| dictionary.key(row)).collect();
                keys.into_iter().for_each(|key| self.add_text(place, values.value(key)));
            }
            _ => {}
        }
    }

    fn add_cells(
        &mut self,
        place: usize,
        column: &ArrayRef,
        texts: impl for<'c> Fn(&'c [u8], &mut dyn FnMut(&'c str)),
    ) {
        let Some(cells) = column.as_binary_opt::<i32>() else { return };
        for cell in cells.iter().flatten() {
            texts(cell, &mut |text| self.add_text(place, text));
        }
    }

    fn add_text(&mut self, place: usize, text: &str) {
        if self.words.len() > MOST_WORDS || !self.values.insert(self.hasher.hash_one(text)) {
            return;
        }
        if text.len() <= SHORT {
            return add_words(&mut self.words, text);
        }
        let Some(recent) = self.recent.get_mut(place) else { return };
        let known = recent.iter().map(|before| common(before, text)).max().unwrap_or(0);
        add_words(&mut self.words, text.get(known..).unwrap_or(text));
        if recent.len() == RECENT {
            recent.remove(0);
        }
        recent.push(text.to_owned());
    }

    fn end_group(&mut self) {
        self.any = false;
        self.values.clear();
        self.recent.clear();
        let words = std::mem::take(&mut self.words);
        if words.len() > MOST_WORDS {
            return self.lengths.push(0);
        }
        let blocks = (words.len() * BITS_PER_WORD).div_ceil(8 * BLOCK_BYTES).max(1);
        let mut filter = Sbbf::new(&vec![0; blocks * BLOCK_BYTES]);
        words.iter().for_each(|word| filter.insert(word));
        // Writing into memory does not fail.
        let written = filter.write_bitset(&mut self.filters).is_ok();
        self.lengths.push(if written { (blocks * BLOCK_BYTES) as u64 } else { 0 });
    }
}

fn add_words(words: &mut HashSet<u64, foldhash::fast::RandomState>, text: &str) {
    words::each(text, |word| {
        if word.len() <= LONGEST_WORD {
            words.insert(hash(word));
        }
    });
}

/// The same everywhere and for ever.
fn hash(word: &str) -> u64 {
    XxHash64::oneshot(0, word.as_bytes())
}

/// Up to where a text is like the one before it; a word that both begin alike is not yet common.
fn common(before: &str, text: &str) -> usize {
    let same = before.bytes().zip(text.bytes()).take_while(|(left, right)| left == right).count();
    let space = text.as_bytes().get(..same).and_then(|same| same.iter().rposition(|byte| *byte == b' '));
    space.unwrap_or(0)
}

/// Whether the row groups of a block may have words.
pub(super) struct Lookup<'b> {
    file: Checked,
    location: &'b Location,
}

impl<'b> Lookup<'b> {
    pub(super) const fn new(file: Checked, location: &'b Location) -> Self {
        Self { file, location }
    }

    /// What an error of reading means.
    pub(super) fn fault(&self, error: &io::Error) -> crate::Error {
        self.file.fault(error)
    }

    pub(super) fn groups(&self) -> usize {
        self.location.lengths.len()
    }

    /// Whether a row group may have this word; `false` is certain.
    pub(super) fn may_have(&self, group: usize, word: &str) -> io::Result<bool> {
        let length = self.location.lengths.get(group).copied().unwrap_or(0);
        if length == 0 || word.len() > LONGEST_WORD {
            return Ok(true);
        }
        let before: u64 = self.location.lengths.iter().take(group).sum();
        let word = hash(word);
        // Which block of the filter, as Parquet's specification has it.
        let placed = XxHash64::oneshot(0, &word.to_le_bytes()) >> 32;
        let block = (placed * (length / BLOCK_BYTES as u64)) >> 32;
        let offset = self.location.offset + before + block * BLOCK_BYTES as u64;
        let bytes = self.file.read(offset..offset + BLOCK_BYTES as u64)?;
        Ok(Sbbf::new(&bytes).check(&word))
    }
}
