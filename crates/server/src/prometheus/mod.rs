//! Prometheus' HTTP API over stored metrics, so that what asks Prometheus asks us: on a port of its own, and under
//! `/prometheus` on the page's.

mod asked;
mod durations;
mod envelope;
mod listing;
mod queries;
mod status;
mod syntax;
mod write;

use crate::api::State;
use axum::Router;
use axum::routing::get;
use envelope::{ErrorType, Failure};

/// The paths.
pub fn router() -> Router<State> {
    let api = Router::new()
        .route("/query", get(queries::instant).post(queries::instant))
        .route("/query_range", get(queries::range).post(queries::range))
        .route("/query_exemplars", get(queries::exemplars).post(queries::exemplars))
        .route("/format_query", get(queries::format).post(queries::format))
        .route("/parse_query", get(queries::parse).post(queries::parse))
        .route("/series", get(listing::series).post(listing::series))
        .route("/labels", get(listing::names).post(listing::names))
        .route("/label/{name}/values", get(listing::values))
        .route("/metadata", get(listing::metadata))
        .route("/rules", get(status::rules))
        .route("/alerts", get(status::alerts))
        .route("/status/buildinfo", get(status::build))
        .route("/status/runtimeinfo", get(status::runtime))
        .route("/status/config", get(status::configuration))
        .route("/status/flags", get(status::flags));
    Router::new()
        .nest("/api/v1", api)
        .route("/-/healthy", get(status::healthy))
        .route("/-/ready", get(status::ready))
        .fallback(|| async {
            Failure::new(
                ErrorType::NotFound,
                "no such path; docs/promql.md lists those of Prometheus that are here",
            )
        })
        .method_not_allowed_fallback(|| async { Failure::wrong_method() })
}
