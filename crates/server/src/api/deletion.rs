//! Forgets what is stored, for good.

use super::parameters;
use crate::api::State;
use crate::error::ApiError;
use crate::extract::Path;
use crate::security;
use crate::tenant::Tenant;
use axum::Json;
use axum::extract::State as From;
use http::HeaderMap;
use model::Kind;
use serde_json::{Value, json};

pub async fn trace(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    Path(trace): Path<String>,
) -> Result<Json<Value>, ApiError> {
    refuse_others(&headers)?;
    let trace = parameters::trace_id(&trace)?;
    let deleted = state.ports.deletion.delete_trace(&tenant, trace).await;
    let deleted = deleted.map_err(|(kind, message)| ApiError::new(kind, message))?;
    if deleted.spans == 0 && deleted.log_records == 0 {
        return Err(ApiError::not_found(format!("the trace {trace} is not stored")));
    }
    Ok(Json(json!({
        "traceId": trace.to_string(),
        "spans": deleted.spans.to_string(),
        "logRecords": deleted.log_records.to_string(),
    })))
}

pub async fn everything(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    refuse_others(&headers)?;
    let deleted = state.ports.deletion.delete_everything(&tenant).await;
    let deleted = deleted.map_err(|(kind, message)| ApiError::new(kind, message))?;
    Ok(Json(json!({
        "spans": deleted.spans.to_string(),
        "logRecords": deleted.log_records.to_string(),
        "metricPoints": deleted.metric_points.to_string(),
    })))
}

fn refuse_others(headers: &HeaderMap) -> Result<(), ApiError> {
    if security::is_from_ourselves(headers) {
        return Ok(());
    }
    Err(ApiError::new(Kind::Denied, "another site's page may not delete anything"))
}
