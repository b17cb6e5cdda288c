//! Which rows do not count, because another row is the same span: sent again, or as it ended.
//!
//! Of all rows of a span exactly one counts: that with the later end, or else the later sent. Sealing looks for the spans
//! of a new block in older ones and notes with each block which of its rows no longer count; the catalog keeps that, and
//! rewriting a block leaves those rows out. What is hot is looked for when somebody asks.
//!
//! Few blocks are read for that: those of the same time, and of these only the rows of traces that both have.

use crate::block::span_keys;
use crate::error::Error;
use crate::snapshot::{Block, HotBatch, Snapshot};
use crate::tables::TableKey;
use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use model::Signal;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Tells a span among those of a tenant: its trace id and its own.
pub(crate) type SpanKey = (u128, u64);

/// Bytes of a key as it is stored.
const KEY_BYTES: usize = 24;

/// Rows of a block that do not count, by their spans: a block has each span once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpanKeys(HashSet<SpanKey, foldhash::fast::RandomState>);

impl SpanKeys {
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, key: SpanKey) -> bool {
        self.0.contains(&key)
    }

    /// The rows of other spans; the columns have the ids of spans and traces.
    ///
    /// # Errors
    /// When they are not such columns.
    pub fn leave_out(&self, rows: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
        let others = span_keys(rows).into_iter().map(|key| Some(!self.contains((key.group, key.span))));
        filter_record_batch(rows, &others.collect::<BooleanArray>())
    }

    pub(crate) fn add(&mut self, key: SpanKey) {
        self.0.insert(key);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Those that `other` does not have.
    pub(crate) fn without(&self, other: Option<&Arc<Self>>) -> Self {
        self.0.iter().copied().filter(|key| other.is_none_or(|other| !other.contains(*key))).collect()
    }

    pub(crate) fn sorted(&self) -> Vec<SpanKey> {
        let mut keys: Vec<SpanKey> = self.0.iter().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// As the catalog keeps them.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let sorted = self.sorted().into_iter();
        sorted.flat_map(|(trace, span)| trace.to_be_bytes().into_iter().chain(span.to_be_bytes())).collect()
    }

    /// What [`Self::to_bytes`] gave.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let number = |bytes: &[u8]| bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        let keys = bytes.chunks_exact(KEY_BYTES).map(|key| {
            let (trace, span) = key.split_at(16);
            (number(trace), u64::try_from(number(span)).unwrap_or_default())
        });
        keys.collect()
    }
}

impl FromIterator<SpanKey> for SpanKeys {
    fn from_iter<I: IntoIterator<Item = SpanKey>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

/// Rows of blocks that do not count, by [`Block::number`].
pub(crate) type OfBlocks = HashMap<u64, Arc<SpanKeys>>;

/// A row of a hot batch. In order, the versions of a span follow each other, and the last of them counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    key: SpanKey,
    end: u64,
    batch: usize,
    row: usize,
}

/// Which rows do not count when these hot batches are seen together with blocks.
#[derive(Default)]
pub(crate) struct Found {
    /// Of the blocks, beside those that were known.
    pub(crate) in_blocks: Vec<(Arc<Block>, SpanKeys)>,
    /// Rows of the batches.
    rows: Vec<(usize, usize)>,
    /// Spans that are looked for, of which a block has the row that counts.
    pub(crate) spans: SpanKeys,
    /// Of all rows of the batches, in order.
    pub(crate) traces: Vec<u128>,
}

/// Looks for the spans of hot batches in each other, and in the blocks of a snapshot. For threads that may wait.
pub(crate) fn look(batches: &[Arc<HotBatch>], snapshot: &Snapshot) -> Found {
    let rows = rows(batches);
    let mut found = Found { traces: rows.iter().map(|row| row.key.0).collect(), ..Found::default() };
    found.traces.dedup();
    for versions in rows.chunk_by(|left, right| left.key == right.key).filter(|versions| versions.len() > 1) {
        let less = versions.split_last().map_or(&[][..], |(_, less)| less);
        found.rows.extend(less.iter().map(|row| (row.batch, row.row)));
    }
    for block in &snapshot.blocks {
        for versions in in_block((batches, &rows), block) {
            found.compare(&rows, (block, &versions), (snapshot, true));
        }
    }
    found
}

