//! Agents, models, tools, conversations, users, policies and workflows: lists, and one with its series over time.

use super::operations::distribution;
use super::parameters::{self, Times};
use super::run::account;
use super::traces::summary_view;
use crate::api::State;
use crate::error::ApiError;
use crate::extract::Query;
use crate::tenant::Tenant;
use axum::extract::{Path, State as From};
use axum::routing::get;
use axum::{Json, Router};
use model::TenantId;
use query::filter::{Comparison, Field, Operator, literal};
use query::result::{Entity, EntityPart, SearchResult};
use query::{Deadline, EntitiesRequest, EntityKind, Expression, SearchRequest};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Turns of a conversation that are shown with it.
const MOST_TURNS: usize = 200;

#[derive(Deserialize)]
pub struct Asked {
    q: Option<String>,
    #[serde(default, deserialize_with = "parameters::number")]
    pub limit: Option<usize>,
    #[serde(flatten)]
    times: Times,
}

/// All of a kind.
pub async fn list(
    kind: EntityKind,
    state: &State,
    tenant: &TenantId,
    asked: &Asked,
) -> Result<Json<Value>, ApiError> {
    let found = state.engine().entities(tenant, request(kind, None, asked)?).await?;
    let entities: Vec<_> = found.entities.iter().map(view).collect();
    Ok(Json(json!({
        kind.plural(): entities,
        "complete": found.complete,
        "incompleteReason": found.incomplete,
    })))
}

/// One, with a series; a conversation with its turns.
pub async fn one(
    (kind, name): (EntityKind, &str),
    state: &State,
    tenant: &TenantId,
    asked: &Asked,
) -> Result<Json<Value>, ApiError> {
    let found = state.engine().entities(tenant, request(kind, Some(name), asked)?).await?;
    let entity = found.entities.first();
    let entity = entity
        .ok_or_else(|| ApiError::not_found(format!("none of the {} is called {name:?}", kind.plural())))?;
    let mut shown = view(entity);
    shown["series"] = entity.series.iter().map(part).collect();
    let mut incomplete = found.incomplete;
    if kind == EntityKind::Conversation {
        let turns = turns(state, tenant, name, asked).await?;
        shown["turns"] = turns.traces.iter().map(summary_view).collect();
        incomplete = incomplete.or(turns.incomplete);
    }
    shown["complete"] = json!(found.complete && incomplete.is_none());
    shown["incompleteReason"] = json!(incomplete);
    Ok(Json(shown))
}

/// The traces of a conversation, oldest first; of more than can be told, the newest.
pub async fn turns(
    state: &State,
    tenant: &TenantId,
    name: &str,
    asked: &Asked,
) -> Result<SearchResult, ApiError> {
    let value = literal(&Field::Session, name);
    let comparison = Comparison { field: Field::Session, operator: Operator::Equal, value };
    let request = SearchRequest {
        filter: Expression::Compare(comparison),
        range: asked.times.range()?,
        limit: MOST_TURNS,
        cursor: None,
        deadline: Deadline::default(),
    };
    let mut turns = state.engine().search(tenant, request).await?;
    turns.traces.sort_by_key(|turn| turn.start);
    Ok(turns)
}

/// The paths: of each kind, all and one.
pub fn router() -> Router<State> {
    EntityKind::ALL.into_iter().fold(Router::new(), |router, kind| {
        let all = move |From(state): From<State>, Tenant(tenant): Tenant, Query(asked): Query<Asked>| async move {
            list(kind, &state, &tenant, &asked).await
        };
        let single = move |From(state): From<State>,
                           Tenant(tenant): Tenant,
                           Path(name): Path<String>,
                           Query(asked): Query<Asked>| async move {
            one((kind, &name), &state, &tenant, &asked).await
        };
        let path = format!("/{}", kind.plural());
        router.route(&path, get(all)).route(&format!("{path}/{{name}}"), get(single))
    })
}

fn request(kind: EntityKind, name: Option<&str>, asked: &Asked) -> Result<EntitiesRequest, ApiError> {
    Ok(EntitiesRequest {
        kind,
        name: name.map(str::to_owned),
        filter: parameters::filter(asked.q.as_deref())?,
        range: asked.times.range()?,
        limit: parameters::limit(asked.limit, 100, 10_000),
        deadline: Deadline::default(),
    })
}

fn view(entity: &Entity) -> Value {
    let decisions = entity.decisions.iter().map(|(decision, count)| (decision.clone(), json!(count)));
    json!({
        "name": entity.name,
        "spans": entity.spans,
        "traces": entity.traces,
        "errors": entity.errors,
        "duration": distribution(&entity.durations),
        "usage": account(&entity.account),
        "first": entity.first.0.to_string(),
        "last": entity.last.0.to_string(),
        "decisions": Value::Object(decisions.collect::<Map<_, _>>()),
    })
}

fn part(part: &EntityPart) -> Value {
    json!({
        "start": part.start.0.to_string(),
        "spans": part.spans,
        "errors": part.errors,
        "duration": distribution(&part.durations),
        "usage": account(&part.account),
    })
}
