//! The hot buffer and the list of blocks: one state behind one lock, so that readers see each item in one place.

use crate::Error;
use crate::block::Block;
use crate::catalog::Shelf;
use crate::merge::concatenate;
use crate::snapshot::{HotBatch, Snapshot};
use crate::statistics::BlockStatistics;
use arrow::record_batch::RecordBatch;
use model::{Batch, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Small neighbours are united when there are this many of about the same size, so that many small requests stay few batches.
const UNITE: usize = 16;
/// Batches of more rows are left as they are.
const LARGE_ROWS: u64 = 16_384;

/// A tenant's signal: its blocks, and what is not in one yet.
#[derive(Default)]
pub struct ShelfState {
    snapshot: Snapshot,
    pub hot_bytes: u64,
    /// When the oldest hot request was received.
    pub oldest: Option<Timestamp>,
    /// Records up to here are being sealed: their batches must stay as they are.
    sealing_through: u64,
}

/// What a seal takes.
pub struct Taken {
    pub batches: Vec<Arc<HotBatch>>,
    pub through: u64,
}

/// All shelves.
#[derive(Default)]
pub struct Hot(Mutex<HashMap<Shelf, ShelfState>>);

impl Hot {
    fn lock(&self) -> MutexGuard<'_, HashMap<Shelf, ShelfState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn snapshot(&self, shelf: &Shelf) -> Arc<Snapshot> {
        Arc::new(self.lock().get(shelf).map(|state| state.snapshot.clone()).unwrap_or_default())
    }

    /// Shows the rows of one log record to readers.
    pub fn insert(&self, batch: &Batch, sequence: u64, received: Timestamp) {
        let shelf = (batch.tenant.clone(), batch.signal);
        let new: Vec<_> = batch
            .columns
            .iter()
            .map(|columns| {
                let statistics = BlockStatistics::of(batch.signal, columns);
                Arc::new(HotBatch::new(columns.clone(), statistics, (sequence, sequence)))
            })
            .collect();
        let mut shelves = self.lock();
        let state = shelves.entry(shelf).or_default();
        for batch in new {
            state.hot_bytes += batch.bytes;
            state.oldest.get_or_insert(received);
            state.snapshot.hot.push(batch);
        }
        state.unite(batch.signal);
    }

    pub fn add_block(&self, shelf: &Shelf, block: Arc<Block>) {
        self.lock().entry(shelf.clone()).or_default().snapshot.blocks.push(block);
    }

    /// What there is to seal of a shelf; it stays visible until [`Self::replace`].
    pub fn take(&self, shelf: &Shelf) -> Option<Taken> {
        let mut shelves = self.lock();
        let state = shelves.get_mut(shelf)?;
        let through = state.snapshot.hot.last()?.last_sequence;
        state.sealing_through = through;
        Some(Taken { batches: state.snapshot.hot.clone(), through })
    }

    /// Puts a block in the place of the batches that it was made of, in one step.
    pub fn replace(&self, shelf: &Shelf, through: u64, block: Option<Arc<Block>>) {
        let mut shelves = self.lock();
        let Some(state) = shelves.get_mut(shelf) else { return };
        state.snapshot.hot.retain(|batch| batch.last_sequence > through);
        state.snapshot.blocks.extend(block);
        state.hot_bytes = state.snapshot.hot.iter().map(|batch| batch.bytes).sum();
        state.oldest = (!state.snapshot.hot.is_empty()).then(Timestamp::now);
    }

    /// Hides blocks that the catalog has let go of; each file is removed when its last reader is done.
    pub fn remove_blocks(&self, ids: &[i64]) {
        for state in self.lock().values_mut() {
            state.snapshot.blocks.retain(|block| {
                let gone = ids.contains(&block.id);
                if gone {
                    block.delete();
                }
                !gone
            });
        }
    }

    pub fn blocks(&self) -> Vec<Arc<Block>> {
        self.lock().values().flat_map(|state| state.snapshot.blocks.clone()).collect()
    }

    pub fn hot_bytes(&self) -> u64 {
        self.lock().values().map(|state| state.hot_bytes).sum()
    }

    /// The shelves for which `wanted` holds and that have something hot.
    pub fn shelves(&self, wanted: impl Fn(&ShelfState) -> bool) -> Vec<Shelf> {
        let shelves = self.lock();
        let chosen = shelves.iter().filter(|(_, state)| !state.snapshot.hot.is_empty() && wanted(state));
        chosen.map(|(shelf, _)| shelf.clone()).collect()
    }

    /// The first log record that is not sealed; `None` when all are.
    pub fn first_unsealed(&self) -> Option<u64> {
        let shelves = self.lock();
        shelves
            .values()
            .filter_map(|state| state.snapshot.hot.first())
            .map(|batch| batch.first_sequence)
            .min()
    }
}

impl ShelfState {
    /// Unites the last batches while they are many and of like size: each row is copied a few times at most.
    fn unite(&mut self, signal: model::Signal) {
        loop {
            let hot = &self.snapshot.hot;
            let Some(last) = hot.last() else { return };
            let limit = (last.statistics.rows * 4).min(LARGE_ROWS);
            let alike = |batch: &&Arc<HotBatch>| {
                batch.statistics.rows <= limit && batch.first_sequence > self.sealing_through
            };
            let number = hot.iter().rev().take_while(alike).count();
            if number < UNITE {
                return;
            }
            let start = hot.len() - number;
            let Ok(united) = unite(signal, &hot[start..]) else { return };
            self.snapshot.hot.truncate(start);
            self.snapshot.hot.push(Arc::new(united));
            self.hot_bytes = self.snapshot.hot.iter().map(|batch| batch.bytes).sum();
        }
    }
}

fn unite(signal: model::Signal, batches: &[Arc<HotBatch>]) -> Result<HotBatch, Error> {
    let columns: Vec<&RecordBatch> = batches.iter().map(|batch| &batch.columns).collect();
    let columns = concatenate(signal, &columns)?;
    let statistics = BlockStatistics::of(signal, &columns);
    let first = batches.first().map_or(0, |batch| batch.first_sequence);
    let last = batches.last().map_or(0, |batch| batch.last_sequence);
    Ok(HotBatch::new(columns, statistics, (first, last)))
}
