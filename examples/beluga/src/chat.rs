//! The chat service: `/chat` asks the model, `/agent` lets the agent work, `/query` processes a user's query; `/health`,
//! `/ready` and `/metrics` tell how it is.

use crate::agent::Agent;
use crate::failure::Failure;
use crate::health::Health;
use crate::model::Model;
use crate::names::{CHAT, COMPONENTS, PACKAGES};
use crate::observed::{count, observe};
use crate::openai::Message;
use crate::query::Queries;
use crate::requests::Requests;
use crate::stop;
use crate::world::{World, memory};
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clew_sdk::Span;
use clew_sdk::opentelemetry::trace::SpanKind;
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

struct Service {
    requests: Requests,
    model: Arc<dyn Model>,
    agent: Box<dyn Agent>,
    queries: Queries,
    health: Health,
}

/// Serves until it is told to stop; what is under way is finished.
pub async fn serve(world: &World, address: SocketAddr) -> Result<(), Failure> {
    let failure =
        |error: std::io::Error| Failure::Listen { address: address.to_string(), reason: error.to_string() };
    let listener = TcpListener::bind(address).await.map_err(failure)?;
    let address = listener.local_addr().map_err(failure)?;
    let router = router(world)?;
    tracing::info!(%address, "Starting server");
    axum::serve(listener, router).with_graceful_shutdown(stop::told()).await.map_err(failure)
}

fn router(world: &World) -> Result<Router, Failure> {
    let queries =
        Queries { model: world.model(&PACKAGES), memory: memory(&PACKAGES), scope: "my-ai-service" };
    let agent = Box::new(world.plain_agent(&COMPONENTS, memory(&COMPONENTS)));
    let (requests, health) = (Requests::new()?, Health::new(world.provider()));
    let service = Service { requests, model: world.model(&CHAT), agent, queries, health };
    let router = Router::new().route("/chat", get(chat)).route("/agent", get(agent_request));
    let router = router.route("/query", get(query)).route("/metrics", get(metrics));
    let router = router.route("/health", get(health_request)).route("/ready", get(ready));
    Ok(router.with_state(Arc::new(service)))
}

async fn health_request(State(service): State<Arc<Service>>) -> Response {
    service.health.healthy().await
}

async fn ready(State(service): State<Arc<Service>>) -> Response {
    service.health.ready().await
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    match service.requests.text() {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(failure) => (StatusCode::INTERNAL_SERVER_ERROR, failure.to_string()).into_response(),
    }
}

async fn chat(State(service): State<Arc<Service>>, request: Request) -> Response {
    let asked = Asked::of(request, "/chat");
    let span = asked.span("handleChat", "ai-chat-service");
    let work = async {
        let messages = [Message::system("You are a helpful assistant."), Message::user(asked.query()?)];
        Ok(service.model.chat(&messages, &[]).await?.message.said().to_owned())
    };
    respond(&service, &asked, &span, work).await
}

async fn agent_request(State(service): State<Arc<Service>>, request: Request) -> Response {
    let asked = Asked::of(request, "/agent");
    let span = asked.span("API.HandleRequest", "api");
    let work = async {
        let reply = service.agent.invoke(asked.query()?).await?;
        let format = clew_sdk::span("Response.Format").scope("response").start();
        Ok(format.run(async { reply.text.trim().to_owned() }).await)
    };
    respond(&service, &asked, &span, work).await
}

async fn query(State(service): State<Arc<Service>>, request: Request) -> Response {
    let asked = Asked::of(request, "/query");
    let span = asked.span("user-request", "my-ai-service");
    let work = async { service.queries.process(asked.query()?).await };
    respond(&service, &asked, &span, work).await
}

/// Does the work of a request within its span, and counts it.
async fn respond(
    service: &Service,
    asked: &Asked,
    span: &Span,
    work: impl Future<Output = Result<String, Failure>> + Send,
) -> Response {
    let active = service.requests.begin(asked.route);
    let work = async {
        let result = work.await;
        span.set("http.response.status_code", i64::from(status(&result).as_u16()));
        if let Ok(text) = &result {
            span.set("response.length", count(text.len()));
        }
        active.ended(if result.is_ok() { "success" } else { "error" });
        result
    };
    let result = observe(span, work).await;
    let status = status(&result);
    let text = result.unwrap_or_else(|_| match status {
        StatusCode::BAD_REQUEST => "Missing query parameter".to_owned(),
        _ => "Failed to generate response".to_owned(),
    });
    (status, text).into_response()
}

fn status(result: &Result<String, Failure>) -> StatusCode {
    match result {
        Ok(_) => StatusCode::OK,
        Err(Failure::MissingQuery) => StatusCode::BAD_REQUEST,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What a request asks.
struct Asked {
    head: Parts,
    route: &'static str,
    query: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Parameters {
    q: Option<String>,
}

impl Asked {
    fn of(request: Request, route: &'static str) -> Self {
        let (head, _) = request.into_parts();
        let query = Query::<Parameters>::try_from_uri(&head.uri).ok().and_then(|query| query.0.q);
        Self { head, route, query: query.filter(|query| !query.is_empty()) }
    }

    fn query(&self) -> Result<&str, Failure> {
        self.query.as_deref().ok_or(Failure::MissingQuery)
    }

    /// The span of the request, below that of the client if it told of one.
    fn span(&self, name: &'static str, scope: &'static str) -> Span {
        let (method, path) = (self.head.method.to_string(), self.head.uri.path().to_owned());
        let start = clew_sdk::span(name).scope(scope).kind(SpanKind::Server);
        let start = start.parent(&clew_sdk::extract(&self.head.headers));
        let start = start.set("http.method", method.clone()).set("http.request.method", method);
        let start = start.set("http.url", path.clone()).set("url.path", path).set("http.route", self.route);
        match &self.query {
            Some(query) => start.set("query", query.clone()).start(),
            None => start.start(),
        }
    }
}
