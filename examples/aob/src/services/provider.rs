//! A pretended provider: a model behind the usual HTTP API, and tools. Asked the same, it says the same.
//!
//! It stands for what is outside of the system, and so records nothing.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// Tokens are billed in blocks, so that the example's cost does not depend on its text.
const INPUT_BLOCK: usize = 150;
const OUTPUT_BLOCK: usize = 75;

/// How often the flaky tool fails before it works.
const FAILURES: u32 = 2;

/// Calls of the flaky tool that failed so far, by their key.
type Failures = Arc<Mutex<HashMap<String, u32>>>;

/// The service.
pub fn router() -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/tools/uppercase", post(uppercase))
        .route("/tools/cmms", post(create_work_order))
        .route("/tools/flaky", post(flaky))
        .route("/tools/broken", post(broken))
        .with_state(Failures::default())
}

fn billed(text: &str, block: usize) -> usize {
    let words = text.split_whitespace().count().max(1);
    words.div_ceil(block) * block
}

async fn chat(Json(request): Json<Value>) -> Response {
    let prompt = request.pointer("/messages/0/content").and_then(Value::as_str);
    let (Some(prompt), Some(model)) = (prompt, request.get("model").and_then(Value::as_str)) else {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "`model` and `messages` are needed"})))
            .into_response();
    };
    let words: Vec<&str> = prompt.split_whitespace().take(12).collect();
    let text = format!("In short: {}", words.join(" "));
    let (input, output) = (billed(prompt, INPUT_BLOCK), billed(&text, OUTPUT_BLOCK));
    let choice =
        json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    let usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
    let answer = json!({"object": "chat.completion", "model": model, "choices": [choice], "usage": usage});
    Json(answer).into_response()
}

async fn uppercase(Json(arguments): Json<Value>) -> Json<Value> {
    let text = arguments.get("text").and_then(Value::as_str).unwrap_or_default();
    Json(json!({"text": text.to_uppercase()}))
}

/// The same key gives the same work order: nothing is ordered twice.
async fn create_work_order(headers: HeaderMap) -> Json<Value> {
    let mut hasher = DefaultHasher::new();
    key(&headers).hash(&mut hasher);
    Json(json!({"work_order": format!("WO-{:08x}", hasher.finish() & 0xffff_ffff)}))
}

async fn flaky(
    State(failures): State<Failures>,
    headers: HeaderMap,
    Json(arguments): Json<Value>,
) -> Response {
    let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
    let failed = failures.entry(key(&headers)).or_default();
    if *failed < FAILURES {
        *failed += 1;
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": "not yet"}))).into_response();
    }
    failures.remove(&key(&headers));
    Json(arguments).into_response()
}

async fn broken() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"error": "this tool never works"}))).into_response()
}

fn key(headers: &HeaderMap) -> String {
    headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned()
}
