//! Answers questions about stored telemetry: the one implementation of [`query::Engine`], and the only crate that
//! names DataFusion.
//!
//! A trace by id goes straight to the blocks' indexes (`trace`); what needs a filter is a DataFusion plan for each block and
//! hot batch (`scan`, `predicate`).

mod account;
mod admission;
mod entities;
mod export;
mod fields;
mod findings;
mod logs;
mod metrics;
mod newest;
mod operations;
mod outline;
mod predicate;
pub mod prices;
pub mod promql;
mod pruning;
mod row;
mod run;
mod runtime;
mod sampling;
mod scan;
mod search;
mod series;
mod skeleton;
mod spans;
mod summary;
mod table;
mod test;
mod trace;
mod traces;
mod weight;

#[cfg(test)]
mod tests;

pub use admission::EngineOptions;
pub use sampling::span_test;

use crate::admission::{Admission, Question};
use crate::export::Exporter;
use crate::prices::PriceTable;
use crate::runtime::Threads;
use crate::scan::Scanner;
use crate::series::Stored as StoredSeries;
use crate::trace::{Asked, internal};
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use model::{Signal, Span, SpanId, TenantId, TimeRange, TraceId};
use query::findings::FindingsResult;
use query::promql::{Answer, Labels, MetricMetadata, PromqlRequest, SeriesExemplars, SeriesRequest};
use query::result::{
    Change, EntitiesResult, Field, FieldValues, Listed, LogResult, MetricName, MetricResult, Operation,
    OperationsResult, Sampled, SearchResult, Skeleton, Stored, TraceSummary,
};
use query::run::Run;
use query::{
    Deadline, Engine, EntitiesRequest, Error, Export, ExportRequest, FieldValuesRequest, FindingsRequest,
    LogRequest, MetricRequest, OperationsRequest, SearchRequest,
};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use storage::{BlockStatistics, Snapshot, Storage};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;

/// Countings of what agents, models and so on did that are under way at the same time: each keeps many spans.
const COUNTS: usize = 2;
/// Expressions of PromQL that are computed at the same time: each may keep many samples.
const COMPUTING: usize = 4;

/// The engine over this store.
///
/// # Errors
/// When the query engine cannot be set up.
pub fn open(storage: Storage, prices: PriceTable, options: EngineOptions) -> Result<Arc<dyn Engine>, Error> {
    let core = Core {
        storage,
        scanner: Scanner::new()?,
        prices: Arc::new(prices),
        counts: Semaphore::new(COUNTS),
        computing: Arc::new(Semaphore::new(COMPUTING)),
    };
    let (admission, threads) = (Admission::new(options), Threads::start()?);
    Ok(Arc::new(StoredEngine { core: Arc::new(core), admission, threads }))
}

struct StoredEngine {
    core: Arc<Core>,
    admission: Admission,
    threads: Threads,
}

/// What questions are answered with.
struct Core {
    storage: Storage,
    scanner: Scanner,
    prices: Arc<PriceTable>,
    counts: Semaphore,
    computing: Arc<Semaphore>,
}

/// A question of a tenant's, while it is answered.
struct Under {
    core: Arc<Core>,
    question: Arc<Question>,
    tenant: TenantId,
}

impl Under {
    fn snapshot(&self, signal: Signal) -> Arc<Snapshot> {
        self.core.storage.snapshot(&self.tenant, signal)
    }

    /// The spans, each once.
    async fn spans_once(&self) -> Result<Arc<Snapshot>, Error> {
        each_once(&self.question, self.snapshot(Signal::Traces), Signal::Traces).await
    }

    fn scanner(&self) -> (&Scanner, &Arc<Question>) {
        (&self.core.scanner, &self.question)
    }

    fn of(&self, trace: TraceId) -> Asked<'_> {
        Asked { storage: &self.core.storage, question: &self.question, tenant: &self.tenant, trace }
    }
}

impl StoredEngine {
    /// Waits for a turn and answers on the threads of questions, all within the deadline.
    async fn answer<T: Send + 'static, F: Future<Output = Result<T, Error>> + Send + 'static>(
        &self,
        tenant: &TenantId,
        deadline: Deadline,
        answering: impl FnOnce(Under) -> F + Send,
    ) -> Result<T, Error> {
        let seconds = deadline.0.as_secs();
        let in_turn = async {
            let question = self.admission.question(deadline).await?;
            let under = Under { core: Arc::clone(&self.core), question, tenant: tenant.clone() };
            self.threads.run(answering(under)).await?
        };
        tokio::time::timeout(deadline.0, in_turn).await.map_err(|_| Error::DeadlineExceeded { seconds })?
    }
}

/// The same, with each span once: for those who count.
async fn each_once(
    question: &Arc<Question>,
    snapshot: Arc<Snapshot>,
    signal: Signal,
) -> Result<Arc<Snapshot>, Error> {
    question.compute(move || snapshot.each_once(signal)).await?.map_err(|error| trace::unread(&error))
}

