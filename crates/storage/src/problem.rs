//! What the owner of a store should know about it.

use crate::Store;
use crate::error::Error;
use crate::snapshot::Block;
use serde::Serialize;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// So many blocks are named.
const NAMED: usize = 3;

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Worth knowing; nothing is missing.
    Notice,
    /// Answers may lack something, or something that was asked for is not done.
    Degraded,
    /// Telemetry is refused.
    Failing,
}

/// Something that is wrong, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Which kind of problem, in one word that stays the same: `diskFull`, `diskSmall`, `damagedBlocks`, `pendingDeletions`,
    /// `catalogRecovered`, `unknownFiles`, `logDamaged`, `clockJumped`, `sealingFails`.
    pub kind: &'static str,
    pub severity: Severity,
    /// What is wrong and how to fix it.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(kind: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self { kind, severity, message: message.into() }
    }
}

/// All that is wrong with a store now, the worst first.
pub(crate) fn of_store(store: &Store) -> Vec<Problem> {
    let mut problems = store.problems.lock().unwrap_or_else(PoisonError::into_inner).clone();
    problems.extend([disk(store), sealing(store), damage(store), deletions(store)].into_iter().flatten());
    let jump = store.clock.last_jump();
    problems.extend(jump.map(|jump| Problem::new("clockJumped", Severity::Notice, jump.message())));
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    problems
}

/// The disk is too full, or smaller than what may be kept.
fn disk(store: &Store) -> Option<Problem> {
    let (free, needed) = (store.free.bytes(), store.options.min_free_bytes);
    if free < needed {
        let path = store.options.directory.clone();
        let message = Error::DiskFull { free, needed, path }.to_string();
        return Some(Problem::new("diskFull", Severity::Failing, message));
    }
    let (kept, most) = (store.kept_bytes(), store.options.max_bytes);
    let room = kept.saturating_add(free).saturating_sub(needed);
    (store.options.blocks_url.is_none() && most > room).then(|| {
        let message = format!(
            "storage.max-bytes is {most}, and the disk has room for {room} bytes of telemetry: when it is full, telemetry is refused and none is deleted. Set storage.max-bytes below that to let old telemetry make room for new"
        );
        Problem::new("diskSmall", Severity::Notice, message)
    })
}

fn sealing(store: &Store) -> Option<Problem> {
    let failed = store.sealing_failed.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
    let message = format!(
        "blocks cannot be written: {failed}. Nothing is lost: the log keeps what is not in blocks, until it is full"
    );
    Some(Problem::new("sealingFails", Severity::Degraded, message))
}

fn damage(store: &Store) -> Option<Problem> {
    let tables = store.tables.all();
    let blocks = tables.iter().flat_map(|table| table.snapshot().blocks.clone());
    let damaged: Vec<Arc<Block>> = blocks.filter(|block| block.is_damaged()).collect();
    if damaged.is_empty() {
        return None;
    }
    let rows: u64 = damaged.iter().map(|block| block.statistics().rows).sum();
    let named: Vec<String> = damaged.iter().take(NAMED).map(|block| block.name()).collect();
    let more = if damaged.len() > NAMED { " …" } else { "" };
    let message = format!(
        "damaged or missing blocks: {} ({}{more}). Answers lack some of their {rows} rows. Put the files back from a backup; or stop clew and run `clew repair --give-up-damaged`, which keeps what can still be read",
        damaged.len(),
        named.join(", "),
    );
    Some(Problem::new("damagedBlocks", Severity::Degraded, message))
}

fn deletions(store: &Store) -> Option<Problem> {
    let pending = store.pending_deletions.load(Ordering::Relaxed);
    (pending > 0).then(|| {
        let message = format!(
            "deletions that are not done yet: {pending}. They are under way, or blocks that may have what is to be deleted cannot be read"
        );
        Problem::new("pendingDeletions", Severity::Degraded, message)
    })
}
