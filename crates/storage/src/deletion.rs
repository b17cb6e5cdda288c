//! Deletes a trace, or everything of a tenant, for good: from the log, the hot buffer and every block.
//!
//! What is hot is sealed, which trims it off the log; then each block that has the trace is rewritten without it. The
//! catalog notes the deletion before it begins and forgets it at the end, so that neither a crash nor a block that cannot be
//! read makes us forget it: it is tried again until no file has the trace.

use crate::error::Error;
use crate::rewriting::replace;
use crate::sampling::{Moment, Unripe};
use crate::sealing::seal_all;
use crate::snapshot::Block;
use crate::steps;
use crate::superseded::Found;
use crate::tables::{Table, TableKey};
use crate::{Deleted, Store};
use model::{Signal, TenantId, TraceId, schema};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often deletions that could not be ended are tried again.
const RETRY: Duration = Duration::from_secs(60);

/// Deletes a trace, or everything. Once begun, that comes to its end, whoever waits for it.
pub(crate) async fn delete(
    store: &Arc<Store>,
    tenant: &TenantId,
    trace: Option<TraceId>,
) -> Result<Deleted, Error> {
    delete_in_turn(store, tenant, trace, false).await
}

/// Deletes in turn; what is to be taken up again only if it was not ended meanwhile.
pub(crate) async fn delete_in_turn(
    store: &Arc<Store>,
    tenant: &TenantId,
    trace: Option<TraceId>,
    is_resumed: bool,
) -> Result<Deleted, Error> {
    let (own, tenant) = (Arc::clone(store), tenant.clone());
    let deleting = async move {
        // One at a time: two of the same trace would each count a part of it.
        let _turn = own.deleting.lock().await;
        // What came after a deletion that was ended is not to be deleted.
        if is_resumed && !own.catalog.deletions().await?.contains(&(tenant.clone(), trace)) {
            return Ok(Deleted::default());
        }
        let deleted = delete_to_the_end(&own, &tenant, trace).await;
        if deleted.is_err() {
            own.deletion_due.notify_one();
        }
        deleted
    };
    store.to_its_end(deleting).await
}

async fn delete_to_the_end(
    store: &Arc<Store>,
    tenant: &TenantId,
    trace: Option<TraceId>,
) -> Result<Deleted, Error> {
    store.catalog.begin_deletion(tenant, trace).await?;
    store.count_deletions().await?;
    steps::reached("delete: noted");
    let sampled = store.sampler.as_ref().zip(trace);
    // What is there of it now is deleted from blocks, and counted.
    sampled.inspect(|(sampler, trace)| sampler.keep(tenant, *trace));
    // All tables, for they share the log.
    seal_all(store, Moment::now(store, Unripe::Kept)).await?;
    sampled.inspect(|(sampler, trace)| sampler.forget(tenant, *trace));
    let sealed = store.sealed.lock().await.values().copied().max().unwrap_or(0);
    let last = store.catalog.bound_deletion(tenant, trace, sealed).await?;
    steps::reached("delete: sealed");
    let mut unread = Vec::new();
    let spans = delete_from(store, (tenant, Signal::Traces), (trace, last), &mut unread).await?;
    steps::reached("delete: spans gone");
    let log_records = delete_from(store, (tenant, Signal::Logs), (trace, last), &mut unread).await?;
    let metric_points = match trace {
        Some(_) => 0,
        None => delete_from(store, (tenant, Signal::Metrics), (None, last), &mut unread).await?,
    };
    store.places.settle().await?;
    let trace_or_all = trace.map_or_else(|| "all".to_owned(), |trace| trace.to_string());
    if !unread.is_empty() {
        return Err(not_done(&trace_or_all, &unread));
    }
    store.catalog.end_deletion(tenant, trace).await?;
    store.count_deletions().await?;
    steps::reached("delete: done");
    tracing::info!(%tenant, trace = trace_or_all, spans, log_records, metric_points, "deleted");
    Ok(Deleted { spans, log_records, metric_points })
}

/// What was not read may have the trace.
fn not_done(trace: &str, unread: &[String]) -> Error {
    let detail = format!(
        "{} blocks are damaged or missing and may have it ({}); it is gone from all others. The deletion stays queued and is tried again every {} s; `clew repair` mends or gives up such blocks, and it ends then",
        unread.len(),
        unread.join(", "),
        RETRY.as_secs()
    );
    Error::Incomplete { what: format!("deleting {trace}"), detail }
}

/// Ends the deletions that were interrupted, or could not be ended when they were asked for, until shutdown.
pub(crate) async fn run(store: &Arc<Store>, shutdown: &CancellationToken) {
    loop {
        for (tenant, trace) in store.catalog.deletions().await.unwrap_or_default() {
            tokio::select! {
                () = shutdown.cancelled() => return,
                deleted = delete_in_turn(store, &tenant, trace, true) => if let Err(error) = deleted {
                    tracing::warn!(%error, %tenant, "a deletion is not done yet");
                }
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            // Nothing is to be done until one fails.
            () = store.deletion_due.notified() => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// Deletes from one table, up to the last request that there was when it was asked for; answers how many rows went, and names
/// the blocks that could not be read.
async fn delete_from(
    store: &Arc<Store>,
    (tenant, signal): (&TenantId, Signal),
    (trace, last): (Option<TraceId>, u64),
    unread: &mut Vec<String>,
) -> Result<u64, Error> {
    let Some(table) = store.tables.get(&TableKey { tenant: tenant.clone(), signal }) else { return Ok(0) };
    let _rewriting = store.rewriting.lock().await;
    let snapshot = table.snapshot();
    let came_later = |block: &Arc<Block>| block.coverage().is_some_and(|coverage| coverage.first > last);
    let blocks: Vec<Arc<Block>> =
        snapshot.blocks.iter().filter(|block| !came_later(block)).cloned().collect();
    let Some(trace) = trace else {
        let ids: Vec<i64> = blocks.iter().map(|block| block.id).collect();
        store.catalog.replace(&table.key, &ids, None, &Found::default()).await?;
        table.replace_blocks(&blocks, None);
        return Ok(blocks.iter().map(|block| snapshot.rows_of(block)).sum());
    };
    let mut rows = 0;
    for block in &blocks {
        if store.closing.is_cancelled() {
            return Err(Error::Closed);
        }
        match delete_from_block(store, &table, block, trace).await {
            Ok(gone) => rows += gone,
            Err(error) if error.is_of_block() => {
                block.note_damage(&error);
                unread.push(block.file_name());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(rows)
}

async fn delete_from_block(
    store: &Arc<Store>,
    table: &Table,
    block: &Arc<Block>,
    trace: TraceId,
) -> Result<u64, Error> {
    let columns = [schema::TRACE_ID, schema::SPAN_ID];
    let found = block.read_trace(trace, Some(&columns), None).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let superseded = table.snapshot().superseded_in(block).cloned().unwrap_or_default();
    replace(store, table, std::slice::from_ref(block), Some(trace)).await?;
    let counted = found.iter().map(|rows| match table.key.signal {
        Signal::Traces => Ok(superseded.leave_out(rows)?.num_rows() as u64),
        _ => Ok(rows.num_rows() as u64),
    });
    counted.sum()
}
