//! Answers questions about stored telemetry: the one implementation of [`query::Engine`], and the only crate that
//! names DataFusion.
//!
//! A trace by id goes straight to the blocks' indexes (`trace`); what needs a filter is a DataFusion plan for each block and
//! hot batch (`scan`, `predicate`).

mod account;
mod entities;
mod export;
mod fields;
mod findings;
mod logs;
mod metrics;
mod newest;
mod operations;
mod predicate;
pub mod prices;
pub mod promql;
mod pruning;
mod row;
mod run;
mod sampling;
mod scan;
mod search;
mod series;
mod skeleton;
mod summary;
mod table;
mod test;
mod trace;

#[cfg(test)]
mod tests;

pub use sampling::span_test;

use crate::prices::PriceTable;
use crate::scan::{Scanner, Wanted};
use crate::trace::{Width, internal, load, load_spans};
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use model::{Signal, Span, SpanId, TenantId, TimeRange, TraceId, otlp};
use query::findings::FindingsResult;
use query::promql::{Answer, Labels, MetricMetadata, PromqlRequest, SeriesExemplars, SeriesRequest};
use query::result::{
    Change, EntitiesResult, Field, FieldValues, LogResult, MetricName, MetricResult, Operation,
    OperationsResult, Sampled, SearchResult, Skeleton, Stored, TraceSummary,
};
use query::run::Run;
use query::{
    Deadline, Engine, EntitiesRequest, Error, ExportRequest, Expression, FieldValuesRequest, FindingsRequest,
    LogRequest, MetricRequest, OperationsRequest, SearchRequest,
};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use storage::{BlockStatistics, Storage};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;

/// Questions with a filter that are answered at the same time; others wait their turn.
const CONCURRENT: usize = 8;
/// How long a question waits for its turn at most.
const WAIT: Duration = Duration::from_secs(5);
/// Countings of what agents, models and so on did that are under way at the same time: each keeps many spans.
const COUNTS: usize = 2;
/// Expressions of PromQL that are computed at the same time: each may keep many samples.
const COMPUTING: usize = 4;
/// Exports that are under way at the same time; each keeps what it reads from being deleted.
const EXPORTS: usize = 2;
/// Traces that are summed up at the same time.
const SUMMARIES: usize = 8;

/// The engine over this store.
///
/// # Errors
/// When the query engine cannot be set up.
pub fn open(storage: Storage, prices: PriceTable) -> Result<Arc<dyn Engine>, Error> {
    let (turns, exports) = (Semaphore::new(CONCURRENT), Arc::new(Semaphore::new(EXPORTS)));
    let (counts, computing) = (Semaphore::new(COUNTS), Arc::new(Semaphore::new(COMPUTING)));
    let (scanner, prices) = (Scanner::new()?, Arc::new(prices));
    Ok(Arc::new(StoredEngine { storage, scanner, prices, turns, counts, computing, exports }))
}

fn busy() -> Error {
    Error::Busy { message: format!("{CONCURRENT} questions are being answered already; ask again later") }
}

struct StoredEngine {
    storage: Storage,
    scanner: Scanner,
    prices: Arc<PriceTable>,
    turns: Semaphore,
    counts: Semaphore,
    computing: Arc<Semaphore>,
    exports: Arc<Semaphore>,
}

impl StoredEngine {
    /// Waits for a turn and answers, all within the deadline.
    async fn answer<T>(
        &self,
        deadline: Deadline,
        answering: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let seconds = deadline.0.as_secs();
        let in_turn = async {
            let turn = tokio::time::timeout(WAIT.min(deadline.0), self.turns.acquire()).await;
            let _turn = turn.map_err(|_| busy())?.map_err(internal)?;
            answering.await
        };
        tokio::time::timeout(deadline.0, in_turn).await.map_err(|_| Error::DeadlineExceeded { seconds })?
    }

    fn statistics(&self, tenant: &TenantId, signal: Signal) -> Vec<BlockStatistics> {
        let snapshot = self.storage.snapshot(tenant, signal);
        let blocks = snapshot.blocks.iter().map(|block| block.statistics().clone());
        blocks.chain(snapshot.hot.iter().map(|batch| batch.statistics.clone())).collect()
    }

