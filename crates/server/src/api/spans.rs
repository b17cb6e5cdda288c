//! Whole spans, one or many.

use super::{generation, messages, parameters, values};
use crate::api::State;
use crate::computing;
use crate::error::ApiError;
use crate::extract::{Body, Path};
use crate::tenant::Tenant;
use axum::extract::State as From;
use axum::response::Response;
use model::span::{Event, Link};
use model::{Span, SpanId, TenantId, TimeRange, TraceId};
use query::result::Listed;
use query::{Deadline, Expression, LogRequest};
use semconv::{Meaning, NodeKind};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The most spans of one question.
const BATCH: usize = 200;

pub async fn one(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path((trace, span)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (trace, span) = (parameters::trace_id(&trace)?, parameters::span_id(&span)?);
    let found = state.engine().spans(&tenant, trace, Some(&[span])).await?;
    let Listed { items, incomplete, held, .. } = found;
    // What log records tell may need as much again, and waits for nobody.
    drop(held);
    let told = told(&state, &tenant, trace, &items).await?;
    let incomplete = incomplete.or(told.incomplete);
    let found = items
        .into_iter()
        .next()
        .ok_or_else(|| ApiError::not_found(format!("the span {span} of trace {trace} is not stored")))?;
    let view = move || {
        let mut shown = view(&found, told.of.get(&span).map_or(&[], Vec::as_slice));
        shown["complete"] = json!(incomplete.is_none());
        shown["incompleteReason"] = json!(incomplete);
        shown
    };
    computing::json(&state.answers, view).await
}

/// Log records of a trace that are looked through for messages.
const MOST_RECORDS: usize = 1_000;

/// What log records tell of spans, in the order of time, whenever they came.
#[derive(Default)]
pub struct Told {
    pub of: HashMap<SpanId, Vec<Event>>,
    /// Whether all records were looked through.
    pub complete: bool,
    /// Why records may be missing.
    pub incomplete: Option<String>,
}

/// Whether a span that should say what was asked does not do so itself.
pub fn is_silent(span: &Span) -> bool {
    let asked = generation::Asked { span, told: &[] };
    let kind = NodeKind::classify(&asked);
    matches!(kind, NodeKind::Llm | NodeKind::Agent) && asked.carrier(Meaning::InputMessages).is_none()
}

/// What log records tell of these spans, when one of them is silent.
pub async fn told(
    state: &State,
    tenant: &TenantId,
    trace: TraceId,
    spans: &[Span],
) -> Result<Told, ApiError> {
    if !spans.iter().any(is_silent) {
        return Ok(Told { complete: true, ..Told::default() });
    }
    let only = if let [span] = spans { Some(span.span_id) } else { None };
    records(state, tenant, trace, only).await
}

/// What log records tell of the spans of a trace, or of one.
pub async fn records(
    state: &State,
    tenant: &TenantId,
    trace: TraceId,
    only: Option<SpanId>,
) -> Result<Told, ApiError> {
    let mut of: HashMap<SpanId, Vec<Event>> = HashMap::new();
    let request = LogRequest {
        trace_id: Some(trace),
        span_id: only,
        filter: Expression::All,
        range: TimeRange::ALL,
        limit: MOST_RECORDS,
        deadline: Deadline::default(),
    };
    let found = state.engine().logs(tenant, request).await?;
    for record in found.records {
        if let Some(span) = record.span_id {
            of.entry(span).or_default().push(messages::events::of_record(record));
        }
    }
    Ok(Told { of, complete: found.complete, incomplete: found.incomplete })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    span_ids: Vec<String>,
}

pub async fn batch(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path(trace): Path<String>,
    Body(batch): Body<Batch>,
) -> Result<Response, ApiError> {
    if batch.span_ids.len() > BATCH {
        return Err(ApiError::invalid(format!("at most {BATCH} spans can be asked for at once")));
    }
    let ids: Result<Vec<SpanId>, _> = batch.span_ids.iter().map(|id| parameters::span_id(id)).collect();
    let trace = parameters::trace_id(&trace)?;
    let spans = state.engine().spans(&tenant, trace, Some(&ids?)).await?;
    let Listed { items, incomplete, held, .. } = spans;
    drop(held);
    let told = told(&state, &tenant, trace, &items).await?;
    let incomplete = incomplete.or(told.incomplete);
    let view = move || {
        let told = |span: &Span| told.of.get(&span.span_id).map_or(&[][..], Vec::as_slice);
        let shown: Vec<_> = items.iter().map(|span| view(span, told(span))).collect();
        json!({"spans": shown, "complete": incomplete.is_none(), "incompleteReason": incomplete})
    };
    computing::json(&state.answers, view).await
}

const SPAN_KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/// The name of OTLP's span kind.
pub fn span_kind(kind: i32) -> &'static str {
    usize::try_from(kind).ok().and_then(|kind| SPAN_KINDS.get(kind)).unwrap_or(&SPAN_KINDS[0])
}

/// A span as the API gives it, with what log records tell of it.
pub fn view(span: &Span, told: &[Event]) -> Value {
    let asked = generation::Asked { span, told };
    let kind = NodeKind::classify(&asked);
    let status = ["unset", "ok", "error"];
    let code = usize::try_from(span.status.code).ok().and_then(|code| status.get(code)).unwrap_or(&status[0]);
    let ended = Some(span.end).filter(|end| end.0 != 0);
    json!({
        "traceId": span.trace_id.to_string(),
        "spanId": span.span_id.to_string(),
        "parentSpanId": span.parent_span_id.map(|id| id.to_string()),
        "name": span.name,
        "kind": kind.as_str(),
        "spanKind": span_kind(span.kind),
        "service": values::service(&span.resource),
        "agent": asked.meaning(Meaning::Agent).unwrap_or_default(),
        "subject": kind.subject().and_then(|meaning| asked.meaning(meaning)).unwrap_or_default(),
        "start": span.start.0.to_string(),
        "end": ended.map(|end| end.0.to_string()),
        "duration": ended.map(|end| end.0.saturating_sub(span.start.0).to_string()),
        "status": {"code": code, "message": span.status.message},
        "traceState": span.trace_state,
        "flags": span.flags,
        "attributes": values::attributes(&span.attributes),
        "resource": values::resource(&span.resource),
        "scope": values::scope(&span.scope),
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
        "dropped": {"attributes": span.dropped_attributes, "events": span.dropped_events, "links": span.dropped_links},
        "gen": generation::view(&asked, kind),
    })
}

fn event(event: &Event) -> Value {
    json!({"time": event.time.0.to_string(), "name": event.name, "attributes": values::attributes(&event.attributes)})
}

fn link(link: &Link) -> Value {
    json!({
        "traceId": link.trace_id.to_string(),
        "spanId": link.span_id.to_string(),
        "traceState": link.trace_state,
        "attributes": values::attributes(&link.attributes),
    })
}
