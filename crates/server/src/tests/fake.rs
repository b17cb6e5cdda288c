//! An engine over a list of spans, and a program that always runs.

use crate::ports::{
    ApplicationStatus, Deleted, Deletion, Health, Ports, Problem, Receiver, ReceiverEvent, Retention,
    Sampling, Severity,
};
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use model::batch::Encoding;
use model::metric::{MetricKind, Number};
use model::span::{Event, Status};
use model::value::Resource;
use model::{
    Attribute, Kind, LogRecord, MetricPoint, Signal, Span, SpanId, TenantId, TimeRange, Timestamp, TraceId,
    Value, otlp,
};
use query::filter::{Comparison, Expression, Field, Operator};
use query::findings::{FindingExample, FindingGroup, FindingKind, FindingsResult};
use query::promql::{
    Answer, Exemplar, Labels, MetricMetadata, PromqlRequest, Sample, Series, SeriesExemplars, SeriesRequest,
    Steps, Value as PromqlValue,
};
use query::result::{
    Change, EntitiesResult, Entity, Field as NamedField, FieldScope, FieldValues, Held, Listed, LogResult,
    MetricName, MetricResult, Operation, OperationStatistics, OperationsResult, Sampled, SearchResult,
    Skeleton, SkeletonRow, Stored, TraceSummary,
};
use query::run::Run;
use query::{
    Engine, EntitiesRequest, Error, Export, ExportRequest, FieldValuesRequest, FindingsRequest, LogRequest,
    MetricRequest, OperationsRequest, SearchRequest,
};
use semconv::NodeKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub const TRACE: TraceId =
    TraceId([0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36]);
/// What a number with an exemplar keeps beside the number.
fn exemplar() -> Vec<u8> {
    let json = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","sum":{"dataPoints":[{"exemplars":[
        {"timeUnixNano":"7","asInt":"3","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7",
        "filteredAttributes":[{"key":"user","value":{"stringValue":"ada"}}]}]}]}}]}]}]}"#;
    let json = bytes::Bytes::from_static(json.as_bytes());
    let batch = otlp::decode(TenantId::default(), Signal::Metrics, Encoding::Json, json).unwrap();
    otlp::metric_points(&batch.columns[0])[0].wire.clone()
}

/// When the spans of the tests start.
pub const START: u64 = 1_706_678_909_209_712_000;

/// A span of the test's trace with the attributes that the test is about.
pub fn span(number: u8, attributes: &[(&str, Value)]) -> Span {
    let attributes = attributes.iter().map(|(key, value)| Attribute::new(*key, value.clone())).collect();
    let resource =
        Resource { attributes: vec![Attribute::new("service.name", text("shop"))], ..Resource::default() };
    Span {
        resource: Arc::new(resource),
        trace_id: TRACE,
        span_id: SpanId([0, 0, 0, 0, 0, 0, 0, number]),
        parent_span_id: (number > 1).then_some(SpanId([0, 0, 0, 0, 0, 0, 0, 1])),
        name: format!("span {number}"),
        kind: 3,
        start: Timestamp(START + u64::from(number) * 1_000),
        end: Timestamp(START + u64::from(number) * 1_000 + 123_000),
        attributes,
        ..Span::default()
    }
}

pub fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// A trace with an error, an event and a second service.
pub fn trace() -> Vec<Span> {
    let mut failed = span(2, &[("http.status_code", Value::Int(500)), ("retry", Value::Bool(true))]);
    failed.status = Status { code: 2, message: "boom".to_owned() };
    failed.events = vec![Event { time: failed.start, name: "exception".to_owned(), ..Event::default() }];
    let mut other = span(3, &[("http.status_code", Value::Int(200))]);
    let name = Attribute::new("service.name", text("stock"));
    other.resource = Arc::new(Resource { attributes: vec![name], ..Resource::default() });
    vec![span(1, &[]), failed, other]
}

pub struct FakeEngine {
    spans: Vec<Span>,
    /// How often log records were asked for.
    logs_asked: Arc<AtomicUsize>,
    /// Why all answers lack something.
    incomplete: Option<String>,
}

impl FakeEngine {
    pub fn ports(spans: &[Span]) -> Ports {
        Self::counting(spans, &Arc::default())
    }

