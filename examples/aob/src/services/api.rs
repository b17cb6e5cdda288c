//! The workflow API: starts, resumes and replays runs, and tells of them.

use crate::bus::Bus;
use crate::engine::{Ended, Engine};
use crate::error::Error;
use crate::gateways::Gateways;
use crate::guard::Guard;
use crate::http_client::HttpClient;
use crate::measures::Measures;
use crate::relay::Relay;
use crate::run::{Mode, Owner, Run};
use crate::settings::{self, Settings};
use crate::store::{Kept, Store};
use crate::telemetry;
use crate::workflow::Workflows;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use clew_sdk::opentelemetry::trace::TraceContextExt;
use clew_sdk::opentelemetry::{Context, KeyValue};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// What the handlers share.
pub struct Api {
    engine: Engine,
    /// Publishes what runs leave in the outbox.
    pub relay: Relay,
    keys: Vec<Key>,
    http: HttpClient,
    traces: Url,
}

#[derive(Debug, Deserialize)]
struct Key {
    key: String,
    #[serde(flatten)]
    owner: Owner,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StartRequest {
    workflow_id: String,
    text: String,
    #[serde(default)]
    approval: bool,
    #[serde(default = "demo")]
    workflow: String,
    #[serde(default = "low")]
    risk: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResumeRequest {
    workflow_id: String,
    approval: bool,
}

#[derive(Debug, Deserialize)]
struct Replayed {
    snapshot_id: i64,
}

fn demo() -> String {
    "demo".to_owned()
}

fn low() -> String {
    "low".to_owned()
}

impl Api {
    /// Opens the store and reads what the example's folder says.
    pub async fn open(settings: &Settings) -> Result<Arc<Self>, Error> {
        let http = HttpClient::new()?;
        let store = Store::open(settings).await?;
        let relay = Relay::new(store.clone(), Bus::open(settings).await?);
        let engine = Engine {
            workflows: Workflows::read(&settings.folder.join("workflows"))?,
            store,
            guard: Guard { http: http.clone(), opa: settings.policy("aob")? },
            gateways: Gateways {
                http: http.clone(),
                tools: settings::url_of(settings.tool_gateway, "/tools/call")?,
                models: settings::url_of(settings.model_gateway, "/infer")?,
            },
            measures: Measures::new(),
        };
        let keys = settings::read_json(&settings.folder.join("api-keys.json"))?;
        Ok(Arc::new(Self { engine, relay, keys, http, traces: settings.traces_url.clone() }))
    }

    async fn kept(&self, id: &str, owner: &Owner) -> Result<Kept, Error> {
        let known = [("workflow.id", id), ("tenant.id", &owner.tenant), ("user.id", &owner.user)];
        let found = self.engine.store.kept(id, &owner.tenant, &self.engine.workflows);
        let kept = clew_sdk::within(telemetry::belonging(known), found).await?;
        telemetry::belonging(kept.run.belongings());
        Ok(kept)
    }
}

/// The service.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/workflows/start", post(start))
        .route("/workflows/resume", post(resume))
        .route("/workflows/{id}/replay", post(replay))
        .route("/workflows/{id}/events", get(events))
        .route("/workflows/{id}/decisions", get(decisions))
        .route("/workflows/{id}/snapshots", get(snapshots))
        .route("/workflows/{id}/traces", get(traces))
        .route("/admin/outbox/drain", post(drain))
        .with_state(api)
}

/// Whoever sends a known key.
impl FromRequestParts<Arc<Api>> for Owner {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Error> {
        let sent = parts.headers.get("x-api-key").and_then(|key| key.to_str().ok());
        let known = api.keys.iter().find(|known| Some(known.key.as_str()) == sent);
        Ok(known.ok_or(Error::UnknownKey)?.owner.clone())
    }
}

async fn start(
    State(api): State<Arc<Api>>,
    owner: Owner,
    Json(request): Json<StartRequest>,
) -> Result<Response, Error> {
    let workflow = api.engine.workflows.get(&request.workflow)?;
    let context = json!({
        "workflow_id": request.workflow_id, "text": request.text, "approval": request.approval,
        "risk": request.risk, "bag": {"text": request.text},
    });
    let mut run = Run {
        id: request.workflow_id,
        correlation_id: Uuid::new_v4().to_string(),
        workflow,
        owner,
        context,
        cause: None,
        origin: telemetry::Headers::new(),
        mode: Mode::Live,
    };
    let belonging = telemetry::belonging(run.belongings());
    run.origin = telemetry::headers_of(&belonging);
    finished(belonging, async move { api.engine.start(run).await }).await
}

async fn resume(
    State(api): State<Arc<Api>>,
    owner: Owner,
    Json(request): Json<ResumeRequest>,
) -> Result<Response, Error> {
    let kept = api.kept(&request.workflow_id, &owner).await?;
    let belonging = telemetry::belonging(kept.run.belongings());
    finished(belonging, async move { api.engine.resume(kept, request.approval).await }).await
}

async fn replay(
    State(api): State<Arc<Api>>,
    owner: Owner,
    Path(id): Path<String>,
    Query(replayed): Query<Replayed>,
) -> Result<Response, Error> {
    let kept = api.kept(&id, &owner).await?;
    let belonging = telemetry::belonging(kept.run.belongings());
    Context::current().span().set_attribute(KeyValue::new("replay", true));
    finished(belonging, async move { api.engine.replay(kept, replayed.snapshot_id).await }).await
}

/// Lets the engine finish, also when whoever asked for it has gone.
async fn finished(
    context: Context,
    work: impl Future<Output = Result<Ended, Error>> + Send + 'static,
) -> Result<Response, Error> {
    answered(&clew_sdk::task(clew_sdk::within(context, Box::pin(work))).await??)
}

fn answered(ended: &Ended) -> Result<Response, Error> {
    let run = &ended.run;
    let mut body = json!({
        "workflow_id": run.id, "correlation_id": run.correlation_id, "trace_id": ended.trace_id,
        "replay": run.mode == Mode::Replay, "bag": run.context.get("bag"),
    });
    let (status, more) = match &ended.result {
        Ok(outcome) => (StatusCode::OK, json!({"state": outcome.state(), "node": outcome.node()})),
        Err(error) => (StatusCode::BAD_GATEWAY, json!({"state": "failed", "error": error.to_string()})),
    };
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    Ok((status, Json(body)).into_response())
}

async fn events(
    State(api): State<Arc<Api>>,
    owner: Owner,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let kept = api.kept(&id, &owner).await?;
    Ok(Json(json!({"events": api.engine.store.events(&kept.run.id).await?})))
}

async fn decisions(
    State(api): State<Arc<Api>>,
    owner: Owner,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let kept = api.kept(&id, &owner).await?;
    Ok(Json(json!({"decisions": api.engine.store.decisions(&kept.run.id).await?})))
}

async fn snapshots(
    State(api): State<Arc<Api>>,
    owner: Owner,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let kept = api.kept(&id, &owner).await?;
    let found = api.engine.store.snapshots(&kept.run.id).await?;
    let told =
        |(id, node, context): (i64, String, Value)| json!({"id": id, "node": node, "context": context});
    Ok(Json(json!({"snapshots": found.into_iter().map(told).collect::<Vec<_>>()})))
}

/// All spans that carry the run's id, as the server of traces has them.
async fn traces(
    State(api): State<Arc<Api>>,
    owner: Owner,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let kept = api.kept(&id, &owner).await?;
    let mut url = api.traces.clone();
    url.set_path("/api/traces");
    url.query_pairs_mut().append_pair("tags", &json!({"workflow.id": kept.run.id}).to_string());
    let answer = api.http.get(&url).await?;
    let traces = answer.body.get("data").and_then(Value::as_array).into_iter().flatten();
    let spans = traces.filter_map(|trace| trace.get("spans").and_then(Value::as_array)).flatten();
    Ok(Json(json!({"spans": spans.collect::<Vec<_>>()})))
}

async fn drain(State(api): State<Arc<Api>>, _owner: Owner) -> Result<Json<Value>, Error> {
    Ok(Json(json!({"published": api.relay.drain().await?})))
}
