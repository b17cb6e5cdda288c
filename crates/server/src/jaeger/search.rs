//! Whole traces, by Jaeger's search parameters or by several ids.

use super::envelope::{Layout, Problem, failure, refused};
use super::parameters::{self, MOST, Parameters};
use super::traces_answer;
use crate::api::State;
use crate::error::ApiError;
use crate::extract::Query;
use crate::tenant::Tenant;
use axum::extract::State as From;
use axum::response::Response;
use http::StatusCode;
use model::{Span, TenantId, TraceId};
use query::SearchRequest;
use query::result::{Held, Listed};

/// The most spans of one answer, which is made in memory.
const SPANS: usize = 500_000;
/// And the most bytes of them.
const BYTES: u64 = 64 << 20;

pub async fn traces(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    layout: Layout,
    Query(parameters): Query<Parameters>,
) -> Response {
    let ids: Vec<&str> = parameters.all("traceID").collect();
    let found = if ids.is_empty() {
        let asked = parameters.request().and_then(|request| Ok((request, parameters.limit()?.1)));
        match asked {
            Ok((request, cut)) => search(&state, &tenant, request, cut).await,
            Err(message) => return failure(StatusCode::BAD_REQUEST, &message),
        }
    } else {
        by_id(&state, &tenant, &ids).await
    };
    match found {
        Ok(found) => {
            let errors = Some(found.problems).filter(|problems| !problems.is_empty());
            traces_answer(&state.answers, layout, found.traces, errors).await
        }
        Err(error) => refused(error),
    }
}

#[derive(Default)]
struct Found {
    traces: Vec<(TraceId, Listed<Span>)>,
    problems: Vec<Problem>,
}

impl Found {
    /// Adds a trace, unless that were too much for one answer; says whether there is room for more.
    fn add(&mut self, trace: TraceId, mut spans: Listed<Span>) -> bool {
        // The next trace may need as much.
        spans.held = Held::default();
        let held: usize = self.traces.iter().map(|(_, spans)| spans.items.len()).sum();
        let bytes: u64 = self.traces.iter().map(|(_, spans)| spans.bytes).sum();
        if held > 0 && (held + spans.items.len() > SPANS || bytes + spans.bytes > BYTES) {
            let most = BYTES >> 20;
            let message = format!(
                "the answer has more than {SPANS} spans or {most} MiB of them, so traces are left out of it"
            );
            self.problems.push(Problem::note(message));
            return false;
        }
        self.traces.push((trace, spans));
        true
    }
}

async fn by_id(state: &State, tenant: &TenantId, ids: &[&str]) -> Result<Found, ApiError> {
    let mut found = Found::default();
    for id in ids.iter().take(MOST) {
        let trace = parameters::trace_id(id).map_err(ApiError::invalid)?;
        let spans = state.engine().spans(tenant, trace, None).await?;
        if spans.items.is_empty() {
            found.problems.push(Problem::missing(id));
        } else if !found.add(trace, spans) {
            break;
        }
    }
    Ok(found)
}

async fn search(
    state: &State,
    tenant: &TenantId,
    request: SearchRequest,
    cut: bool,
) -> Result<Found, ApiError> {
    let result = state.engine().search(tenant, request).await?;
    let mut found = Found::default();
    if cut && result.cursor.is_some() {
        found.problems.push(Problem::note(format!("at most {MOST} traces are given at once")));
    }
    // Traces carry it as a warning; of none, there is no other place.
    let incomplete = result.incomplete;
    if result.traces.is_empty() {
        found.problems.extend(incomplete.clone().map(Problem::note));
    }
    for summary in result.traces {
        let mut spans = state.engine().spans(tenant, summary.trace_id, None).await?;
        spans.incomplete = spans.incomplete.or_else(|| incomplete.clone());
        if !spans.items.is_empty() && !found.add(summary.trace_id, spans) {
            break;
        }
    }
    Ok(found)
}
