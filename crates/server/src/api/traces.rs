//! Searching traces, and one trace in one line.

use super::parameters::{self, Times};
use super::values::double;
use crate::api::State;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::tenant::Tenant;
use axum::Json;
use axum::extract::State as From;
use query::result::TraceSummary;
use query::{Deadline, SearchRequest, filter};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
pub struct Search {
    q: Option<String>,
    #[serde(default, deserialize_with = "parameters::number")]
    limit: Option<usize>,
    cursor: Option<String>,
    #[serde(flatten)]
    times: Times,
}

pub async fn search(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Query(search): Query<Search>,
) -> Result<Json<Value>, ApiError> {
    let started = std::time::Instant::now();
    let request = SearchRequest {
        filter: parameters::filter(search.q.as_deref())?,
        range: search.times.range()?,
        limit: parameters::limit(search.limit, 50, 1_000),
        cursor: search.cursor.filter(|cursor| !cursor.is_empty()),
        deadline: Deadline::default(),
    };
    let found = state.engine().search(&tenant, request).await?;
    let traces: Vec<_> = found.traces.iter().map(summary_view).collect();
    Ok(Json(json!({
        "traces": traces,
        "cursor": found.cursor,
        "complete": found.incomplete.is_none(),
        "incompleteReason": found.incomplete,
        "elapsedMs": started.elapsed().as_millis().to_string().parse::<u64>().unwrap_or(u64::MAX),
    })))
}

pub async fn summary(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path(trace): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let trace = parameters::trace_id(&trace)?;
    let found = state.engine().summaries(&tenant, &[trace]).await?;
    let summary = found.items.first().ok_or_else(|| state.not_stored(trace))?;
    let mut shown = summary_view(summary);
    shown["complete"] = json!(found.incomplete.is_none());
    shown["incompleteReason"] = json!(found.incomplete);
    Ok(Json(shown))
}

#[derive(Deserialize)]
pub struct Parse {
    q: Option<String>,
}

pub async fn parse(Query(parse): Query<Parse>) -> Json<Value> {
    Json(match filter::parse(parse.q.as_deref().unwrap_or_default()) {
        Ok(filter) => json!({"valid": true, "canonical": filter::print(&filter), "error": null}),
        Err(error) => {
            let error = json!({"at": error.at, "length": error.length, "message": error.message});
            json!({"valid": false, "canonical": null, "error": error})
        }
    })
}

const fn status_name(code: i32) -> &'static str {
    match code {
        1 => "ok",
        2 => "error",
        _ => "unset",
    }
}

/// A summary as the API gives it.
pub fn summary_view(summary: &TraceSummary) -> Value {
    let status = if summary.errors > 0 { "error" } else { status_name(summary.own_status) };
    let kinds: serde_json::Map<_, _> =
        summary.kinds.iter().map(|(kind, count)| ((*kind).to_owned(), json!(count))).collect();
    json!({
        "traceId": summary.trace_id.to_string(),
        "rootName": summary.root_name,
        "rootService": summary.root_service,
        "rootKind": summary.root_kind,
        "start": summary.start.0.to_string(),
        "duration": summary.duration.to_string(),
        "status": status,
        "ownStatus": status_name(summary.own_status),
        "spans": summary.spans,
        "errors": summary.errors,
        "agents": summary.agents,
        "services": summary.services,
        "models": summary.models,
        "unnamed": {
            "agents": summary.unnamed.agents,
            "services": summary.unnamed.services,
            "models": summary.unnamed.models,
        },
        "kinds": kinds,
        "inputTokens": summary.account.usage.input.to_string(),
        "outputTokens": summary.account.usage.output.to_string(),
        "cachedTokens": summary.account.usage.cache_read.to_string(),
        "cost": summary.account.cost.map(double),
        "reportedCost": summary.account.reported.map(double),
        "computedCost": summary.account.computed.map(double),
        "unpricedModels": summary.account.unpriced,
        "input": summary.input,
        "running": summary.running,
        "conversation": summary.conversation,
        "orphans": summary.orphans,
    })
}
