//! Decides on the traces of batches that are about to be sealed, and leaves out the rows of those that are dropped.

use super::{Moment, Sampled, Sampler, Unripe};
use crate::block::Block;
use crate::error::Error;
use crate::snapshot::{HotBatch, Snapshot};
use model::{TenantId, Timestamp, TraceId};
use std::collections::HashMap;
use std::sync::Arc;

type Verdicts = HashMap<TraceId, Verdict, foldhash::fast::RandomState>;

/// What becomes of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Kept for its id, which tells that again at any time.
    Lucky,
    Kept,
    /// Kept after it was dropped.
    Late,
    Dropped,
}

#[derive(Debug, Clone, Copy)]
struct Verdict {
    fate: Fate,
    /// Whether the trace was decided on before.
    is_known: bool,
    /// Whether it had its time.
    is_ripe: bool,
}

/// What was decided on batches.
pub(crate) struct Decision {
    /// What is kept of them, in order.
    pub(crate) batches: Vec<Arc<HotBatch>>,
    pub(crate) sampled: Sampled,
    verdicts: Verdicts,
}

impl Decision {
    /// The traces, and whether they were kept for a row's sake.
    pub(super) fn remembered(&self) -> impl Iterator<Item = (TraceId, bool)> {
        self.verdicts.iter().map(|(trace, verdict)| (*trace, matches!(verdict.fate, Fate::Kept | Fate::Late)))
    }
}

impl Sampler {
    /// Decides on all traces of batches that are to be sealed, the first ones of a snapshot's. For threads that may wait.
    pub(crate) fn decide(
        &self,
        tenant: &TenantId,
        (frozen, snapshot): (&[Arc<HotBatch>], &Snapshot),
        moment: Moment,
    ) -> Result<Decision, Error> {
        let (mut verdicts, complete_from) = self.look_back(tenant, frozen, moment.now);
        for trace in snapshot.hot.iter().flat_map(|batch| batch.wanted(&self.sampling.keeps)) {
            verdicts.entry(*trace).and_modify(Verdict::keep);
        }
        if moment.unripe == Unripe::Kept {
            verdicts
                .values_mut()
                .filter(|verdict| !verdict.is_known && !verdict.is_ripe)
                .for_each(Verdict::keep);
        }
        for block in snapshot.blocks.iter().filter(|block| block.id < complete_from) {
            look_up(block, &mut verdicts)?;
        }
        let mut batches = Vec::with_capacity(frozen.len());
        for batch in frozen {
            batches.extend(batch.retain(|trace| is_kept(&verdicts, trace))?);
        }
        let sampled = count(frozen, &batches, &verdicts);
        Ok(Decision { batches, sampled, verdicts })
    }

    /// What ids and memory say of traces; and from which block on that is all there is to say.
    fn look_back(&self, tenant: &TenantId, frozen: &[Arc<HotBatch>], now: Timestamp) -> (Verdicts, i64) {
        let mut verdicts = Verdicts::default();
        let memory = &self.lock().memory;
        for batch in frozen {
            let is_ripe = self.is_ripe(batch, now);
            for trace in batch.traces() {
                let first = || {
                    let is_known = memory.is_decided(tenant, trace);
                    let fate = match (self.is_lucky(trace), memory.is_kept(tenant, trace)) {
                        (true, _) => Fate::Lucky,
                        (_, true) => Fate::Kept,
                        _ => Fate::Dropped,
                    };
                    Verdict { fate, is_known, is_ripe: false }
                };
                verdicts.entry(trace).or_insert_with(first).is_ripe |= is_ripe;
            }
        }
        (verdicts, memory.complete_from())
    }
}

impl Verdict {
    /// Keeps the trace if it was to be dropped.
    fn keep(&mut self) {
        if self.fate == Fate::Dropped {
            self.fate = if self.is_known { Fate::Late } else { Fate::Kept };
        }
    }
}

fn is_kept(verdicts: &Verdicts, trace: TraceId) -> bool {
    verdicts.get(&trace).is_none_or(|verdict| verdict.fate != Fate::Dropped)
}

/// Keeps what the block has. A trace that was dropped is in none.
fn look_up(block: &Block, verdicts: &mut Verdicts) -> Result<(), Error> {
    let open = verdicts.iter().filter(|(_, verdict)| verdict.fate == Fate::Dropped && !verdict.is_known);
    let traces: Vec<TraceId> = open.map(|(trace, _)| *trace).collect();
    for trace in block.having(traces)? {
        verdicts.entry(trace).and_modify(Verdict::keep);
    }
    Ok(())
}

fn count(frozen: &[Arc<HotBatch>], kept: &[Arc<HotBatch>], verdicts: &Verdicts) -> Sampled {
    let rows = |batches: &[Arc<HotBatch>]| batches.iter().map(|batch| batch.statistics.rows).sum::<u64>();
    let kept_spans = rows(kept);
    let mut sampled =
        Sampled { kept_spans, dropped_spans: rows(frozen).saturating_sub(kept_spans), ..Sampled::default() };
    for verdict in verdicts.values() {
        let is_new = u64::from(!verdict.is_known);
        match verdict.fate {
            Fate::Dropped => sampled.dropped_traces += is_new,
            Fate::Lucky | Fate::Kept => sampled.kept_traces += is_new,
            Fate::Late => sampled.late_traces += 1,
        }
        sampled.early_traces += if verdict.is_ripe { 0 } else { is_new };
    }
    sampled
}