    /// Of an application that kept the last of three receiver events.
    pub fn forgetful() -> Ports {
        Ports { application: Arc::new(FakeApplication { first_event: 3 }), ..Self::ports(&trace()) }
    }

    pub fn counting(spans: &[Span], logs_asked: &Arc<AtomicUsize>) -> Ports {
        Ports {
            engine: Arc::new(Self {
                spans: spans.to_vec(),
                logs_asked: Arc::clone(logs_asked),
                incomplete: None,
            }),
            application: Arc::new(FakeApplication { first_event: 1 }),
            deletion: Arc::new(FakeApplication { first_event: 1 }),
        }
    }

    /// Of a store of which a block cannot be read.
    pub fn damaged(spans: &[Span], incomplete: &str) -> Ports {
        let engine = Self {
            spans: spans.to_vec(),
            logs_asked: Arc::default(),
            incomplete: Some(incomplete.to_owned()),
        };
        Ports { engine: Arc::new(engine), ..Self::ports(spans) }
    }

    /// Items; that there are none cannot be told of a damaged store.
    fn listed<T>(&self, items: Vec<T>) -> Listed<T> {
        Listed { incomplete: self.incomplete.clone(), ..Listed::from(items) }
    }

    fn of(&self, tenant: &TenantId, trace: TraceId) -> Vec<Span> {
        let mine = self.spans.iter().filter(|span| *tenant == TenantId::default() && span.trace_id == trace);
        mine.cloned().collect()
    }

    fn summary(&self, tenant: &TenantId, trace: TraceId) -> Option<TraceSummary> {
        let spans = self.of(tenant, trace);
        let root = spans.first()?;
        Some(TraceSummary {
            trace_id: trace,
            root_name: root.name.clone(),
            root_kind: "internal",
            start: root.start,
            spans: spans.len() as u64,
            errors: spans.iter().filter(|span| span.status.code == 2).count() as u64,
            services: spans
                .iter()
                .map(|span| crate::api::values::service(&span.resource).to_owned())
                .collect(),
            kinds: vec![("internal", 3)],
            account: query::run::Account { cost: Some(f64::NAN), ..query::run::Account::default() },
            ..TraceSummary::default()
        })
    }
}

/// Enough of the filter language for what Jaeger's parameters become.
fn holds(expression: &Expression, span: &Span) -> bool {
    match expression {
        Expression::All => true,
        Expression::And(all) => all.iter().all(|each| holds(each, span)),
        Expression::Or(any) => any.iter().any(|each| holds(each, span)),
        Expression::Not(inner) => !holds(inner, span),
        Expression::Compare(comparison) => compares(comparison, span),
        Expression::Exists(_) | Expression::Text(_) => false,
    }
}

fn compares(comparison: &Comparison, span: &Span) -> bool {
    let found = match &comparison.field {
        Field::Session => "requests".to_owned(),
        Field::Service => crate::api::values::service(&span.resource).to_owned(),
        Field::Name => span.name.clone(),
        Field::Kind => {
            ["unspecified", "internal", "server", "client"][usize::try_from(span.kind).unwrap()].to_owned()
        }
        Field::Status => ["unset", "ok", "error"][usize::try_from(span.status.code).unwrap()].to_owned(),
        Field::Duration => (span.end.0 - span.start.0).to_string(),
        Field::Attribute(key) => match span.attributes.iter().find(|attribute| attribute.key == *key) {
            Some(attribute) => match &attribute.value {
                Value::Int(number) => number.to_string(),
                Value::Bool(yes) => yes.to_string(),
                other => other.as_str().unwrap_or_default().to_owned(),
            },
            None => return false,
        },
        _ => return false,
    };
    let numbers = found.parse::<f64>().ok().zip(comparison.value.number);
    match comparison.operator {
        Operator::GreaterOrEqual => numbers.is_some_and(|(found, bound)| found >= bound),
        Operator::LessOrEqual => numbers.is_some_and(|(found, bound)| found <= bound),
        _ => found == comparison.value.text,
    }
}

