//! The contract itself.

use crate::Error;
use crate::findings::{FindingsRequest, FindingsResult};
use crate::promql::{Answer, Labels, MetricMetadata, PromqlRequest, SeriesExemplars, SeriesRequest};
use crate::request::{
    EntitiesRequest, ExportRequest, FieldValuesRequest, LogRequest, MetricRequest, OperationsRequest,
    SearchRequest,
};
use crate::result::{
    Change, EntitiesResult, Field, FieldValues, Listed, LogResult, MetricName, MetricResult, Operation,
    OperationsResult, SearchResult, Skeleton, Stored, TraceSummary,
};
use crate::run::Run;
use async_trait::async_trait;
use futures::stream::BoxStream;
use model::{Span, SpanId, TenantId, TimeRange, TraceId};
use std::sync::Arc;

/// What is exported, as it is read.
pub struct Export {
    /// OTLP export requests in protobuf. What cannot be read is passed over; when that was not known before, the last
    /// item is the error that says so.
    pub requests: BoxStream<'static, Result<Vec<u8>, Error>>,
    /// Why items will be missing, as far as that is known before the first is read.
    pub incomplete: Option<String>,
}

/// Answers questions about stored telemetry. What was acknowledged is in every answer; a span sent twice is in it once.
/// What is in a block that cannot be read is missing, and the answer says so; a trace of which nothing is found while a
/// block cannot be read is [`Error::Unreadable`], for it may be in there.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Traces, newest first.
    async fn search(&self, tenant: &TenantId, request: SearchRequest) -> Result<SearchResult, Error>;

    /// These traces in one line each; those not stored are left out.
    async fn summaries(&self, tenant: &TenantId, traces: &[TraceId]) -> Result<Listed<TraceSummary>, Error>;

    /// Every span of a trace, without bodies. `None` when no span of it is stored.
    async fn skeleton(&self, tenant: &TenantId, trace: TraceId) -> Result<Option<Skeleton>, Error>;

    /// A trace as the run of an agent. `None` when no span of it is stored.
    async fn run(&self, tenant: &TenantId, trace: TraceId) -> Result<Option<Run>, Error>;

    /// Agents, models, tools, conversations and so on, with what they did.
    async fn entities(&self, tenant: &TenantId, request: EntitiesRequest) -> Result<EntitiesResult, Error>;

    /// Whole spans of a trace, by start time: all, or those named. Empty when none is stored.
    async fn spans(
        &self,
        tenant: &TenantId,
        trace: TraceId,
        only: Option<&[SpanId]>,
    ) -> Result<Listed<Span>, Error>;

    /// The log records that the request asks for.
    async fn logs(&self, tenant: &TenantId, request: LogRequest) -> Result<LogResult, Error>;

    /// The metrics stored, by name.
    async fn metric_names(&self, tenant: &TenantId) -> Result<Listed<MetricName>, Error>;

    /// The points of one metric; an unknown metric is [`Error::NotFound`].
    async fn metric_points(&self, tenant: &TenantId, request: MetricRequest) -> Result<MetricResult, Error>;

    /// What a PromQL expression computes over the metrics stored.
    async fn promql(&self, tenant: &TenantId, request: PromqlRequest) -> Result<Answer, Error>;

    /// The labels of the series that data points become for PromQL, sorted.
    async fn series(&self, tenant: &TenantId, request: SeriesRequest) -> Result<Listed<Labels>, Error>;

    /// The exemplars of these series, sorted by labels.
    async fn exemplars(
        &self,
        tenant: &TenantId,
        request: SeriesRequest,
    ) -> Result<Listed<SeriesExemplars>, Error>;

    /// The metrics stored, by their names in PromQL; of a name that several have there is one entry for each kind.
    async fn metadata(&self, tenant: &TenantId) -> Result<Listed<MetricMetadata>, Error>;

    /// The services that sent spans, sorted.
    async fn services(&self, tenant: &TenantId) -> Result<Vec<String>, Error>;

    /// The operations of a service, sorted.
    async fn operations(&self, tenant: &TenantId, service: &str) -> Result<Vec<Operation>, Error>;

    /// How often and how long operations ran.
    async fn operation_statistics(
        &self,
        tenant: &TenantId,
        request: OperationsRequest,
    ) -> Result<OperationsResult, Error>;

    /// What is wrong with traces themselves, over many of them.
    async fn findings(&self, tenant: &TenantId, request: FindingsRequest) -> Result<FindingsResult, Error>;

    /// The keys that filters may name.
    async fn fields(&self, tenant: &TenantId, range: TimeRange) -> Result<Listed<Field>, Error>;

    /// The values that a field has, most frequent first.
    async fn field_values(
        &self,
        tenant: &TenantId,
        request: FieldValuesRequest,
    ) -> Result<FieldValues, Error>;

    /// What the request asks for, as OTLP export requests in protobuf, the oldest first; a span that was sent again may
    /// come again. It takes as long as it takes: who no longer listens ends it.
    async fn export(&self, tenant: &TenantId, request: ExportRequest) -> Result<Export, Error>;

    /// How much is stored, and what room there is.
    async fn stored(&self, tenant: &TenantId) -> Result<Stored, Error>;

    /// What is stored from now on. A listener that is too slow misses changes and is told so by a `None`.
    fn changes(&self) -> BoxStream<'static, Option<Arc<Change>>>;
}
