//! Merges small hot batches into larger ones, so that a snapshot of thousands of small requests stays short.

use crate::error::Error;
use crate::layout::{Layout, Nulls, Part};
use crate::snapshot::HotBatch;
use crate::{Store, blocking};
use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use model::Signal;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// So many neighbours become one.
const RUN: usize = 8;
/// A batch of so many rows is as quickly searched as a part of a larger one; a program's SDK sends 512 at a time.
const ENOUGH_ROWS: u64 = 256;
/// What is larger than this is not merged further.
pub(crate) const MOST_ROWS: u64 = 8192;
pub(crate) const MOST_BYTES: u64 = 16 << 20;

/// Merges when woken, until shutdown.
pub(crate) async fn run(store: &Arc<Store>, shutdown: &CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = store.merge_due.notified() => {}
        }
        while !shutdown.is_cancelled() && merge_some(store).await {}
    }
}

/// Merges one run of each table; answers whether there was any.
async fn merge_some(store: &Arc<Store>) -> bool {
    let mut any = false;
    for table in store.tables.all() {
        let parts = table.mergeable(is_worth_it, RUN);
        if parts.is_empty() {
            continue;
        }
        let signal = table.key.signal;
        let merged = blocking(move || merge(signal, &parts).map(|merged| (parts, merged))).await;
        match merged.and_then(|merged| merged) {
            Ok((parts, merged)) => {
                table.merge(&parts, merged);
                any = true;
            }
            Err(error) => tracing::error!(%error, "merging hot columns failed; they stay as they are"),
        }
    }
    any
}

/// Neighbours are merged when the result is not too large and no row is copied often: the largest is at most half.
fn is_worth_it(run: &[Arc<HotBatch>]) -> bool {
    if run.iter().all(|batch| batch.statistics.rows >= ENOUGH_ROWS) {
        return false;
    }
    let rows: u64 = run.iter().map(|batch| batch.statistics.rows).sum();
    let bytes: u64 = run.iter().map(|batch| batch.bytes).sum();
    let largest = run.iter().map(|batch| batch.statistics.rows).max().unwrap_or(0);
    rows <= MOST_ROWS && bytes <= MOST_BYTES && 2 * largest <= rows
}

fn merge(signal: Signal, parts: &[Arc<HotBatch>]) -> Result<HotBatch, Error> {
    let columns: Vec<&RecordBatch> = parts.iter().map(|batch| &batch.columns).collect();
    let received = parts.iter().map(|batch| batch.received).min().unwrap_or_default();
    let mut merged = HotBatch::new(signal, unite(signal, &columns)?, received);
    let first = parts.first().map_or(0, |batch| batch.sequences.0);
    let last = parts.last().map_or(0, |batch| batch.sequences.1);
    merged.sequences = (first, last);
    merged.arrived = parts.iter().map(|batch| batch.arrived).min().unwrap_or(received);
    merged.youngest = parts.iter().map(|batch| batch.youngest).max().unwrap_or(received);
    Ok(merged)
}

/// All rows in one batch, in order.
pub(crate) fn unite(signal: Signal, parts: &[&RecordBatch]) -> Result<RecordBatch, Error> {
    if let [only] = parts {
        return Ok((*only).clone());
    }
    let described: Vec<Part> = parts.iter().map(|batch| Part::of_batch(batch)).collect();
    let layout = Layout::plan(signal, &described, 0);
    let mut nulls = Nulls::default();
    let arranged: Vec<RecordBatch> =
        parts.iter().map(|batch| layout.arrange(batch, &mut nulls)).collect::<Result<_, _>>()?;
    Ok(concat_batches(&layout.schema, &arranged)?)
}