fn statistics(snapshot: &Snapshot) -> impl Iterator<Item = &BlockStatistics> {
    let blocks = snapshot.blocks.iter().map(|block| block.statistics());
    blocks.chain(snapshot.hot.iter().map(|batch| &batch.statistics))
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

#[async_trait]
impl Engine for StoredEngine {
    async fn search(&self, tenant: &TenantId, request: SearchRequest) -> Result<SearchResult, Error> {
        let deadline = request.deadline;
        let answering = |under: Under| async move { traces::search(&under, &request).await };
        self.answer(tenant, deadline, answering).await
    }

    async fn summaries(&self, tenant: &TenantId, traces: &[TraceId]) -> Result<Listed<TraceSummary>, Error> {
        let ids: Vec<TraceId> = traces.to_vec();
        let answering = |under: Under| async move { traces::summaries(&under, ids).await };
        self.answer(tenant, Deadline::default(), answering).await
    }

    async fn skeleton(&self, tenant: &TenantId, trace: TraceId) -> Result<Option<Skeleton>, Error> {
        let answering = move |under: Under| async move { traces::skeleton(&under, trace).await };
        self.answer(tenant, Deadline::default(), answering).await
    }

    async fn run(&self, tenant: &TenantId, trace: TraceId) -> Result<Option<Run>, Error> {
        let answering = move |under: Under| async move { traces::run(&under, trace).await };
        self.answer(tenant, Deadline::default(), answering).await
    }

    async fn entities(&self, tenant: &TenantId, request: EntitiesRequest) -> Result<EntitiesResult, Error> {
        let deadline = request.deadline;
        let answering = |under: Under| async move {
            let _turn = under.core.counts.acquire().await.map_err(internal)?;
            let snapshot = under.spans_once().await?;
            entities::list(under.scanner(), &snapshot, &under.core.prices, &request).await
        };
        self.answer(tenant, deadline, answering).await
    }

    async fn spans(
        &self,
        tenant: &TenantId,
        trace: TraceId,
        only: Option<&[SpanId]>,
    ) -> Result<Listed<Span>, Error> {
        let only: Option<Vec<SpanId>> = only.map(<[SpanId]>::to_vec);
        let answering =
            move |under: Under| async move { spans::find(under.of(trace), only.as_deref()).await };
        self.answer(tenant, Deadline::default(), answering).await
    }

    async fn logs(&self, tenant: &TenantId, request: LogRequest) -> Result<LogResult, Error> {
        let deadline = request.deadline;
        let answering = |under: Under| async move {
            match request.trace_id {
                Some(trace) => logs::of_trace(&under.core.scanner, under.of(trace), &request).await,
                None => logs::newest_first(under.scanner(), &under.snapshot(Signal::Logs), &request).await,
            }
        };
        self.answer(tenant, deadline, answering).await
    }

    async fn metric_names(&self, tenant: &TenantId) -> Result<Listed<MetricName>, Error> {
        let answering = |under: Under| async move {
            let (scanner, question) = under.scanner();
            metrics::names(scanner, question, &under.snapshot(Signal::Metrics)).await
        };
        self.answer(tenant, Deadline::default(), answering).await
    }

    async fn metric_points(&self, tenant: &TenantId, request: MetricRequest) -> Result<MetricResult, Error> {
        let deadline = request.deadline;
        let answering = |under: Under| async move {
            let (scanner, question) = under.scanner();
            metrics::points(scanner, question, &under.snapshot(Signal::Metrics), &request).await
        };
        self.answer(tenant, deadline, answering).await
    }

    async fn promql(&self, tenant: &TenantId, request: PromqlRequest) -> Result<Answer, Error> {
        let deadline = request.deadline;
        let answering = |under: Under| async move {
            let turn = Arc::clone(&under.core.computing).acquire_owned().await.map_err(internal)?;
            let (snapshot, (scanner, question)) = (under.snapshot(Signal::Metrics), under.scanner());
            series::promql(StoredSeries { scanner, question, snapshot: &snapshot }, request, turn).await
        };
        self.answer(tenant, deadline, answering).await
    }

    async fn series(&self, tenant: &TenantId, request: SeriesRequest) -> Result<Listed<Labels>, Error> {
        let deadline = request.deadline;
        let answering = |under: Under| async move {
            let (snapshot, (scanner, question)) = (under.snapshot(Signal::Metrics), under.scanner());
            series::list(StoredSeries { scanner, question, snapshot: &snapshot }, &request).await
        };
        self.answer(tenant, deadline, answering).await
    }

    async fn exemplars(
        &self,
        tenant: &TenantId,
        request: SeriesRequest,
    ) -> Result<Listed<SeriesExemplars>, Error> {
        let deadline = request.deadline;
        let answering = |under: Under| async move {
            let (snapshot, (scanner, question)) = (under.snapshot(Signal::Metrics), under.scanner());
            series::exemplars(StoredSeries { scanner, question, snapshot: &snapshot }, &request).await
        };
        self.answer(tenant, deadline, answering).await
    }

    async fn metadata(&self, tenant: &TenantId) -> Result<Listed<MetricMetadata>, Error> {
        let answering = |under: Under| async move {
            let (snapshot, (scanner, question)) = (under.snapshot(Signal::Metrics), under.scanner());
            series::metadata(StoredSeries { scanner, question, snapshot: &snapshot }).await
        };
        self.answer(tenant, Deadline::default(), answering).await
    }

    async fn services(&self, tenant: &TenantId) -> Result<Vec<String>, Error> {
        let snapshot = self.core.storage.snapshot(tenant, Signal::Traces);
        let listing = async move {
            let services = statistics(&snapshot).flat_map(|block| &block.operations);
            let services = services.map(|operation| operation.service.as_str());
            let distinct: BTreeSet<&str> = services.filter(|service| !service.is_empty()).collect();
            distinct.into_iter().map(str::to_owned).collect()
        };
        self.threads.run(listing).await
    }

    async fn operations(&self, tenant: &TenantId, service: &str) -> Result<Vec<Operation>, Error> {
        let snapshot = self.core.storage.snapshot(tenant, Signal::Traces);
        let service = service.to_owned();
        let listing = async move {
            let operations = statistics(&snapshot).flat_map(|block| &block.operations);
            let of_service = operations.filter(|operation| operation.service == service);
            let distinct: BTreeSet<(&str, i32)> =
                of_service.map(|operation| (operation.operation.as_str(), operation.kind)).collect();
            let owned = |(name, kind): (&str, i32)| Operation { name: name.to_owned(), kind };
            distinct.into_iter().map(owned).collect()
        };
        self.threads.run(listing).await
    }

    async fn operation_statistics(
        &self,
        tenant: &TenantId,
        request: OperationsRequest,
    ) -> Result<OperationsResult, Error> {
        let deadline = request.deadline;
        let answering = |under: Under| async move {
            let (scanner, question) = under.scanner();
            operations::statistics(scanner, question, &*under.spans_once().await?, &request).await
        };
        self.answer(tenant, deadline, answering).await
    }

    async fn findings(&self, tenant: &TenantId, request: FindingsRequest) -> Result<FindingsResult, Error> {
        let deadline = request.deadline;
        let answering = |under: Under| async move {
            let _turn = under.core.counts.acquire().await.map_err(internal)?;
            let snapshot = under.spans_once().await?;
            findings::list(under.scanner(), &snapshot, (&under.core.storage, &under.tenant), &request).await
        };
        self.answer(tenant, deadline, answering).await
    }

    async fn fields(&self, tenant: &TenantId, range: TimeRange) -> Result<Listed<Field>, Error> {
        let answering = move |under: Under| async move {
            let (scanner, question) = under.scanner();
            fields::keys(scanner, question, &under.snapshot(Signal::Traces), range).await
        };
        self.answer(tenant, Deadline::default(), answering).await
    }

    async fn field_values(
        &self,
        tenant: &TenantId,
        request: FieldValuesRequest,
    ) -> Result<FieldValues, Error> {
        let deadline = request.deadline;
        let answering = |under: Under| async move {
            let (scanner, question) = under.scanner();
            fields::values(scanner, question, &*under.spans_once().await?, &request).await
        };
        self.answer(tenant, deadline, answering).await
    }

    async fn export(&self, tenant: &TenantId, request: ExportRequest) -> Result<Export, Error> {
        let question = self.admission.export()?;
        let snapshot = self.core.storage.snapshot(tenant, request.signal);
        let (asking, signal) = (Arc::clone(&question), request.signal);
        let snapshot = self.threads.run(async move { each_once(&asking, snapshot, signal).await }).await??;
        // The exporter keeps the files, and the turn is taken, until the last request is given.
        let (exporter, requests) = Exporter::new(self.core.scanner.clone(), question, snapshot, request);
        let incomplete = exporter.incomplete();
        let running = self.threads.start_now(exporter.run());
        // Who no longer listens ends it.
        let requests = requests.map(move |request| {
            let _ends_with = &running;
            request
        });
        Ok(Export { requests: requests.boxed(), incomplete })
    }

    async fn stored(&self, tenant: &TenantId) -> Result<Stored, Error> {
        let rows = async |signal| {
            let snapshot = self.core.storage.snapshot(tenant, signal);
            let counting =
                tokio::task::spawn_blocking(move || snapshot.each_once(signal).map(|once| once.rows()));
            counting.await.map_err(internal)?.map_err(|error| trace::unread(&error))
        };
        let usage = self.core.storage.usage();
        Ok(Stored {
            spans: rows(Signal::Traces).await?,
            logs: rows(Signal::Logs).await?,
            metric_points: rows(Signal::Metrics).await?,
            disk_bytes: usage.block_bytes + usage.log_bytes,
            disk_free_bytes: usage.disk_free_bytes,
            hot_bytes: usage.hot_bytes,
            blocks: usage.blocks,
            damaged_blocks: usage.damaged_blocks,
            sampled: self.core.storage.sampled(tenant).map(sampled),
        })
    }

    fn changes(&self) -> BoxStream<'static, Option<Arc<Change>>> {
        let changes = stream::unfold(self.core.storage.subscribe(), |mut appended| async {
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