    async fn summary(&self, tenant: &TenantId, trace: TraceId) -> Result<Option<TraceSummary>, Error> {
        let rows = load(&self.storage, tenant, Signal::Traces, trace, Width::Outline).await?;
        let prices = Arc::clone(&self.prices);
        compute(move || summary::build(trace, &rows, &prices)).await
    }

    /// The summary of a trace that was found, unless what was found in it is a version of a span that was sent again.
    async fn matching_summary(
        &self,
        tenant: &TenantId,
        trace: TraceId,
        request: &SearchRequest,
    ) -> Result<Option<TraceSummary>, Error> {
        let outline = load(&self.storage, tenant, Signal::Traces, trace, Width::Outline).await?;
        let everything = request.filter == Expression::All && request.range == TimeRange::ALL;
        if !everything && outline.has_superseded() {
            let rows = load(&self.storage, tenant, Signal::Traces, trace, Width::All).await?;
            let wanted = Wanted { signal: Signal::Traces, filter: &request.filter, range: request.range };
            let mut found = false;
            for batch in compute(move || rows.current()).await? {
                found = found || !self.scanner.matching(batch, wanted).await?.is_empty();
            }
            if !found {
                return Ok(None);
            }
        }
        let prices = Arc::clone(&self.prices);
        compute(move || summary::build(trace, &outline, &prices)).await
    }

    /// The spans, by start, as far as the blocks have them under the ids given.
    async fn spans_of(
        &self,
        tenant: &TenantId,
        trace: TraceId,
        only: Option<&[SpanId]>,
    ) -> Result<Vec<Span>, Error> {
        let rows = load_spans(&self.storage, tenant, Signal::Traces, trace, Width::All, only).await?;
        let only: Option<BTreeSet<SpanId>> = only.map(|ids| ids.iter().copied().collect());
        compute(move || {
            let mut spans = rows.spans(only.as_ref());
            spans.sort_by_key(|span| (span.start, span.span_id));
            spans
        })
        .await
    }

    async fn logged_spans(
        &self,
        tenant: &TenantId,
        trace: TraceId,
    ) -> Result<std::collections::HashSet<SpanId>, Error> {
        let rows = load(&self.storage, tenant, Signal::Logs, trace, Width::Outline).await?;
        let ids = |batch| {
            let columns = otlp::columns::Columns::new(batch);
            (0..batch.num_rows())
                .filter_map(|row| columns.id(model::schema::SPAN_ID, row).map(SpanId))
                .collect::<Vec<_>>()
        };
        Ok(rows.batches.iter().flat_map(ids).collect())
    }
}

fn sampled(of: storage::Sampled) -> Sampled {
    Sampled {
        kept_traces: of.kept_traces,
        dropped_traces: of.dropped_traces,
        kept_spans: of.kept_spans,
        dropped_spans: of.dropped_spans,
        early_traces: of.early_traces,
        late_traces: of.late_traces,
    }
}

/// Computes on a thread that may take its time.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(internal)
}

#[async_trait]
impl Engine for StoredEngine {
    async fn search(&self, tenant: &TenantId, request: SearchRequest) -> Result<SearchResult, Error> {
        let snapshot = self.storage.snapshot(tenant, Signal::Traces);
        let answering = async {
            let page = search::page(&self.scanner, &snapshot, &request).await?;
            let matching = stream::iter(page.traces.iter().copied())
                .map(|trace| self.matching_summary(tenant, trace, &request))
                .buffered(SUMMARIES)
                .try_filter_map(|summary| async { Ok(summary) });
            let traces = matching.try_collect().await?;
            Ok(SearchResult { traces, cursor: page.cursor, incomplete: page.incomplete })
        };
        self.answer(request.deadline, answering).await
    }

    async fn summaries(&self, tenant: &TenantId, traces: &[TraceId]) -> Result<Vec<TraceSummary>, Error> {
        let traces: Vec<TraceId> = traces.to_vec();
        let each = stream::iter(traces).map(|trace| self.summary(tenant, trace)).buffered(SUMMARIES);
        each.try_filter_map(|summary| async { Ok(summary) }).try_collect().await
    }

