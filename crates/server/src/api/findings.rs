//! What is wrong with traces themselves, over many of them.

use super::parameters::{self, Times};
use super::spans::span_kind;
use crate::api::State;
use crate::error::ApiError;
use crate::extract::Query;
use crate::tenant::Tenant;
use axum::Json;
use axum::extract::State as From;
use model::Timestamp;
use query::findings::{FindingExample, FindingGroup, FindingKind};
use query::{Deadline, FindingsRequest};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// After so many nanoseconds without a span, a trace gets no more parents.
const SETTLED: u64 = 120_000_000_000;

#[derive(Deserialize)]
pub struct Asked {
    kind: Option<String>,
    service: Option<String>,
    #[serde(default, deserialize_with = "parameters::number")]
    limit: Option<usize>,
    #[serde(flatten)]
    times: Times,
}

pub async fn list(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, ApiError> {
    let request = FindingsRequest {
        kind: kind(asked.kind.as_deref())?,
        service: asked.service.filter(|service| !service.is_empty()),
        range: asked.times.range()?,
        settled: Timestamp(Timestamp::now().0.saturating_sub(SETTLED)),
        limit: parameters::limit(asked.limit, 100, 1_000),
        deadline: Deadline::default(),
    };
    let found = state.engine().findings(&tenant, request).await?;
    let totals = FindingKind::ALL.iter().zip(found.totals);
    let totals: Map<_, _> =
        totals.map(|(kind, total)| (kind.as_str().to_owned(), json!(total.to_string()))).collect();
    Ok(Json(json!({
        "findings": found.groups.iter().map(group).collect::<Vec<_>>(),
        "totals": totals,
        "spans": found.spans.to_string(),
        "complete": found.complete,
        "incompleteReason": found.incomplete,
    })))
}

fn kind(text: Option<&str>) -> Result<Option<FindingKind>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let known = FindingKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    let names = FindingKind::ALL.map(FindingKind::as_str).join(", ");
    known.map(Some).ok_or_else(|| ApiError::invalid(format!("kind={text:?} is none of {names}")))
}

fn group(group: &FindingGroup) -> Value {
    json!({
        "kind": group.kind.as_str(),
        "service": group.service,
        "operation": group.operation.name,
        "spanKind": span_kind(group.operation.kind),
        "spans": group.spans.to_string(),
        "of": group.of.to_string(),
        "first": group.first.0.to_string(),
        "last": group.last.0.to_string(),
        "help": group.kind.help(),
        "examples": group.examples.iter().map(example).collect::<Vec<_>>(),
    })
}

fn example(example: &FindingExample) -> Value {
    json!({
        "traceId": example.trace_id.to_string(),
        "spanId": example.span_id.to_string(),
        "start": example.start.0.to_string(),
        "why": example.why,
    })
}
