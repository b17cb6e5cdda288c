//! What the running program says of itself, and a sample to look at.

use crate::api::State;
use crate::error::ApiError;
use crate::ports::{Health, Problem, ReceiverEvent, Sampling, Severity};
use crate::tenant::Tenant;
use crate::{page, security};
use axum::Json;
use axum::extract::State as From;
use axum::response::IntoResponse;
use http::{HeaderMap, StatusCode};
use model::{Kind, TenantId, Timestamp};
use query::result::Sampled;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Spans a second are taken over this long.
const WINDOW_NANOSECONDS: u64 = 10_000_000_000;

/// The most tenants whose rates are kept.
const TENANTS: usize = 1_000;

/// How many spans were stored when, by tenant, for the rate.
#[derive(Default)]
pub struct Rates(Mutex<HashMap<TenantId, VecDeque<(u64, u64)>>>);

impl Rates {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn per_second(&self, tenant: &TenantId, now: u64, spans: u64) -> f64 {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= TENANTS && !tenants.contains_key(tenant) {
            tenants.clear();
        }
        let seen = tenants.entry(tenant.clone()).or_default();
        seen.retain(|(time, _)| now.saturating_sub(*time) <= WINDOW_NANOSECONDS);
        if seen.back().is_none_or(|(time, _)| now.saturating_sub(*time) > 200_000_000) {
            seen.push_back((now, spans));
        }
        let Some((time, earlier)) = seen.front().copied().filter(|(time, _)| *time < now) else { return 0.0 };
        let rate = spans.saturating_sub(earlier) as f64 / ((now - time) as f64 / 1e9);
        (rate * 10.0).round() / 10.0
    }
}

pub async fn status(From(state): From<State>, Tenant(tenant): Tenant) -> Result<Json<Value>, ApiError> {
    let mut status = view(&state, &tenant).await?;
    let events: Vec<_> = state.ports.application.receiver_events(0).iter().map(event_view).collect();
    status["events"] = json!(events);
    Ok(Json(status))
}

/// The status without its events.
pub async fn view(state: &State, tenant: &TenantId) -> Result<Value, ApiError> {
    let stored = state.engine().stored(tenant).await?;
    let application = &state.ports.application;
    let receivers: Vec<_> = application
        .receivers()
        .iter()
        .map(|receiver| json!({"name": receiver.name, "address": receiver.address, "accepting": receiver.accepting}))
        .collect();
    let problems = application.problems();
    let health = health_of(application.health(), &problems);
    let retention = application.retention();
    let dropped = stored.sampled.map_or(0, |sampled| sampled.dropped_spans);
    Ok(json!({
        "version": application.version(),
        "started": application.started().0.to_string(),
        "ready": true,
        "stored": {
            "spans": stored.spans.to_string(),
            "logs": stored.logs.to_string(),
            "metrics": stored.metric_points.to_string(),
        },
        "spansPerSecond": state.rates.per_second(tenant, Timestamp::now().0, stored.spans + dropped),
        "diskBytes": stored.disk_bytes.to_string(),
        "diskFreeBytes": stored.disk_free_bytes.to_string(),
        "hotBytes": stored.hot_bytes.to_string(),
        "blocks": stored.blocks,
        "damagedBlocks": stored.damaged_blocks,
        "retention": {"maxAge": retention.max_age, "maxBytes": retention.max_bytes.to_string()},
        "sampling": application.sampling().zip(stored.sampled).map(sampling_view),
        "pageBuilt": page::is_built(),
        "receivers": receivers,
        "health": health,
        "problems": problems.iter().map(problem_view).collect::<Vec<_>>(),
    }))
}

/// In one word: how the receivers are doing and, when these do well, what is stored.
fn health_of(receivers: Health, problems: &[Problem]) -> &'static str {
    let worst = problems.iter().map(|problem| problem.severity).max();
    match (receivers, worst) {
        (_, Some(Severity::Failing)) | (Health::Rejecting, _) => "rejecting",
        (Health::BackPressure, _) => "backPressure",
        (Health::Ok, Some(Severity::Degraded)) => "degraded",
        (Health::Ok, _) => "ok",
    }
}

fn problem_view(problem: &Problem) -> Value {
    json!({"kind": problem.kind, "severity": problem.severity.as_str(), "message": problem.message})
}

