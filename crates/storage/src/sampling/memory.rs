//! Which traces were decided on, and which of them were kept for a row's sake: the latest ones, within a bound.

use model::{TenantId, TraceId};
use std::collections::HashSet;
use std::hash::BuildHasher;

/// So many of each are remembered at least, twice as many at most; what a table of hashes of 2^19 places holds. All
/// together they take 36 MB at most.
const GENERATION: usize = (1 << 19) / 8 * 7;

pub(super) struct Memory {
    hasher: foldhash::fast::RandomState,
    kept: Generations,
    /// All that is not among those: dropped, or kept for its id.
    others: Generations,
    /// Every trace that was kept for a row's sake in a block with at least this id is remembered.
    complete_from: i64,
    /// The same of the younger generation.
    young_from: i64,
    /// No trace was noted in a block with a larger id.
    newest: i64,
}

impl Memory {
    pub(super) fn new(newest_block: i64) -> Self {
        Self::of(newest_block, GENERATION)
    }

    fn of(newest_block: i64, generation: usize) -> Self {
        Self {
            hasher: foldhash::fast::RandomState::default(),
            kept: Generations::new(generation),
            others: Generations::new(generation),
            complete_from: newest_block + 1,
            young_from: newest_block + 1,
            newest: newest_block,
        }
    }

    /// Blocks with a smaller id may have traces that were kept for a row's sake and are not remembered.
    pub(super) fn complete_from(&self) -> i64 {
        self.complete_from
    }

    pub(super) fn is_kept(&self, tenant: &TenantId, trace: TraceId) -> bool {
        self.kept.has(self.key(tenant, trace))
    }

    pub(super) fn is_decided(&self, tenant: &TenantId, trace: TraceId) -> bool {
        let key = self.key(tenant, trace);
        self.kept.has(key) || self.others.has(key)
    }

    /// Remembers that a trace was decided on, and whether it was kept for a row's sake, in this block if in any.
    pub(super) fn note(&mut self, tenant: &TenantId, trace: TraceId, is_kept: bool, block: Option<i64>) {
        let key = self.key(tenant, trace);
        self.newest = block.map_or(self.newest, |block| block.max(self.newest));
        if !is_kept {
            self.others.add(key);
            return;
        }
        self.others.remove(key);
        if self.kept.add(key) {
            self.complete_from = self.young_from;
            self.young_from = self.newest + 1;
        }
    }

    pub(super) fn forget(&mut self, tenant: &TenantId, trace: TraceId) {
        let key = self.key(tenant, trace);
        self.kept.remove(key);
        self.others.remove(key);
    }

    /// Traces of one tenant never have the same key.
    fn key(&self, tenant: &TenantId, trace: TraceId) -> u128 {
        u128::from_be_bytes(trace.0) ^ u128::from(self.hasher.hash_one(tenant.as_str()))
    }
}

/// The keys that were added last. When the younger generation is full, the older one is forgotten.
struct Generations {
    young: HashSet<u128, foldhash::fast::RandomState>,
    old: HashSet<u128, foldhash::fast::RandomState>,
    most: usize,
}

impl Generations {
    fn new(most: usize) -> Self {
        Self { young: HashSet::default(), old: HashSet::default(), most }
    }

    fn has(&self, key: u128) -> bool {
        self.young.contains(&key) || self.old.contains(&key)
    }

    /// Answers whether the older generation was forgotten for it.
    fn add(&mut self, key: u128) -> bool {
        let full = self.young.len() >= self.most && !self.young.contains(&key);
        if full {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key);
        full
    }

    fn remove(&mut self, key: u128) {
        self.young.remove(&key);
        self.old.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;
    use model::{TenantId, TraceId};

    fn trace(number: i64) -> TraceId {
        TraceId(u128::from(number.unsigned_abs()).to_be_bytes())
    }

    #[test]
    fn what_is_kept_without_a_block_counts_too() {
        let tenant = TenantId::default();
        let mut memory = Memory::of(100, 4);
        for block in 101..=108 {
            if block == 105 {
                memory.note(&tenant, trace(1000), true, None);
            }
            memory.note(&tenant, trace(block), true, Some(block));
            for earlier in memory.complete_from()..=block {
                assert!(memory.is_kept(&tenant, trace(earlier)), "{earlier} is forgotten at {block}");
            }
        }
        assert_eq!(memory.complete_from(), 105);
    }

    #[test]
    fn what_is_forgotten_is_known_to_be() {
        let (tenant, other) = (TenantId::default(), TenantId::new("other").unwrap());
        let mut memory = Memory::of(100, 4);
        for block in 101..=200 {
            memory.note(&tenant, trace(block), true, Some(block));
            memory.note(&tenant, trace(-1000 - block), false, Some(block));
            for earlier in memory.complete_from()..=block {
                assert!(memory.is_kept(&tenant, trace(earlier)), "{earlier} is forgotten at {block}");
            }
            assert!(memory.kept.young.len() + memory.kept.old.len() <= 8);
            assert!(memory.others.young.len() + memory.others.old.len() <= 8);
        }
        assert!(memory.complete_from() > 190, "{}", memory.complete_from());
        assert!(!memory.is_kept(&tenant, trace(101)) && !memory.is_kept(&other, trace(200)));
        assert!(memory.is_decided(&tenant, trace(-1200)) && !memory.is_kept(&tenant, trace(-1200)));
        memory.forget(&tenant, trace(200));
        assert!(!memory.is_kept(&tenant, trace(200)) && !memory.is_decided(&tenant, trace(200)));
    }
}