#[async_trait]
impl Engine for FakeEngine {
    async fn search(&self, tenant: &TenantId, request: SearchRequest) -> Result<SearchResult, Error> {
        let within = |span: &Span| span.start >= request.range.from && span.start <= request.range.to;
        let mut ids: Vec<TraceId> = self
            .spans
            .iter()
            .filter(|span| within(span) && holds(&request.filter, span))
            .map(|span| span.trace_id)
            .collect();
        ids.dedup();
        let more = ids.len() > request.limit;
        ids.truncate(request.limit);
        let traces = ids.into_iter().filter_map(|id| self.summary(tenant, id)).collect();
        Ok(SearchResult {
            traces,
            cursor: more.then(|| "next".to_owned()),
            incomplete: self.incomplete.clone(),
        })
    }

    async fn summaries(&self, tenant: &TenantId, traces: &[TraceId]) -> Result<Listed<TraceSummary>, Error> {
        Ok(self.listed(traces.iter().filter_map(|trace| self.summary(tenant, *trace)).collect()))
    }

    async fn skeleton(&self, tenant: &TenantId, trace: TraceId) -> Result<Option<Skeleton>, Error> {
        let spans = self.of(tenant, trace);
        let row = |(index, span): (usize, &Span)| SkeletonRow {
            span_id: span.span_id,
            parent: (index > 0).then_some(0),
            start: span.start,
            end: span.end,
            name: u32::try_from(index + 1).unwrap(),
            service: if index == 2 { 2 } else { 1 },
            kind: if span.name.starts_with("chat") { NodeKind::Llm as u8 } else { 0 },
            cost: f32::NAN,
            ..SkeletonRow::default()
        };
        Ok((!spans.is_empty()).then(|| Skeleton {
            trace_id: trace,
            start: spans[0].start,
            names: std::iter::once(String::new()).chain(spans.iter().map(|span| span.name.clone())).collect(),
            services: vec![String::new(), "shop".to_owned(), "stock".to_owned()],
            agents: vec![String::new()],
            subjects: vec![String::new()],
            rows: spans.iter().enumerate().map(row).collect(),
            incomplete: self.incomplete.clone(),
            ..Skeleton::default()
        }))
    }

    async fn run(&self, tenant: &TenantId, trace: TraceId) -> Result<Option<Run>, Error> {
        Ok(self.summary(tenant, trace).map(|_| Run {
            trace_id: trace,
            incomplete: self.incomplete.clone(),
            ..Run::default()
        }))
    }

    async fn entities(&self, _: &TenantId, request: EntitiesRequest) -> Result<EntitiesResult, Error> {
        let entity = Entity { name: request.name.unwrap_or_default(), ..Entity::default() };
        let incomplete = self.incomplete.clone();
        Ok(EntitiesResult { entities: vec![entity], complete: incomplete.is_none(), incomplete })
    }

    async fn spans(
        &self,
        tenant: &TenantId,
        trace: TraceId,
        only: Option<&[SpanId]>,
    ) -> Result<Listed<Span>, Error> {
        let mut spans = self.of(tenant, trace);
        spans.retain(|span| only.is_none_or(|only| only.contains(&span.span_id)));
        Ok(self.listed(spans))
    }

    async fn logs(&self, _: &TenantId, request: LogRequest) -> Result<LogResult, Error> {
        self.logs_asked.fetch_add(1, Ordering::Relaxed);
        let record = LogRecord {
            body: Some(Value::Int(i64::MAX)),
            trace_id: request.trace_id,
            attributes: vec![Attribute::new(
                "nested",
                Value::Map(vec![Attribute::new("a", Value::Double(f64::NAN))]),
            )],
            ..LogRecord::default()
        };
        let incomplete = self.incomplete.clone();
        let complete = incomplete.is_none();
        Ok(LogResult { records: vec![record], complete, incomplete, held: Held::default() })
    }

    async fn metric_names(&self, _: &TenantId) -> Result<Listed<MetricName>, Error> {
        let name = MetricName { name: "requests".to_owned(), points: 2, ..MetricName::default() };
        Ok(self.listed(vec![name]))
    }