/// For those who watch the server: `ok`, or what is wrong, a problem a line. The status is 503 while telemetry is refused for
/// want of disk; `/ready` does not depend on that.
pub async fn health(From(state): From<State>) -> impl IntoResponse {
    let problems = state.ports.application.problems();
    let worst = problems.iter().map(|problem| problem.severity).max();
    let status = match worst {
        Some(Severity::Failing) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    let line =
        |problem: &Problem| format!("{} {}: {}", problem.severity.as_str(), problem.kind, problem.message);
    let told = problems.iter().filter(|problem| problem.severity > Severity::Notice).map(line);
    let lines: Vec<String> = told.collect();
    let text = if lines.is_empty() { "ok".to_owned() } else { lines.join("\n") };
    (status, [("content-type", "text/plain; charset=utf-8")], text)
}

fn sampling_view((rules, sampled): (Sampling, Sampled)) -> Value {
    json!({
        "rest": rules.rest,
        "keep": rules.keep,
        "wait": rules.wait,
        "keptTraces": sampled.kept_traces.to_string(),
        "droppedTraces": sampled.dropped_traces.to_string(),
        "keptSpans": sampled.kept_spans.to_string(),
        "droppedSpans": sampled.dropped_spans.to_string(),
        "earlyTraces": sampled.early_traces.to_string(),
        "lateTraces": sampled.late_traces.to_string(),
    })
}

/// The counts in the form that Prometheus reads.
pub async fn prometheus(
    From(state): From<State>,
    Tenant(tenant): Tenant,
) -> Result<impl IntoResponse, ApiError> {
    let stored = state.engine().stored(&tenant).await?;
    let figures = [
        ("clew_stored_spans", "Spans stored.", stored.spans),
        ("clew_stored_logs", "Log records stored.", stored.logs),
        ("clew_stored_metric_points", "Metric data points stored.", stored.metric_points),
        ("clew_disk_bytes", "Bytes on disk.", stored.disk_bytes),
        ("clew_disk_free_bytes", "Bytes free on that disk.", stored.disk_free_bytes),
        ("clew_hot_bytes", "Bytes in the hot buffer.", stored.hot_bytes),
        ("clew_blocks", "Blocks stored.", stored.blocks),
        ("clew_damaged_blocks", "Blocks that are damaged, as far as they were read.", stored.damaged_blocks),
    ];
    let gauges = figures.map(|figure| exposed("gauge", figure)).concat() + &problem_gauges(&state);
    let counters = stored.sampled.map_or_else(String::new, sampling_counters);
    Ok(([("content-type", "text/plain; version=0.0.4; charset=utf-8")], gauges + &counters))
}

/// How many problems there are of each severity, and of which kinds.
fn problem_gauges(state: &State) -> String {
    let problems = state.ports.application.problems();
    let mut text =
        "# HELP clew_problems What is wrong with what is stored, by kind; /api/v1/status tells more.\n\
                    # TYPE clew_problems gauge\n"
            .to_owned();
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for problem in &problems {
        *counts.entry((problem.kind, problem.severity.as_str())).or_default() += 1;
    }
    for ((kind, severity), count) in counts {
        text += &format!("clew_problems{{kind=\"{kind}\",severity=\"{severity}\"}} {count}\n");
    }
    text
}

fn exposed(kind: &str, (name, help, value): (&str, &str, u64)) -> String {
    format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")
}

fn sampling_counters(sampled: Sampled) -> String {
    let figures = [
        ("clew_sampling_kept_traces_total", "Traces that sampling kept.", sampled.kept_traces),
        ("clew_sampling_dropped_traces_total", "Traces that sampling dropped.", sampled.dropped_traces),
        ("clew_sampling_kept_spans_total", "Spans that sampling kept.", sampled.kept_spans),
        ("clew_sampling_dropped_spans_total", "Spans that sampling dropped.", sampled.dropped_spans),
        ("clew_sampling_early_traces_total", "Traces decided on before their time.", sampled.early_traces),
        ("clew_sampling_late_traces_total", "Traces kept from a late span on.", sampled.late_traces),
    ];
    figures.map(|figure| exposed("counter", figure)).concat()
}

/// A receiver's event as the API gives it.
pub fn event_view(event: &ReceiverEvent) -> Value {
    json!({
        "number": event.number,
        "time": event.time.0.to_string(),
        "receiver": event.receiver,
        "outcome": event.outcome,
        "summary": event.summary,
        "hint": event.hint,
        "items": event.items,
    })
}

pub async fn sample(From(state): From<State>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    if !security::is_from_ourselves(&headers) {
        return Err(ApiError::new(Kind::Denied, "only our own page may ask for this"));
    }
    let sent = state.ports.application.send_sample().await;
    let trace = sent.map_err(|message| ApiError::new(Kind::Unavailable, message))?;
    Ok(Json(json!({"traceId": trace.to_string()})))
}