    async fn skeleton(&self, tenant: &TenantId, trace: TraceId) -> Result<Option<Skeleton>, Error> {
        let rows = load(&self.storage, tenant, Signal::Traces, trace, Width::Outline).await?;
        let logged = self.logged_spans(tenant, trace).await?;
        let prices = Arc::clone(&self.prices);
        compute(move || skeleton::build(trace, &rows, &prices, &logged)).await
    }

    async fn run(&self, tenant: &TenantId, trace: TraceId) -> Result<Option<Run>, Error> {
        let rows = load(&self.storage, tenant, Signal::Traces, trace, Width::Outline).await?;
        let prices = Arc::clone(&self.prices);
        compute(move || run::build(trace, &rows, &prices)).await
    }

    async fn entities(&self, tenant: &TenantId, request: EntitiesRequest) -> Result<EntitiesResult, Error> {
        let snapshot = self.storage.snapshot(tenant, Signal::Traces);
        let answering = async {
            let _turn = self.counts.acquire().await.map_err(internal)?;
            entities::list(&self.scanner, &snapshot, &self.prices, &request).await
        };
        self.answer(request.deadline, answering).await
    }

    async fn spans(
        &self,
        tenant: &TenantId,
        trace: TraceId,
        only: Option<&[SpanId]>,
    ) -> Result<Vec<Span>, Error> {
        let spans = self.spans_of(tenant, trace, only).await?;
        match only {
            // A span that is pending stands under another id.
            Some(ids) if spans.len() < ids.iter().collect::<BTreeSet<_>>().len() => {
                let mut all = self.spans_of(tenant, trace, None).await?;
                all.retain(|span| ids.contains(&span.span_id));
                Ok(all)
            }
            _ => Ok(spans),
        }
    }

    async fn logs(&self, tenant: &TenantId, request: LogRequest) -> Result<LogResult, Error> {
        let answering = logs::find(&self.storage, &self.scanner, tenant, &request);
        self.answer(request.deadline, answering).await
    }

    async fn metric_names(&self, tenant: &TenantId) -> Result<Vec<MetricName>, Error> {
        let snapshot = self.storage.snapshot(tenant, Signal::Metrics);
        self.answer(Deadline::default(), metrics::names(&self.scanner, &snapshot)).await
    }

    async fn metric_points(&self, tenant: &TenantId, request: MetricRequest) -> Result<MetricResult, Error> {
        let snapshot = self.storage.snapshot(tenant, Signal::Metrics);
        self.answer(request.deadline, metrics::points(&self.scanner, &snapshot, &request)).await
    }

    async fn promql(&self, tenant: &TenantId, request: PromqlRequest) -> Result<Answer, Error> {
        let snapshot = self.storage.snapshot(tenant, Signal::Metrics);
        let deadline = request.deadline;
        let answering = async {
            let turn = Arc::clone(&self.computing).acquire_owned().await.map_err(internal)?;
            series::promql(&self.scanner, &snapshot, request, turn).await
        };
        self.answer(deadline, answering).await
    }

    async fn series(&self, tenant: &TenantId, request: SeriesRequest) -> Result<Vec<Labels>, Error> {
        let snapshot = self.storage.snapshot(tenant, Signal::Metrics);
        self.answer(request.deadline, series::list(&self.scanner, &snapshot, &request)).await
    }

    async fn exemplars(
        &self,
        tenant: &TenantId,
        request: SeriesRequest,
    ) -> Result<Vec<SeriesExemplars>, Error> {
        let snapshot = self.storage.snapshot(tenant, Signal::Metrics);
        self.answer(request.deadline, series::exemplars(&self.scanner, &snapshot, &request)).await
    }

    async fn metadata(&self, tenant: &TenantId) -> Result<Vec<MetricMetadata>, Error> {
        let snapshot = self.storage.snapshot(tenant, Signal::Metrics);
        self.answer(Deadline::default(), series::metadata(&self.scanner, &snapshot)).await
    }

