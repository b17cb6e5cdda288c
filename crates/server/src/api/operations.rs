//! How often and how long operations ran.

use super::parameters::{self, Times};
use super::spans::span_kind;
use crate::api::State;
use crate::error::ApiError;
use crate::extract::Query;
use crate::tenant::Tenant;
use axum::Json;
use axum::extract::State as From;
use model::durations::Durations;
use query::result::OperationStatistics;
use query::{Deadline, OperationsRequest};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
pub struct Operations {
    q: Option<String>,
    #[serde(default, deserialize_with = "parameters::number")]
    limit: Option<usize>,
    #[serde(flatten)]
    times: Times,
}

pub async fn statistics(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Query(asked): Query<Operations>,
) -> Result<Json<Value>, ApiError> {
    let request = OperationsRequest {
        filter: parameters::filter(asked.q.as_deref())?,
        range: asked.times.range()?,
        limit: parameters::limit(asked.limit, 100, 10_000),
        deadline: Deadline::default(),
    };
    let found = state.engine().operation_statistics(&tenant, request).await?;
    let operations: Vec<_> = found.operations.iter().map(view).collect();
    let complete = found.complete && found.incomplete.is_none();
    Ok(Json(json!({
        "operations": operations,
        "complete": complete,
        "incompleteReason": found.incomplete,
    })))
}

/// How durations are distributed, in nanoseconds; null where nothing has ended.
pub fn distribution(durations: &Durations) -> Value {
    let quantile = |part| durations.quantile(part).map(|duration| duration.to_string());
    json!({
        "total": durations.total().to_string(),
        "p50": quantile(0.5),
        "p90": quantile(0.9),
        "p95": quantile(0.95),
        "p99": quantile(0.99),
        "max": (durations.count() > 0).then(|| durations.longest().to_string()),
    })
}

fn view(operation: &OperationStatistics) -> Value {
    json!({
        "service": operation.service,
        "name": operation.operation.name,
        "spanKind": span_kind(operation.operation.kind),
        "spans": operation.spans.to_string(),
        "errors": operation.errors.to_string(),
        "duration": distribution(&operation.durations),
    })
}
