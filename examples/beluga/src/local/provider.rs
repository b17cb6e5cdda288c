//! A provider of chat completions and embeddings that answers by rules, the same question always in the same way: it asks for
//! the tool whose name has a word of the question, says what the tool gave, writes as many words as it is asked for, and
//! fails when it is told `boom`. A token is a word. `hold` makes it wait for `POST /release`.

use crate::openai::{
    ChatRequest, ChatResponse, Choice, Embedding, EmbeddingRequest, EmbeddingResponse, FunctionCall, Message,
    Role, ToolCall, ToolDefinition, Usage,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use tokio::sync::watch;

/// As many as `text-embedding-3-small` gives.
const DIMENSIONS: usize = 1536;

/// What an answer is made of, if words are asked for.
const WORDS: [&str; 8] = ["white", "whales", "sing", "under", "the", "ice", "all", "winter"];

#[derive(Debug, Clone)]
struct Provider {
    latency: Duration,
    /// How often `POST /release` was called.
    released: watch::Sender<u64>,
}

/// The provider, which takes this long for an answer.
pub fn provider(latency: Duration) -> Router {
    let state = Provider { latency, released: watch::Sender::new(0) };
    let router = Router::new().route("/v1/chat/completions", post(chat)).route("/v1/embeddings", post(embed));
    let router = router.route("/release", post(release)).route("/waiting", get(waiting));
    router.with_state(state)
}

async fn chat(State(provider): State<Provider>, Json(request): Json<ChatRequest>) -> Response {
    let mut released = provider.released.subscribe();
    tokio::time::sleep(provider.latency).await;
    let asked = asked(&request);
    if asked.contains("hold") {
        // Ends with the provider, too.
        let _ = released.changed().await;
    }
    if asked.contains("boom") {
        let error = json!({"error": {"message": "The server had an error", "type": "server_error"}});
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(error)).into_response();
    }
    Json(answer(&request, &asked)).into_response()
}

async fn release(State(provider): State<Provider>) {
    provider.released.send_modify(|times| *times += 1);
}

/// How many requests are under way.
async fn waiting(State(provider): State<Provider>) -> String {
    provider.released.receiver_count().to_string()
}

fn answer(request: &ChatRequest, asked: &str) -> ChatResponse {
    let (message, finish_reason) = say(request, asked);
    let prompt_tokens = request.messages.iter().map(tokens).sum();
    let completion_tokens = tokens(&message);
    let usage = Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
    let choice = Choice { index: 0, message, finish_reason: finish_reason.to_owned() };
    ChatResponse {
        id: format!("chatcmpl-{:016x}", hash(&(asked, request.messages.len()))),
        object: "chat.completion".to_owned(),
        model: request.model.clone(),
        choices: vec![choice],
        usage,
    }
}

fn say(request: &ChatRequest, asked: &str) -> (Message, &'static str) {
    if let Some(last) = request.messages.last().filter(|last| last.role == Role::Tool) {
        return (Message::assistant(format!("I looked it up. {}", last.said())), "stop");
    }
    if let Some(call) = request.tools.iter().find_map(|tool| wanted(tool, asked)) {
        let message = Message { content: None, tool_calls: vec![call], ..Message::assistant("") };
        return (message, "tool_calls");
    }
    let text = match words_asked_for(asked) {
        Some(count) => WORDS.iter().copied().cycle().take(count).collect::<Vec<_>>().join(" "),
        None => format!("You said: {asked}"),
    };
    shortened(&text, request.max_tokens)
}

/// What the user said last.
fn asked(request: &ChatRequest) -> String {
    let said = request.messages.iter().rev().find(|message| message.role == Role::User);
    said.map(Message::said).unwrap_or_default().to_owned()
}

/// A call of the tool, if the question has the last word of its name; what follows that word is the argument.
fn wanted(tool: &ToolDefinition, asked: &str) -> Option<ToolCall> {
    let name = &tool.function.name;
    let (_, subject) = asked.split_once(name.rsplit('_').next()?)?;
    let subject = subject.trim().trim_start_matches("in ").trim_end_matches(['?', '.', '!']);
    let argument = tool.function.parameters.get("required")?.get(0)?.as_str()?;
    let arguments = json!({argument: subject}).to_string();
    Some(ToolCall {
        id: format!("call_{:016x}", hash(&(name, subject))),
        kind: "function".to_owned(),
        function: FunctionCall { name: name.clone(), arguments },
    })
}

/// The number in "Write 200 words".
fn words_asked_for(asked: &str) -> Option<usize> {
    let words: Vec<&str> = asked.split_whitespace().collect();
    let mut pairs = words.windows(2);
    pairs.find_map(|pair| match pair {
        [number, "words"] => number.parse().ok(),
        _ => None,
    })
}

fn shortened(text: &str, most: Option<i64>) -> (Message, &'static str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    if words.len() <= most {
        return (Message::assistant(text), "stop");
    }
    let first: Vec<&str> = words.into_iter().take(most).collect();
    (Message::assistant(first.join(" ")), "length")
}

fn tokens(message: &Message) -> i64 {
    let called = message.tool_calls.iter().map(|call| words(&call.function.arguments) + 1);
    words(message.said()) + called.sum::<i64>()
}

fn words(text: &str) -> i64 {
    i64::try_from(text.split_whitespace().count()).unwrap_or(i64::MAX)
}

async fn embed(
    State(provider): State<Provider>,
    Json(request): Json<EmbeddingRequest>,
) -> Json<EmbeddingResponse> {
    tokio::time::sleep(provider.latency).await;
    let prompt_tokens = request.input.iter().map(|text| words(text)).sum();
    let vectors = request.input.iter().map(|text| vector(text)).enumerate();
    let data = vectors
        .map(|(index, embedding)| Embedding { object: "embedding".to_owned(), index, embedding })
        .collect();
    let usage = Usage { prompt_tokens, completion_tokens: 0, total_tokens: prompt_tokens };
    Json(EmbeddingResponse { object: "list".to_owned(), model: request.model, data, usage })
}

/// A text as the sum of its words, each of which has a direction of its own; of length one.
fn vector(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0_f32; DIMENSIONS];
    for word in text.split(|character: char| !character.is_alphanumeric()).filter(|word| word.len() > 3) {
        let place = usize::try_from(hash(&word.to_lowercase())).unwrap_or_default() % DIMENSIONS;
        if let Some(number) = vector.get_mut(place) {
            *number += 1.0;
        }
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|number| *number /= length);
    }
    vector
}

/// The same in every run of the program.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