    async fn metric_points(&self, _: &TenantId, request: MetricRequest) -> Result<MetricResult, Error> {
        let point = |number, route: &str| MetricPoint {
            name: request.name.clone(),
            kind: MetricKind::Sum,
            attributes: vec![Attribute::new("route", text(route))],
            number: Some(number),
            ..MetricPoint::default()
        };
        let points = vec![
            MetricPoint { wire: exemplar(), ..point(Number::Int(1), "/a") },
            point(Number::Double(f64::INFINITY), "/b"),
            point(Number::Int(i64::MIN), "/a"),
        ];
        let incomplete = self.incomplete.clone();
        Ok(MetricResult { points, complete: incomplete.is_none(), incomplete, held: Held::default() })
    }

    async fn promql(&self, _: &TenantId, request: PromqlRequest) -> Result<Answer, Error> {
        let (Steps::Instant(at) | Steps::Range { start: at, .. }) = request.steps;
        let one = |name: &str| (Labels::new([("__name__", name)]), Sample::Float(0.5));
        let value = match request.steps {
            _ if request.text == "slow" => {
                return Err(Error::DeadlineExceeded { seconds: request.deadline.0.as_secs() });
            }
            _ if request.text == "wrong" => {
                return Err(Error::Execution { message: "many-to-many matching not allowed".to_owned() });
            }
            Steps::Instant(_) => PromqlValue::Vector(at, vec![one("a"), one("b")]),
            Steps::Range { end, .. } => {
                let points = vec![(at, f64::NAN).into(), (end, 1.0).into()];
                PromqlValue::Matrix(vec![Series { labels: one("a").0, points }])
            }
        };
        let warnings = self.incomplete.iter().cloned().collect();
        Ok(Answer { value, warnings, infos: vec![format!("lookback {}", request.lookback)] })
    }

    async fn series(&self, _: &TenantId, request: SeriesRequest) -> Result<Listed<Labels>, Error> {
        let labels = |number: usize| {
            let name = ("__name__", format!("requests_total_{number}"));
            Labels::new([name, ("job", format!("{:?} {:?}", request.from, request.to))])
        };
        Ok(self.listed((0..request.selectors.len()).map(labels).collect()))
    }

    async fn exemplars(
        &self,
        _: &TenantId,
        request: SeriesRequest,
    ) -> Result<Listed<SeriesExemplars>, Error> {
        let labels =
            Labels::new(request.selectors.iter().flatten().map(|matcher| (&*matcher.name, &*matcher.value)));
        let labels_of_one = Labels::new([("user", "ada")]);
        let exemplar =
            Exemplar { time: 1_500, value: 3.0, trace_id: Some(TRACE), span_id: None, labels: labels_of_one };
        Ok(self.listed(vec![SeriesExemplars { labels, exemplars: vec![exemplar] }]))
    }

    async fn metadata(&self, _: &TenantId) -> Result<Listed<MetricMetadata>, Error> {
        let (name, help, unit) = ("requests_total".to_owned(), "what was asked".to_owned(), String::new());
        Ok(self.listed(vec![MetricMetadata { name, kind: "counter", help, unit }]))
    }

    async fn services(&self, _: &TenantId) -> Result<Vec<String>, Error> {
        Ok(vec!["shop".to_owned(), "stock".to_owned()])
    }

    async fn operations(&self, _: &TenantId, service: &str) -> Result<Vec<Operation>, Error> {
        let operation = |kind| Operation { name: format!("sell {service}"), kind };
        Ok(vec![operation(0), operation(2), operation(3)])
    }

    async fn operation_statistics(
        &self,
        _: &TenantId,
        _: OperationsRequest,
    ) -> Result<OperationsResult, Error> {
        let operation = OperationStatistics { service: "shop".to_owned(), ..OperationStatistics::default() };
        let incomplete = self.incomplete.clone();
        Ok(OperationsResult { operations: vec![operation], complete: incomplete.is_none(), incomplete })
    }

    async fn findings(&self, _: &TenantId, request: FindingsRequest) -> Result<FindingsResult, Error> {
        let example = FindingExample { trace_id: TRACE, why: "it is one".to_owned(), ..Default::default() };
        let group = FindingGroup {
            kind: request.kind.unwrap_or(FindingKind::Orphan),
            service: "shop".to_owned(),
            operation: Operation { name: "sell".to_owned(), kind: 2 },
            spans: 1,
            of: 3,
            first: Timestamp(START),
            last: Timestamp(START),
            examples: vec![example],
        };
        Ok(FindingsResult {
            groups: vec![group],
            totals: [0, 0, 1, 0],
            spans: 3,
            complete: self.incomplete.is_none(),
            incomplete: self.incomplete.clone(),
        })
    }