    async fn services(&self, tenant: &TenantId) -> Result<Vec<String>, Error> {
        let statistics = self.statistics(tenant, Signal::Traces);
        let services =
            statistics.into_iter().flat_map(|block| block.operations).map(|operation| operation.service);
        let distinct: BTreeSet<String> = services.filter(|service| !service.is_empty()).collect();
        Ok(distinct.into_iter().collect())
    }

    async fn operations(&self, tenant: &TenantId, service: &str) -> Result<Vec<Operation>, Error> {
        let statistics = self.statistics(tenant, Signal::Traces);
        let operations = statistics.into_iter().flat_map(|block| block.operations);
        let of_service = operations.filter(|operation| operation.service == service);
        let distinct: BTreeSet<Operation> = of_service
            .map(|operation| Operation { name: operation.operation, kind: operation.kind })
            .collect();
        Ok(distinct.into_iter().collect())
    }

    async fn operation_statistics(
        &self,
        tenant: &TenantId,
        request: OperationsRequest,
    ) -> Result<OperationsResult, Error> {
        let snapshot = self.storage.snapshot(tenant, Signal::Traces);
        let answering = operations::statistics(&self.scanner, &snapshot, &request);
        self.answer(request.deadline, answering).await
    }

    async fn findings(&self, tenant: &TenantId, request: FindingsRequest) -> Result<FindingsResult, Error> {
        let answering = async {
            let _turn = self.counts.acquire().await.map_err(internal)?;
            findings::list(&self.scanner, (&self.storage, tenant), &request).await
        };
        self.answer(request.deadline, answering).await
    }

    async fn fields(&self, tenant: &TenantId, range: TimeRange) -> Result<Vec<Field>, Error> {
        let snapshot = self.storage.snapshot(tenant, Signal::Traces);
        self.answer(Deadline::default(), fields::keys(&self.scanner, &snapshot, range)).await
    }

    async fn field_values(
        &self,
        tenant: &TenantId,
        request: FieldValuesRequest,
    ) -> Result<FieldValues, Error> {
        let snapshot = self.storage.snapshot(tenant, Signal::Traces);
        self.answer(request.deadline, fields::values(&self.scanner, &snapshot, &request)).await
    }

    async fn export(
        &self,
        tenant: &TenantId,
        request: ExportRequest,
    ) -> Result<BoxStream<'static, Result<Vec<u8>, Error>>, Error> {
        let turn = Arc::clone(&self.exports).try_acquire_owned();
        let turn = turn.map_err(|_| Error::Busy {
            message: format!("{EXPORTS} exports are under way already; wait for one to end"),
        })?;
        let snapshot = self.storage.snapshot(tenant, request.signal);
        let requests = export::requests(self.scanner.clone(), &snapshot, request).await?;
        // The snapshot keeps the files, and the turn is taken, until the last request is given.
        let keep = move |request| {
            let _kept = (&snapshot, &turn);
            request
        };
        Ok(requests.map(keep).boxed())
    }

    async fn stored(&self, tenant: &TenantId) -> Result<Stored, Error> {
        let rows = |signal| self.statistics(tenant, signal).iter().map(|block| block.rows).sum();
        let usage = self.storage.usage();
        Ok(Stored {
            spans: rows(Signal::Traces),
            logs: rows(Signal::Logs),
            metric_points: rows(Signal::Metrics),
            disk_bytes: usage.block_bytes + usage.log_bytes,
            disk_free_bytes: usage.disk_free_bytes,
            hot_bytes: usage.hot_bytes,
            blocks: usage.blocks,
            damaged_blocks: usage.damaged_blocks,
            sampled: self.storage.sampled(tenant).map(sampled),
        })
    }

    fn changes(&self) -> BoxStream<'static, Option<Arc<Change>>> {
        let changes = stream::unfold(self.storage.subscribe(), |mut appended| async {
            let change = match appended.recv().await {
                Ok(appended) => Some(Arc::new(Change {
                    tenant: appended.tenant.clone(),
                    signal: appended.signal,
                    items: appended.items,
                    traces: appended.traces.clone(),
                })),
                Err(RecvError::Lagged(_)) => None,
                Err(RecvError::Closed) => return None,
            };
            Some((change, appended))
        });
        changes.boxed()
    }
}
