//! Jaeger's legacy JSON, so that what reads Jaeger reads us.

mod convert;
mod dependencies;
mod envelope;
mod parameters;
mod search;

use crate::answers::Answers;
use crate::api::{self, State};
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::tenant::Tenant;
use axum::Router;
use axum::extract::State as From;
use axum::response::Response;
use axum::routing::get;
use envelope::{Layout, answer, failure, refused, written};
use http::StatusCode;
use model::{Span, TraceId};
use query::result::Listed;
use serde::{Deserialize, Serialize};

/// The paths, as `api/openapi.rs` describes them.
pub fn router() -> Router<State> {
    Router::new()
        .route("/services", get(services))
        .route("/services/{service}/operations", get(operation_names))
        .route("/operations", get(operations))
        .route("/traces", get(search::traces))
        .route("/traces/{trace}", get(trace))
        .route("/dependencies", get(dependencies::dependencies))
        .route("/logs", get(api::logs))
        .fallback(|| async { ApiError::not_found("no such path; /api/v1/openapi.json lists ours") })
        .method_not_allowed_fallback(|| async { ApiError::wrong_method() })
}

async fn services(From(state): From<State>, Tenant(tenant): Tenant, layout: Layout) -> Response {
    match state.engine().services(&tenant).await {
        Ok(services) => answer(layout, &services, services.len(), None),
        Err(error) => refused(error.into()),
    }
}

async fn operation_names(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    layout: Layout,
    Path(service): Path<String>,
) -> Response {
    match state.engine().operations(&tenant, &service).await {
        Ok(operations) => {
            let mut names: Vec<_> = operations.into_iter().map(|operation| operation.name).collect();
            names.sort_unstable();
            names.dedup();
            answer(layout, &names, names.len(), None)
        }
        Err(error) => refused(error.into()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operations {
    service: Option<String>,
    span_kind: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OperationView {
    name: String,
    span_kind: &'static str,
}

async fn operations(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    layout: Layout,
    Query(asked): Query<Operations>,
) -> Response {
    let Some(service) = asked.service.filter(|service| !service.is_empty()) else {
        return failure(StatusCode::BAD_REQUEST, "parameter 'service' is required");
    };
    let wanted = asked.span_kind.filter(|wanted| !wanted.is_empty());
    match state.engine().operations(&tenant, &service).await {
        Ok(operations) => {
            let views = operations.into_iter().map(|operation| OperationView {
                name: operation.name,
                span_kind: convert::span_kind(operation.kind).unwrap_or_default(),
            });
            let views: Vec<_> = views
                .filter(|view| wanted.as_deref().is_none_or(|wanted| wanted == view.span_kind))
                .collect();
            answer(layout, &views, views.len(), None)
        }
        Err(error) => refused(error.into()),
    }
}

async fn trace(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    layout: Layout,
    Path(id): Path<String>,
    Query(parameters): Query<parameters::Parameters>,
) -> Response {
    let trace = match parameters::trace_id(&id).and_then(|id| parameters.check_raw().map(|()| id)) {
        Ok(trace) => trace,
        Err(message) => return failure(StatusCode::BAD_REQUEST, &message),
    };
    match state.engine().spans(&tenant, trace, None).await {
        Ok(spans) if spans.items.is_empty() => failure(StatusCode::NOT_FOUND, "trace not found"),
        Ok(spans) => traces_answer(&state.answers, layout, vec![(trace, spans)], None).await,
        Err(error) => refused(error.into()),
    }
}

/// Whole traces in Jaeger's form.
async fn traces_answer(
    answers: &Answers,
    layout: Layout,
    traces: Vec<(TraceId, Listed<Span>)>,
    errors: Option<Vec<envelope::Problem>>,
) -> Response {
    let written = crate::computing::aside(move || {
        let views: Vec<_> = traces.iter().map(|(id, spans)| convert::trace(*id, spans)).collect();
        written(layout, &views, 0, errors)
    });
    let body = written.await.and_then(|written| written);
    body.and_then(|body| answers.give("application/json", body)).unwrap_or_else(refused)
}
