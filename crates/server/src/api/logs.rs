//! Log records: of a trace, or by filter.

use super::parameters::{self, Times};
use super::values;
use crate::api::State;
use crate::computing;
use crate::error::ApiError;
use crate::extract::Query;
use crate::tenant::Tenant;
use axum::extract::State as From;
use axum::response::Response;
use model::{LogRecord, Value};
use query::{Deadline, LogRequest};
use serde::Deserialize;
use serde_json::{Value as Json_, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    #[serde(alias = "trace_id")]
    trace_id: Option<String>,
    #[serde(alias = "span_id")]
    span_id: Option<String>,
    q: Option<String>,
    #[serde(default, deserialize_with = "parameters::number")]
    limit: Option<usize>,
    #[serde(flatten)]
    times: Times,
}

pub async fn search(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Query(search): Query<Search>,
) -> Result<Response, ApiError> {
    let request = LogRequest {
        trace_id: search.trace_id.as_deref().map(parameters::trace_id).transpose()?,
        span_id: search.span_id.as_deref().map(parameters::span_id).transpose()?,
        filter: parameters::filter(search.q.as_deref())?,
        range: search.times.range()?,
        limit: parameters::limit(search.limit, 200, 5_000),
        deadline: Deadline::default(),
    };
    let found = state.engine().logs(&tenant, request).await?;
    let view = move || {
        let logs: Vec<_> = found.records.iter().map(view).collect();
        json!({"logs": logs, "complete": found.complete, "incompleteReason": found.incomplete})
    };
    computing::json(&state.answers, view).await
}

fn view(record: &LogRecord) -> Json_ {
    let body = record.body.as_ref().unwrap_or(&Value::Empty);
    json!({
        "time": record.time.0.to_string(),
        "observedTime": record.observed_time.0.to_string(),
        "severity": record.severity_number,
        "severityText": record.severity_text,
        "eventName": record.event_name,
        "body": {"type": values::kind(body), "value": values::value(body, false)},
        "service": values::service(&record.resource),
        "traceId": record.trace_id.map(|id| id.to_string()),
        "spanId": record.span_id.map(|id| id.to_string()),
        "attributes": values::attributes(&record.attributes),
        "resource": values::resource(&record.resource),
        "scope": values::scope(&record.scope),
    })
}
