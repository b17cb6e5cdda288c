//! What the engine asks of the two gateways: a tool's result, a model's answer.

use crate::error::Error;
use crate::http_client::HttpClient;
use clew_sdk::{ModelCall, Span};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The gateways.
#[derive(Debug, Clone)]
pub struct Gateways {
    pub http: HttpClient,
    pub tools: Url,
    pub models: Url,
}

/// A call of a tool; the same key means the same call.
#[derive(Debug)]
pub struct ToolRequest<'a> {
    pub name: &'a str,
    pub arguments: &'a Value,
    pub key: &'a str,
    pub attempt: i64,
}

/// What the tool gateway answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct ToolAnswer {
    pub endpoint: String,
    pub status: u16,
    pub result: Value,
}

/// What the model gateway is asked.
#[derive(Debug, Serialize, Deserialize)]
pub struct ModelRequest {
    pub model: String,
    pub tier: String,
    pub prompt: String,
    pub max_tokens: i64,
}

/// What the model gateway answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct ModelAnswer {
    pub model: String,
    pub provider: String,
    pub tier: String,
    pub text: String,
    pub finish_reason: String,
    pub tokens_input: i64,
    pub tokens_output: i64,
    pub cost_usd: f64,
}

impl Gateways {
    /// Calls a tool.
    pub async fn tool(&self, request: ToolRequest<'_>) -> Result<Value, Error> {
        let start = clew_sdk::tool(request.name);
        let start = start.scope("aob.gateways");
        let start = start.set("tool.method", "POST").set("execution.attempt", request.attempt);
        let span = start.start();
        span.clone()
            .run(async {
                let body = json!({"name": request.name, "arguments": request.arguments});
                let answer = self.http.post(&self.tools, &body, Some(request.key)).await;
                let answer = answer.and_then(|answer| Ok(serde_json::from_value::<ToolAnswer>(answer.body)?));
                called(&span, answer, &self.tools)
            })
            .await
    }

    /// Asks a model.
    pub async fn model(&self, agent: &str, attempt: i64, request: &ModelRequest) -> Result<String, Error> {
        let call = clew_sdk::model_call("openai", &request.model).max_tokens(request.max_tokens);
        let call = call.with(|start| start.scope("aob.gateways"));
        let call = call.with(|start| start.set("gen_ai.agent.name", agent.to_owned()));
        let call = call.with(|start| start.set("execution.attempt", attempt)).start();
        call.clone()
            .run(async {
                let answer = self.http.post(&self.models, &serde_json::to_value(request)?, None).await;
                match answer.and_then(|answer| Ok(serde_json::from_value::<ModelAnswer>(answer.body)?)) {
                    Ok(answer) => {
                        inferred(&call, &answer);
                        Ok(answer.text)
                    }
                    Err(error) => {
                        call.fail(error.kind(), error.to_string());
                        Err(error)
                    }
                }
            })
            .await
    }
}

fn called(span: &Span, answer: Result<ToolAnswer, Error>, gateway: &Url) -> Result<Value, Error> {
    let (endpoint, status) = match &answer {
        Ok(answer) => (answer.endpoint.clone(), Some(answer.status)),
        Err(Error::Refused { status, .. }) => (gateway.to_string(), Some(*status)),
        Err(_) => (gateway.to_string(), None),
    };
    span.set("tool.endpoint", endpoint);
    if let Some(status) = status {
        span.set("tool.status_code", i64::from(status));
    }
    if let Err(error) = &answer {
        span.fail(error.kind(), error.to_string());
    }
    answer.map(|answer| answer.result)
}

fn inferred(call: &ModelCall, answer: &ModelAnswer) {
    call.usage(answer.tokens_input, answer.tokens_output);
    call.response_model(answer.model.clone());
    call.finish_reason(answer.finish_reason.clone());
    call.set("model.tier", answer.tier.clone());
    call.set("model.cost_usd", answer.cost_usd);
}
