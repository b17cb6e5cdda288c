//! Deletes a trace, or everything of a tenant, for good: from the log, the hot buffer and every block.
//!
//! What is hot is sealed, which trims it off the log; then each block that has the trace is rewritten without it. The
//! catalog notes the deletion before it begins and forgets it at the end, so that a crash cannot leave a part behind.

use crate::error::Error;
use crate::rewriting::replace;
use crate::sampling::{Moment, Unripe};
use crate::sealing::seal_all;
use crate::steps;
use crate::tables::TableKey;
use crate::{Deleted, Store};
use model::{Signal, TenantId, TraceId};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Deletes a trace, or everything.
pub(crate) async fn delete(
    store: &Arc<Store>,
    tenant: &TenantId,
    trace: Option<TraceId>,
) -> Result<Deleted, Error> {
    store.catalog.begin_deletion(tenant, trace).await?;
    steps::reached("delete: noted");
    let sampled = store.sampler.as_ref().zip(trace);
    // What is there of it now is deleted from blocks, and counted.
    sampled.inspect(|(sampler, trace)| sampler.keep(tenant, *trace));
    // All tables, for they share the log.
    seal_all(store, Moment::now(Unripe::Kept)).await?;
    sampled.inspect(|(sampler, trace)| sampler.forget(tenant, *trace));
    steps::reached("delete: sealed");
    let spans = delete_from(store, tenant, Signal::Traces, trace).await?;
    steps::reached("delete: spans gone");
    let log_records = delete_from(store, tenant, Signal::Logs, trace).await?;
    let metric_points = match trace {
        Some(_) => 0,
        None => delete_from(store, tenant, Signal::Metrics, None).await?,
    };
    store.places.settle().await?;
    store.catalog.end_deletion(tenant, trace).await?;
    steps::reached("delete: done");
    let trace = trace.map_or_else(|| "all".to_owned(), |trace| trace.to_string());
    tracing::info!(%tenant, trace, spans, log_records, metric_points, "deleted");
    Ok(Deleted { spans, log_records, metric_points })
}

/// Ends the deletions that were interrupted.
pub(crate) async fn resume(store: &Arc<Store>, shutdown: &CancellationToken) {
    for (tenant, trace) in &store.interrupted {
        tokio::select! {
            () = shutdown.cancelled() => return,
            deleted = delete(store, tenant, *trace) => if let Err(error) = deleted {
                tracing::error!(%error, %tenant, "ending an interrupted deletion failed; it is tried again at the next start");
            }
        }
    }
}

async fn delete_from(
    store: &Arc<Store>,
    tenant: &TenantId,
    signal: Signal,
    trace: Option<TraceId>,
) -> Result<u64, Error> {
    let Some(table) = store.tables.get(&TableKey { tenant: tenant.clone(), signal }) else { return Ok(0) };
    let _rewriting = store.rewriting.lock().await;
    let blocks = &table.snapshot().blocks;
    let Some(trace) = trace else {
        let ids: Vec<i64> = blocks.iter().map(|block| block.id).collect();
        store.catalog.replace(&ids, None).await?;
        table.replace_blocks(blocks, None);
        return Ok(blocks.iter().map(|block| block.statistics().rows).sum());
    };
    let mut rows = 0;
    for block in blocks {
        if !block.read_trace(trace, Some(&[model::schema::TRACE_ID]), None).await?.is_empty() {
            rows += replace(store, &table, std::slice::from_ref(block), Some(trace)).await?;
        }
    }
    Ok(rows)
}
