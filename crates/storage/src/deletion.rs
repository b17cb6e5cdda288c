//! Deletes a trace for good: from the log, the hot buffer and every block.
//!
//! What is hot is sealed, which trims it off the log; then each block that has the trace is rewritten without it. The
//! catalog notes the deletion before it begins and forgets it at the end, so that a crash cannot leave a part behind.

use crate::error::Error;
use crate::rewriting::replace;
use crate::sealing::seal_all;
use crate::steps;
use crate::tables::TableKey;
use crate::{Deleted, Store};
use model::{Signal, TenantId, TraceId};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(crate) async fn delete(store: &Arc<Store>, tenant: &TenantId, trace: TraceId) -> Result<Deleted, Error> {
    store.catalog.begin_deletion(tenant, trace).await?;
    steps::reached("delete: noted");
    // All tables, for they share the log.
    seal_all(store).await?;
    steps::reached("delete: sealed");
    let spans = delete_from(store, tenant, Signal::Traces, trace).await?;
    steps::reached("delete: spans gone");
    let log_records = delete_from(store, tenant, Signal::Logs, trace).await?;
    store.catalog.end_deletion(tenant, trace).await?;
    steps::reached("delete: done");
    tracing::info!(%tenant, %trace, spans, log_records, "deleted a trace");
    Ok(Deleted { spans, log_records })
}

/// Ends the deletions that were interrupted.
pub(crate) async fn resume(store: &Arc<Store>, shutdown: &CancellationToken) {
    for (tenant, trace) in &store.interrupted {
        tokio::select! {
            () = shutdown.cancelled() => return,
            deleted = delete(store, tenant, *trace) => if let Err(error) = deleted {
                tracing::error!(%error, %trace, "ending an interrupted deletion failed; it is tried again at the next start");
            }
        }
    }
}

async fn delete_from(
    store: &Arc<Store>,
    tenant: &TenantId,
    signal: Signal,
    trace: TraceId,
) -> Result<u64, Error> {
    let Some(table) = store.tables.get(&TableKey { tenant: tenant.clone(), signal }) else { return Ok(0) };
    let _rewriting = store.rewriting.lock().await;
    let mut rows = 0;
    for block in &table.snapshot().blocks {
        if !block.read_trace(trace, Some(&[model::schema::TRACE_ID]), None).await?.is_empty() {
            rows += replace(store, &table, std::slice::from_ref(block), Some(trace)).await?;
        }
    }
    Ok(rows)
}
