//! Jaeger's legacy JSON, so that what reads Jaeger reads us.

mod convert;
mod search;

use crate::api::{self, State, trace_id};
use crate::error::ApiError;
use crate::tenant::Tenant;
use axum::Router;
use axum::extract::{Path, Query, State as From};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

pub fn router() -> Router<State> {
    Router::new()
        .route("/services", get(services))
        .route("/services/{service}/operations", get(operation_names))
        .route("/operations", get(operations))
        .route("/traces", get(search::traces))
        .route("/traces/{trace}", get(trace))
        .route("/logs", get(api::logs_by_trace))
        .fallback(|| async { ApiError::not_found("no such path; /api/v1/openapi.json lists ours") })
}

/// Jaeger's envelope around an answer.
pub fn answer(data: &Value, total: usize, errors: &Value) -> Response {
    let body = json!({"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors});
    ([("content-type", "application/json")], body.to_string()).into_response()
}

/// Jaeger's envelope around an error.
pub fn failure(status: StatusCode, message: &str) -> Response {
    let errors = json!([{"code": status.as_u16(), "msg": message}]);
    let body = json!({"data": null, "total": 0, "limit": 0, "offset": 0, "errors": errors});
    (status, [("content-type", "text/plain; charset=utf-8")], format!("{body}\n")).into_response()
}

/// An error of ours in Jaeger's envelope.
pub fn refused(error: &ApiError) -> Response {
    failure(crate::error::status(error.kind), &error.message)
}

async fn services(From(state): From<State>, Tenant(tenant): Tenant) -> Response {
    match state.engine().services(&tenant).await {
        Ok(services) => answer(&json!(services), services.len(), &Value::Null),
        Err(error) => refused(&error.into()),
    }
}

async fn operation_names(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path(service): Path<String>,
) -> Response {
    match state.engine().operations(&tenant, &service).await {
        Ok(operations) => {
            let mut names: Vec<_> = operations.into_iter().map(|operation| operation.name).collect();
            names.dedup();
            answer(&json!(names), names.len(), &Value::Null)
        }
        Err(error) => refused(&error.into()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operations {
    service: Option<String>,
    span_kind: Option<String>,
}

async fn operations(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Query(asked): Query<Operations>,
) -> Response {
    let Some(service) = asked.service.filter(|service| !service.is_empty()) else {
        return failure(StatusCode::BAD_REQUEST, "parameter 'service' is required");
    };
    match state.engine().operations(&tenant, &service).await {
        Ok(operations) => {
            let kinds = operations
                .iter()
                .map(|operation| (convert::span_kind(operation.kind).unwrap_or_default(), operation));
            let wanted = kinds.filter(|(kind, _)| {
                asked.span_kind.as_deref().is_none_or(|wanted| wanted.is_empty() || wanted == *kind)
            });
            let data: Vec<_> =
                wanted.map(|(kind, operation)| json!({"name": operation.name, "spanKind": kind})).collect();
            answer(&json!(data), data.len(), &Value::Null)
        }
        Err(error) => refused(&error.into()),
    }
}

async fn trace(From(state): From<State>, Tenant(tenant): Tenant, Path(id): Path<String>) -> Response {
    let trace = match trace_id(&id) {
        Ok(trace) => trace,
        Err(error) => {
            return failure(
                StatusCode::BAD_REQUEST,
                &format!("cannot parse traceID param: {}", error.message),
            );
        }
    };
    match state.engine().spans(&tenant, trace, None).await {
        Ok(spans) if spans.is_empty() => failure(StatusCode::NOT_FOUND, "trace not found"),
        Ok(spans) => answer(&json!([convert::trace(trace, &spans)]), 0, &Value::Null),
        Err(error) => refused(&error.into()),
    }
}
