//! What filters may name, for suggestions.

use super::parameters::{self, Times};
use crate::api::State;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::tenant::Tenant;
use axum::Json;
use axum::extract::State as From;
use query::result::FieldScope;
use query::{Deadline, FieldValuesRequest};
use serde::Deserialize;
use serde_json::{Value, json};

pub async fn keys(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Query(times): Query<Times>,
) -> Result<Json<Value>, ApiError> {
    let found = state.engine().fields(&tenant, times.range()?).await?;
    let fields: Vec<_> = found
        .items
        .iter()
        .map(|field| {
            let scope = match field.scope {
                FieldScope::Span => "span",
                FieldScope::Resource => "resource",
                FieldScope::Intrinsic => "intrinsic",
            };
            json!({"key": field.key, "scope": scope, "types": field.types, "alias": null})
        })
        .collect();
    Ok(Json(json!({
        "fields": fields,
        "complete": found.incomplete.is_none(),
        "incompleteReason": found.incomplete,
    })))
}

#[derive(Deserialize)]
pub struct Values {
    prefix: Option<String>,
    #[serde(default, deserialize_with = "parameters::number")]
    limit: Option<usize>,
    #[serde(flatten)]
    times: Times,
}

pub async fn values(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path(key): Path<String>,
    Query(values): Query<Values>,
) -> Result<Json<Value>, ApiError> {
    let request = FieldValuesRequest {
        key,
        prefix: values.prefix.unwrap_or_default(),
        range: values.times.range()?,
        limit: parameters::limit(values.limit, 20, 1_000),
        deadline: Deadline::default(),
    };
    let found = state.engine().field_values(&tenant, request).await?;
    let values: Vec<_> = found
        .values
        .iter()
        .map(|(value, count)| json!({"value": value, "count": count.to_string()}))
        .collect();
    Ok(Json(json!({
        "values": values,
        "complete": found.complete,
        "incompleteReason": found.incomplete,
    })))
}
