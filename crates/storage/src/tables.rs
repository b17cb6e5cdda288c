//! Everything that can be read, by tenant and signal. Readers take a snapshot without waiting for anyone; every
//! change puts a new snapshot in the old one's place, in one step.

use crate::snapshot::{Block, HotBatch, Snapshot};
use crate::superseded::{self, SpanKeys};
use arc_swap::ArcSwap;
use model::{Signal, TenantId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A tenant's telemetry of one signal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TableKey {
    pub(crate) tenant: TenantId,
    pub(crate) signal: Signal,
}

#[derive(Default)]
pub(crate) struct Tables {
    by_key: ArcSwap<HashMap<TableKey, Arc<Table>>>,
    hot_bytes: Arc<AtomicU64>,
}

/// One table.
pub(crate) struct Table {
    pub(crate) key: TableKey,
    snapshot: ArcSwap<Snapshot>,
    /// How many hot batches, from the first, are being sealed and must stay where they are.
    /// Held by whoever changes the snapshot.
    frozen: Mutex<usize>,
    hot_bytes: Arc<AtomicU64>,
}

impl Tables {
    pub(crate) fn get(&self, key: &TableKey) -> Option<Arc<Table>> {
        self.by_key.load().get(key).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Table>> {
        self.by_key.load().values().cloned().collect()
    }

    pub(crate) fn get_or_create(&self, key: &TableKey) -> Arc<Table> {
        if let Some(table) = self.get(key) {
            return table;
        }
        let new = Arc::new(Table {
            key: key.clone(),
            snapshot: ArcSwap::default(),
            frozen: Mutex::new(0),
            hot_bytes: Arc::clone(&self.hot_bytes),
        });
        self.by_key.rcu(|before| {
            let mut after = HashMap::clone(before);
            after.entry(key.clone()).or_insert_with(|| Arc::clone(&new));
            after
        });
        self.get(key).unwrap_or(new)
    }

    pub(crate) fn hot_bytes(&self) -> u64 {
        self.hot_bytes.load(Ordering::Relaxed)
    }
}

impl Table {
    /// Memory of what is hot.
    pub(crate) fn hot_bytes(&self) -> u64 {
        self.snapshot.load().hot.iter().map(|batch| batch.bytes).sum()
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Shows new hot batches to readers.
    pub(crate) fn append(&self, batches: impl IntoIterator<Item = HotBatch>) {
        self.change(|snapshot, _| snapshot.hot.extend(batches.into_iter().map(Arc::new)));
    }

    /// Takes the oldest hot batches, together about `bytes`, up to the first that is not ripe, for sealing: until
    /// [`Self::sealed`] or [`Self::thaw`] they stay as they are. The batches of one request are taken together or left.
    pub(crate) fn freeze(&self, bytes: u64, is_ripe: impl Fn(&HotBatch) -> bool) -> Vec<Arc<HotBatch>> {
        let mut frozen = self.lock();
        let snapshot = self.snapshot.load();
        let mut total = 0;
        // Where the last request ends of which all batches are taken.
        let mut whole = 0;
        let mut before = None;
        for (place, batch) in snapshot.hot.iter().enumerate() {
            if before.is_none_or(|before| before < batch.sequences.0) {
                whole = place;
                if total >= bytes {
                    break;
                }
            }
            if !is_ripe(batch) {
                break;
            }
            total += batch.bytes;
            before = Some(batch.sequences.1);
            if place + 1 == snapshot.hot.len() {
                whole = place + 1;
            }
        }
        *frozen = whole;
        snapshot.hot.iter().take(whole).cloned().collect()
    }

    pub(crate) fn thaw(&self) {
        *self.lock() = 0;
    }

    /// Puts a block in the place of the frozen batches, or nothing; these rows of blocks count no longer.
    pub(crate) fn sealed(&self, block: Option<Arc<Block>>, superseded: Vec<(Arc<Block>, SpanKeys)>) {
        self.change(|snapshot, frozen| {
            snapshot.hot.drain(..*frozen);
            snapshot.blocks.extend(block);
            *frozen = 0;
            // A block may have gone meanwhile.
            let is_there = |block: &Arc<Block>| snapshot.blocks.iter().any(|other| Arc::ptr_eq(block, other));
            let there = superseded.into_iter().filter(|(block, _)| is_there(block));
            snapshot.superseded = superseded::with(&snapshot.superseded, there);
        });
    }

    /// Puts `merged` in the place of the hot batches that it was made of, if they are all still there and not frozen.
    pub(crate) fn merge(&self, parts: &[Arc<HotBatch>], merged: HotBatch) {
        self.change(|snapshot, frozen| {
            let Some(first) = parts.first() else { return };
            let Some(at) = snapshot.hot.iter().position(|batch| Arc::ptr_eq(batch, first)) else { return };
            let here = snapshot.hot.get(at..at + parts.len());
            let unchanged =
                here.is_some_and(|here| here.iter().zip(parts).all(|(left, right)| Arc::ptr_eq(left, right)));
            if unchanged && at >= *frozen {
                snapshot.hot.splice(at..at + parts.len(), [Arc::new(merged)]);
            }
        });
    }

    /// Hot batches that are worth merging into one, oldest first; empty when there are none.
    pub(crate) fn mergeable(
        &self,
        eligible: impl Fn(&[Arc<HotBatch>]) -> bool,
        run: usize,
    ) -> Vec<Arc<HotBatch>> {
        let frozen = self.lock();
        let snapshot = self.snapshot.load();
        let loose = snapshot.hot.get(*frozen..).unwrap_or_default();
        let found = loose.windows(run).find(|window| eligible(window));
        found.map(<[_]>::to_vec).unwrap_or_default()
    }

    /// Adds blocks, of which these rows do not count.
    pub(crate) fn add_blocks(&self, blocks: Vec<Arc<Block>>, superseded: Vec<(Arc<Block>, SpanKeys)>) {
        self.change(|snapshot, _| {
            snapshot.blocks.extend(blocks);
            snapshot.superseded = superseded::with(&snapshot.superseded, superseded);
        });
    }

    /// Puts a block in the place of others, or nothing; these of its rows do not count. Readers see either those or this
    /// one.
    pub(crate) fn replace_blocks(&self, blocks: &[Arc<Block>], with: Option<(Arc<Block>, SpanKeys)>) {
        self.change(|snapshot, _| {
            let is_one = |kept: &Arc<Block>| blocks.iter().any(|block| Arc::ptr_eq(kept, block));
            let at = snapshot.blocks.iter().position(is_one).unwrap_or(snapshot.blocks.len());
            snapshot.blocks.retain(|kept| !is_one(kept));
            if blocks.iter().any(|block| snapshot.superseded.contains_key(&block.number())) {
                let left = Arc::make_mut(&mut snapshot.superseded);
                blocks.iter().for_each(|block| drop(left.remove(&block.number())));
            }
            if let Some((block, superseded)) = with {
                snapshot.blocks.insert(at, Arc::clone(&block));
                snapshot.superseded = superseded::with(&snapshot.superseded, [(block, superseded)]);
            }
        });
        for block in blocks {
            block.retire();
        }
    }

    fn change(&self, change: impl FnOnce(&mut Snapshot, &mut usize)) {
        let mut frozen = self.lock();
        let mut snapshot = Snapshot::clone(&self.snapshot.load());
        let bytes = |snapshot: &Snapshot| snapshot.hot.iter().map(|batch| batch.bytes).sum::<u64>();
        let before = bytes(&snapshot);
        change(&mut snapshot, &mut frozen);
        let after = bytes(&snapshot);
        self.snapshot.store(Arc::new(snapshot));
        // Wraps around on shrinking, which adds up all the same.
        self.hot_bytes.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.frozen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
