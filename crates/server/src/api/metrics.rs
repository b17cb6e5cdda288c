//! Which metrics there are, and the raw series of one.

use super::parameters::{self, Times};
use super::values;
use crate::api::State;
use crate::computing;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::tenant::Tenant;
use axum::Json;
use axum::extract::State as From;
use axum::response::Response;
use model::MetricPoint;
use model::metric::{Exemplar, MetricKind, Number};
use query::result::MetricResult;
use query::{Deadline, MetricRequest};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub async fn names(From(state): From<State>, Tenant(tenant): Tenant) -> Result<Json<Value>, ApiError> {
    let names = state.engine().metric_names(&tenant).await?;
    let metrics: Vec<_> = names
        .items
        .iter()
        .map(|metric| {
            let points = metric.points.to_string();
            json!({"name": metric.name, "unit": metric.unit, "description": metric.description, "kind": kind(metric.kind), "points": points})
        })
        .collect();
    Ok(Json(json!({
        "metrics": metrics,
        "complete": names.incomplete.is_none(),
        "incompleteReason": names.incomplete,
    })))
}

const fn kind(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Gauge => "gauge",
        MetricKind::Sum => "sum",
        MetricKind::Histogram => "histogram",
        MetricKind::ExponentialHistogram => "exponentialHistogram",
        MetricKind::Summary => "summary",
    }
}

#[derive(Deserialize)]
pub struct Series {
    #[serde(default, deserialize_with = "parameters::number")]
    limit: Option<usize>,
    #[serde(flatten)]
    times: Times,
}

pub async fn series(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path(name): Path<String>,
    Query(series): Query<Series>,
) -> Result<Response, ApiError> {
    let request = MetricRequest {
        name: name.clone(),
        range: series.times.range()?,
        limit: parameters::limit(series.limit, 10_000, 100_000),
        deadline: Deadline::default(),
    };
    let found = state.engine().metric_points(&tenant, request).await?;
    computing::json(&state.answers, move || all_series(&name, &found)).await
}

fn all_series(name: &str, found: &MetricResult) -> Value {
    let mut grouped: BTreeMap<String, Vec<&MetricPoint>> = BTreeMap::new();
    for point in &found.points {
        grouped.entry(identity(point)).or_default().push(point);
    }
    let series: Vec<_> = grouped.values().map(|points| one_series(points)).collect();
    json!({
        "name": name,
        "series": series,
        "complete": found.complete,
        "incompleteReason": found.incomplete,
    })
}

/// What tells one series from another: resource, scope and attributes, whatever their order.
fn identity(point: &MetricPoint) -> String {
    let mut attributes: Vec<_> = point.attributes.iter().map(|attribute| format!("{attribute:?}")).collect();
    attributes.sort_unstable();
    format!("{:?} {:?} {attributes:?}", point.resource, point.scope)
}

fn one_series(points: &[&MetricPoint]) -> Value {
    let Some(first) = points.first() else { return Value::Null };
    let temporality = match first.temporality {
        1 => "delta",
        2 => "cumulative",
        _ => "unspecified",
    };
    json!({
        "service": values::service(&first.resource),
        "attributes": values::attributes(&first.attributes),
        "temporality": temporality,
        "monotonic": first.monotonic,
        "points": points.iter().map(|point| view(point)).collect::<Vec<_>>(),
    })
}

fn view(point: &MetricPoint) -> Value {
    let count = point.count.map(|count| count.to_string());
    let exemplars: Vec<_> = model::otlp::exemplars(point).iter().map(exemplar).collect();
    json!({
        "time": point.time.0.to_string(),
        "value": number(point.number),
        "count": count,
        "sum": point.sum.map(values::double),
        "exemplars": exemplars,
    })
}

fn number(number: Option<Number>) -> Value {
    match number {
        Some(Number::Int(number)) => values::plain(&model::Value::Int(number)),
        Some(Number::Double(number)) => values::double(number),
        None => Value::Null,
    }
}

fn exemplar(exemplar: &Exemplar) -> Value {
    json!({
        "time": exemplar.time.0.to_string(),
        "value": number(exemplar.number),
        "traceId": exemplar.trace_id.map(|id| id.to_string()),
        "spanId": exemplar.span_id.map(|id| id.to_string()),
        "attributes": values::attributes(&exemplar.attributes),
    })
}