/// Looks for the spans of a block in the others, when it was not sealed just now; these are in order, and so many are older.
/// For threads that may wait.
///
/// # Errors
/// When the block cannot be read.
pub(crate) fn look_again(block: &Block, others: &Snapshot, older: usize) -> Result<Found, Error> {
    let keys = block.keys()?;
    let mut rows: Vec<Row> = keys.into_iter().map(|(key, end)| Row { key, end, batch: 0, row: 0 }).collect();
    rows.sort_unstable();
    let spans: Vec<SpanKey> = rows.iter().map(|row| row.key).collect();
    let mut found = Found::default();
    for (place, other) in others.blocks.iter().enumerate() {
        let (own, of_other) = (block.statistics(), other.statistics());
        if own.last < of_other.first || of_other.last < own.first {
            continue;
        }
        match other.versions(&spans) {
            Ok(versions) => found.compare(&rows, (other, &versions), (others, place < older)),
            Err(error) => tracing::warn!(%error, "spans that were sent again were not looked for in a block"),
        }
    }
    Ok(found)
}

/// The rows of these batches, in order.
fn rows(batches: &[Arc<HotBatch>]) -> Vec<Row> {
    let mut rows = Vec::with_capacity(batches.iter().map(|batch| batch.columns.num_rows()).sum());
    for (batch, columns) in batches.iter().map(|batch| &batch.columns).enumerate() {
        let of_batch = span_keys(columns).into_iter().enumerate();
        rows.extend(of_batch.map(|(row, key)| Row { key: (key.group, key.span), end: key.end, batch, row }));
    }
    rows.sort_unstable();
    rows
}

/// Spans with when they ended.
pub(crate) type Versions = Arc<[(SpanKey, u64)]>;

/// What a block has of the spans of these batches, and perhaps of others. It is asked once for each batch.
fn in_block((batches, rows): (&[Arc<HotBatch>], &[Row]), block: &Arc<Block>) -> Vec<Versions> {
    let of_block = block.statistics();
    let mut versions: Vec<Versions> = Vec::new();
    let mut new = vec![false; batches.len()];
    for (number, batch) in batches.iter().enumerate() {
        if of_block.last < batch.statistics.first || batch.statistics.last < of_block.first {
            continue;
        }
        match batch.known_in(block.number()) {
            Some(known) if known.is_empty() || versions.iter().any(|other| Arc::ptr_eq(other, &known)) => {}
            Some(known) => versions.push(known),
            None => new[number] = true,
        }
    }
    if !new.contains(&true) || block.is_damaged() {
        return versions;
    }
    let mut keys: Vec<SpanKey> = rows.iter().filter(|row| new[row.batch]).map(|row| row.key).collect();
    keys.dedup();
    match block.versions(&keys) {
        Ok(read) => {
            let read: Versions = read.into();
            let asked = batches.iter().zip(new).filter(|(_, new)| *new);
            asked.for_each(|(batch, _)| batch.note_in(block.number(), &read));
            versions.push(read);
        }
        Err(error) if error.is_of_block() => block.note_damage(&error),
        Err(error) => tracing::warn!(%error, "spans that were sent again were not looked for in a block"),
    }
    versions
}

impl Found {
    /// These rows of the block itself do not count, and no others.
    pub(crate) fn of(spans: SpanKeys) -> Self {
        Self { spans, ..Self::default() }
    }

    /// Decides which version counts of each span that a block has too: of several that ended at one time that of the block,
    /// unless it is the older one.
    fn compare(
        &mut self,
        rows: &[Row],
        (block, versions): (&Arc<Block>, &[(SpanKey, u64)]),
        (snapshot, is_older): (&Snapshot, bool),
    ) {
        let known = snapshot.superseded_in(block);
        let mut keys = SpanKeys::default();
        for (key, end) in versions.iter().copied() {
            let last = rows.get(rows.partition_point(|row| row.key <= key).wrapping_sub(1));
            let is_decided = known.is_some_and(|known| known.contains(key)) || self.spans.contains(key);
            let Some(row) = last.filter(|row| row.key == key && !is_decided) else { continue };
            if row.end > end || row.end == end && is_older {
                keys.add(key);
            } else {
                self.rows.push((row.batch, row.row));
                self.spans.add(key);
            }
        }
        if !keys.is_empty() {
            self.in_blocks.push((Arc::clone(block), keys));
        }
    }

