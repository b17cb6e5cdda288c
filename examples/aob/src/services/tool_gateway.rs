//! The tool gateway: asks the policies whether a tool may be called, calls it, hands back what it says.

use crate::error::Error;
use crate::gateways::ToolAnswer;
use crate::guard::{Guard, Question};
use crate::http_client::HttpClient;
use crate::settings::{self, Settings};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    name: String,
    path: String,
}

#[derive(Debug, Deserialize)]
struct Call {
    name: String,
    arguments: Value,
}

struct Gateway {
    tools: HashMap<String, Url>,
    guard: Guard,
    http: HttpClient,
}

/// The service, with the tools of the file `tools.json`.
pub fn router(settings: &Settings) -> Result<Router, Error> {
    let tools: Vec<Tool> = settings::read_json(&settings.folder.join("tools.json"))?;
    let endpoint = |tool: Tool| Ok((tool.name, settings::url_of(settings.provider, &tool.path)?));
    let http = HttpClient::new()?;
    let gateway = Gateway {
        tools: tools.into_iter().map(endpoint).collect::<Result<_, Error>>()?,
        guard: Guard { http: http.clone(), opa: settings.policy("aob/tool_allow")? },
        http,
    };
    Ok(Router::new().route("/tools/call", post(call)).with_state(Arc::new(gateway)))
}

async fn call(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    Json(call): Json<Call>,
) -> Result<Json<ToolAnswer>, Error> {
    let Some(endpoint) = gateway.tools.get(&call.name) else {
        return Err(Error::Invalid(format!("no tool is called `{}`", call.name)));
    };
    let rules = ["tool_allow".to_owned()];
    let question = Question { rules: &rules, edge: None, input: json!({"tool": call.name}) };
    if !gateway.guard.check(question).await?.allowed {
        return Err(Error::ToolDenied { name: call.name });
    }
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let answer = gateway.http.post(endpoint, &call.arguments, key).await?;
    Ok(Json(ToolAnswer { endpoint: endpoint.to_string(), status: answer.status, result: answer.body }))
}
