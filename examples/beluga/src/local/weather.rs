//! The weather of every city, made of its name; or no answer at all, as APIs do at times.

use crate::tools::Report;
use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

/// How the API behaves.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    Answers,
    /// It takes the request, and never answers.
    Hangs,
}

#[derive(Debug, Deserialize)]
struct Asked {
    city: String,
}

/// `GET /weather?city=`
pub fn weather(manner: Manner) -> Router {
    Router::new().route("/weather", get(report)).with_state(manner)
}

async fn report(State(manner): State<Manner>, Query(asked): Query<Asked>) -> Json<Report> {
    if let Manner::Hangs = manner {
        std::future::pending::<()>().await;
    }
    let letters: i64 = asked.city.bytes().map(i64::from).sum();
    let sky = if letters % 2 == 0 { "clear" } else { "cloudy" };
    Json(Report { city: asked.city, celsius: letters % 30, sky: sky.to_owned() })
}