    /// Those of the batches that have rows that count, without the others.
    fn leave_out(&self, batches: &[Arc<HotBatch>]) -> Result<Vec<Arc<HotBatch>>, Error> {
        let mut lost: HashMap<usize, Vec<bool>> = HashMap::new();
        for (batch, row) in &self.rows {
            let rows = batches.get(*batch).map_or(0, |batch| batch.columns.num_rows());
            if let Some(counts) = lost.entry(*batch).or_insert_with(|| vec![true; rows]).get_mut(*row) {
                *counts = false;
            }
        }
        let mut left = Vec::with_capacity(batches.len());
        for (number, batch) in batches.iter().enumerate() {
            match lost.remove(&number) {
                None => left.push(Arc::clone(batch)),
                Some(counts) => left.extend(batch.only(counts)?),
            }
        }
        Ok(left)
    }
}

impl Snapshot {
    /// The same telemetry with each span once: what [`Self::superseded_in`] names of blocks is left out by whoever reads
    /// them, and hot batches have only what counts. For threads that may wait.
    ///
    /// # Errors
    /// When rows cannot be taken out of a batch.
    pub fn each_once(self: &Arc<Self>, signal: Signal) -> Result<Arc<Self>, Error> {
        if signal != Signal::Traces || self.hot.is_empty() {
            return Ok(Arc::clone(self));
        }
        if let Some(known) = self.once.get() {
            return Ok(known.as_ref().map_or_else(|| Arc::clone(self), Arc::clone));
        }
        let found = look(&self.hot, self);
        let changed = !found.rows.is_empty() || !found.in_blocks.is_empty();
        let once = match changed {
            true => Some(Arc::new(Self {
                blocks: self.blocks.clone(),
                hot: found.leave_out(&self.hot)?,
                superseded: with(&self.superseded, found.in_blocks),
                ..Self::default()
            })),
            // It would be kept by itself for ever otherwise.
            false => None,
        };
        Ok(self.once.get_or_init(|| once).as_ref().map_or_else(|| Arc::clone(self), Arc::clone))
    }

    /// The rows of a block that do not count.
    #[must_use]
    pub fn superseded_in(&self, block: &Block) -> Option<&Arc<SpanKeys>> {
        self.superseded.get(&block.number())
    }

    /// How many rows of a block count.
    #[must_use]
    pub fn rows_of(&self, block: &Block) -> u64 {
        let superseded = self.superseded_in(block).map_or(0, |keys| keys.len() as u64);
        block.statistics().rows.saturating_sub(superseded)
    }

    /// How many rows count.
    #[must_use]
    pub fn rows(&self) -> u64 {
        let hot: u64 = self.hot.iter().map(|batch| batch.statistics.rows).sum();
        self.blocks.iter().map(|block| self.rows_of(block)).sum::<u64>() + hot
    }
}

/// What was known, and more.
pub(crate) fn with(
    known: &Arc<OfBlocks>,
    more: impl IntoIterator<Item = (Arc<Block>, SpanKeys)>,
) -> Arc<OfBlocks> {
    let mut more = more.into_iter().filter(|(_, keys)| !keys.is_empty()).peekable();
    if more.peek().is_none() {
        return Arc::clone(known);
    }
    let mut all = OfBlocks::clone(known);
    for (block, keys) in more {
        let of_block = Arc::make_mut(all.entry(block.number()).or_default());
        of_block.merge(keys);
    }
    Arc::new(all)
}

/// What is found of a block that is about to be sealed.
pub(crate) fn of_sealed(key: &TableKey, batches: &[Arc<HotBatch>], snapshot: &Snapshot) -> Found {
    if key.signal == Signal::Traces { look(batches, snapshot) } else { Found::default() }
}
