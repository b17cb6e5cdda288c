//! Which services call which, counted over the newest traces of a time.

use super::envelope::{Layout, Problem, answer, failure, refused};
use crate::api::State;
use crate::error::ApiError;
use crate::extract::Query;
use crate::tenant::Tenant;
use axum::extract::State as From;
use axum::response::Response;
use http::StatusCode;
use model::{TenantId, TimeRange, Timestamp};
use query::result::Skeleton;
use query::{Deadline, Expression, SearchRequest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Traces that are looked at; of more, only these, and it is said.
const TRACES: usize = 500;
const DAY_MILLISECONDS: u64 = 86_400_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    end_ts: Option<String>,
    lookback: Option<String>,
    service: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DependencyView {
    parent: String,
    child: String,
    call_count: u64,
}

type Calls = BTreeMap<(String, String), u64>;

pub async fn dependencies(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    layout: Layout,
    Query(asked): Query<Asked>,
) -> Response {
    let range = match range(&asked) {
        Ok(range) => range,
        Err(message) => return failure(StatusCode::BAD_REQUEST, &message),
    };
    match count(&state, &tenant, range).await {
        Ok((calls, problem)) => {
            let wanted = asked.service.as_deref().filter(|service| !service.is_empty());
            let views = calls.into_iter().map(|((parent, child), call_count)| DependencyView {
                parent,
                child,
                call_count,
            });
            let touches = |view: &DependencyView| {
                wanted.is_none_or(|wanted| view.parent == wanted || view.child == wanted)
            };
            let views: Vec<_> = views.filter(touches).collect();
            answer(layout, &views, views.len(), problem.map(|problem| vec![problem]))
        }
        Err(error) => refused(error),
    }
}

fn range(asked: &Asked) -> Result<TimeRange, String> {
    let read = |name: &str, text: &Option<String>, otherwise: u64| match text.as_deref() {
        None | Some("") => Ok(otherwise),
        Some(text) => text.parse::<u64>().map_err(|_| {
            format!("unable to parse param '{name}': strconv.ParseInt: parsing {text:?}: invalid syntax")
        }),
    };
    let end = read("endTs", &asked.end_ts, Timestamp::now().0 / 1_000_000 + 1_000)?;
    let start = end.saturating_sub(read("lookback", &asked.lookback, DAY_MILLISECONDS)?);
    let nanoseconds = |milliseconds: u64| Timestamp(milliseconds.saturating_mul(1_000_000));
    Ok(TimeRange { from: nanoseconds(start), to: nanoseconds(end) })
}

async fn count(
    state: &State,
    tenant: &TenantId,
    range: TimeRange,
) -> Result<(Calls, Option<Problem>), ApiError> {
    let request = SearchRequest {
        filter: Expression::All,
        range,
        limit: TRACES,
        cursor: None,
        deadline: Deadline::default(),
    };
    let found = state.engine().search(tenant, request).await?;
    let mut calls = Calls::new();
    for summary in &found.traces {
        // A trace of one service has no call between services.
        if summary.services.len() > 1
            && let Some(skeleton) = state.engine().skeleton(tenant, summary.trace_id).await?
        {
            add(&mut calls, &skeleton);
        }
    }
    let more = format!("counted over the newest {TRACES} traces only");
    let problem = found.incomplete.or_else(|| found.cursor.map(|_| more));
    Ok((calls, problem.map(Problem::note)))
}

fn add(calls: &mut Calls, skeleton: &Skeleton) {
    let service = |row: &query::result::SkeletonRow| skeleton.services.get(row.service as usize);
    for row in &skeleton.rows {
        let parent = row.parent.and_then(|parent| skeleton.rows.get(parent as usize));
        if let (Some(parent), Some(child)) = (parent.and_then(service), service(row))
            && parent != child
        {
            *calls.entry((parent.clone(), child.clone())).or_default() += 1;
        }
    }
}
