//! Our API under `/api/v1`: requests and view types beside each handler.

mod body;
mod calls;
mod deletion;
mod entities;
mod export;
mod fields;
mod findings;
mod generation;
mod live;
mod logs;
pub mod messages;
mod metrics;
pub mod openapi;
mod operations;
mod parameters;
mod run;
pub mod skeleton;
mod spans;
pub mod status;
mod traces;
pub mod values;

pub use logs::search as logs;
pub use parameters::trace_id;

use crate::answers::Answers;
use crate::error::ApiError;
use crate::ports::Ports;
use axum::Router;
use axum::routing::{delete, get, post};
use model::TraceId;
use query::Engine;
use std::sync::Arc;

/// What handlers share.
#[derive(Clone)]
pub struct State {
    pub ports: Ports,
    pub live: Arc<live::Listeners>,
    pub rates: Arc<status::Rates>,
    pub answers: Arc<Answers>,
}

impl State {
    pub fn new(ports: Ports) -> Self {
        Self { ports, live: Arc::default(), rates: Arc::default(), answers: Arc::default() }
    }

    pub fn engine(&self) -> &dyn Engine {
        &*self.ports.engine
    }

    /// What is said of a trace that is not there.
    pub fn not_stored(&self, trace: TraceId) -> ApiError {
        let sampled = match self.ports.application.sampling() {
            Some(_) => "; traces are sampled, and this one may not have been kept",
            None => "",
        };
        ApiError::not_found(format!("the trace {trace} is not stored{sampled}"))
    }
}

/// The paths, as `openapi.rs` describes them.
pub fn router() -> Router<State> {
    Router::new()
        .route("/traces", get(traces::search))
        .route("/traces/{trace}", get(traces::summary))
        .route("/traces/{trace}", delete(deletion::trace))
        .route("/traces/{trace}/run", get(run::run))
        .route("/traces/{trace}/calls", get(calls::of_trace))
        .route("/conversations/{name}/calls", get(calls::of_conversation))
        .route("/traces/{trace}/skeleton", get(skeleton::skeleton))
        .route("/traces/{trace}/spans/{span}", get(spans::one))
        .route("/traces/{trace}/spans/{span}/body/{key}", get(body::body))
        .route("/traces/{trace}/spans:batch", post(spans::batch))
        .route("/query/parse", get(traces::parse))
        .route("/logs", get(logs::search))
        .route("/metrics", get(metrics::names))
        .route("/metrics/{name}", get(metrics::series))
        .route("/operations", get(operations::statistics))
        .route("/findings", get(findings::list))
        .route("/fields", get(fields::keys))
        .route("/fields/{key}/values", get(fields::values))
        .route("/everything", delete(deletion::everything))
        .route("/export/{signal}", get(export::export))
        .merge(entities::router())
        .route("/live", get(live::events))
        .route("/status", get(status::status))
        .route("/sample", post(status::sample))
        .route("/openapi.json", get(openapi::document))
        .fallback(|| async { ApiError::not_found("no such path; /api/v1/openapi.json lists them") })
        .method_not_allowed_fallback(|| async { ApiError::wrong_method() })
}