    async fn fields(&self, _: &TenantId, _: TimeRange) -> Result<Listed<NamedField>, Error> {
        let field =
            NamedField { key: "http.route".to_owned(), scope: FieldScope::Span, types: vec!["string"] };
        Ok(self.listed(vec![field]))
    }

    async fn field_values(&self, _: &TenantId, request: FieldValuesRequest) -> Result<FieldValues, Error> {
        let incomplete = self.incomplete.clone();
        let values = vec![(request.key, request.limit as u64)];
        Ok(FieldValues { values, complete: incomplete.is_none(), incomplete })
    }

    async fn export(&self, _: &TenantId, request: ExportRequest) -> Result<Export, Error> {
        let wire = match request.signal {
            Signal::Traces => otlp::encode_spans(&self.spans),
            Signal::Logs | Signal::Metrics => Vec::new(),
        };
        Ok(Export { requests: stream::iter([Ok(wire)]).boxed(), incomplete: self.incomplete.clone() })
    }

    async fn stored(&self, _: &TenantId) -> Result<Stored, Error> {
        Ok(Stored { spans: self.spans.len() as u64, sampled: Some(Sampled::default()), ..Stored::default() })
    }

    fn changes(&self) -> BoxStream<'static, Option<Arc<Change>>> {
        let change = |tenant| Change { tenant, signal: Signal::Traces, items: 3, traces: vec![TRACE] };
        let foreign = TenantId::new("other").unwrap();
        let changes = [Some(Arc::new(change(foreign))), Some(Arc::new(change(TenantId::default()))), None];
        stream::iter(changes).chain(stream::pending()).boxed()
    }
}

/// Keeps three receiver events, or fewer.
struct FakeApplication {
    first_event: u64,
}

#[async_trait]
impl Deletion for FakeApplication {
    async fn delete_trace(&self, _: &TenantId, trace: TraceId) -> Result<Deleted, (Kind, String)> {
        let spans = if trace == TRACE { 3 } else { 0 };
        Ok(Deleted { spans, log_records: 0, metric_points: 0 })
    }

    async fn delete_everything(&self, _: &TenantId) -> Result<Deleted, (Kind, String)> {
        Ok(Deleted { spans: 3, log_records: 2, metric_points: 1 })
    }
}

#[async_trait]
impl ApplicationStatus for FakeApplication {
    fn version(&self) -> &'static str {
        "0.1.0"
    }
    fn started(&self) -> Timestamp {
        Timestamp(START)
    }
    fn retention(&self) -> Retention {
        Retention { max_age: "7d".to_owned(), max_bytes: 1 }
    }
    fn sampling(&self) -> Option<Sampling> {
        Some(Sampling { rest: 0.1, keep: "status:error".to_owned(), wait: "30s".to_owned() })
    }
    fn receivers(&self) -> Vec<Receiver> {
        vec![Receiver { name: "OTLP/gRPC", address: "127.0.0.1:4317".to_owned(), accepting: true }]
    }
    fn health(&self) -> Health {
        Health::BackPressure
    }
    fn problems(&self) -> Vec<Problem> {
        let message = "one block is missing".to_owned();
        vec![Problem { kind: "damagedBlocks", severity: Severity::Degraded, message }]
    }
    fn receiver_events(&self, after: u64) -> Vec<ReceiverEvent> {
        let event = |number| ReceiverEvent {
            number,
            time: Timestamp(START),
            receiver: "OTLP/HTTP",
            outcome: "hint",
            summary: "POST /v1/trace\n→ 404 <script>".to_owned(),
            hint: String::new(),
            items: 0,
        };
        (self.first_event..=3).filter(|number| *number > after).map(event).collect()
    }
    async fn receiver_event_after(&self, _: u64) {}
    async fn send_sample(&self) -> Result<TraceId, String> {
        Ok(TRACE)
    }
}
