//! The model gateway: takes a model by name or tier, asks its provider, says what it cost.

use crate::error::Error;
use crate::gateways::{ModelAnswer, ModelRequest};
use crate::http_client::HttpClient;
use crate::settings::{self, Settings};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// A model that can be asked, and its price.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    name: String,
    provider: String,
    tier: String,
    usd_per_million_input: f64,
    usd_per_million_output: f64,
}

struct Gateway {
    models: Vec<Model>,
    provider: Url,
    http: HttpClient,
}

/// The service, with the models of the file `models.json`.
pub fn router(settings: &Settings) -> Result<Router, Error> {
    let gateway = Gateway {
        models: settings::read_json(&settings.folder.join("models.json"))?,
        provider: settings::url_of(settings.provider, "/v1/chat/completions")?,
        http: HttpClient::new()?,
    };
    Ok(Router::new().route("/infer", post(infer)).with_state(Arc::new(gateway)))
}

async fn infer(
    State(gateway): State<Arc<Gateway>>,
    Json(request): Json<ModelRequest>,
) -> Result<Json<ModelAnswer>, Error> {
    let wanted = |model: &&Model| model.name == request.model || model.tier == request.tier;
    let model = gateway.models.iter().find(wanted);
    let model = model.ok_or_else(|| Error::Invalid(format!("no model is called `{}`", request.model)))?;
    let message = json!({"role": "user", "content": request.prompt});
    let body = json!({"model": model.name, "messages": [message], "max_tokens": request.max_tokens});
    let answer = gateway.http.post(&gateway.provider, &body, None).await?;
    Ok(Json(priced(model, &answer.body)))
}

fn priced(model: &Model, answer: &Value) -> ModelAnswer {
    let count =
        |path: &str| answer.pointer(path).and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
    let text = |path: &str| answer.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let input = count("/usage/prompt_tokens").unwrap_or_default();
    let output = count("/usage/completion_tokens").unwrap_or_default();
    let millionths =
        f64::from(input) * model.usd_per_million_input + f64::from(output) * model.usd_per_million_output;
    ModelAnswer {
        model: text("/model"),
        provider: model.provider.clone(),
        tier: model.tier.clone(),
        text: text("/choices/0/message/content"),
        finish_reason: text("/choices/0/finish_reason"),
        tokens_input: input.into(),
        tokens_output: output.into(),
        cost_usd: millionths / 1e6,
    }
}
