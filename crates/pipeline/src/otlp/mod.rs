//! OTLP over HTTP and gRPC, both on any port: what a request is, is told from its path and content type.

mod body;
mod cors;
mod grpc;
mod http;
mod path;
mod tenant;

use crate::intake::{Refusal, Taken};
use crate::{Intake, Outcome};
use ::http::HeaderMap;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use model::Signal;
use std::sync::Arc;

/// A port's intake and the protocol that its name promises; the other is taken with a hint.
#[derive(Clone)]
pub struct Port {
    pub intake: Arc<Intake>,
    /// `OTLP/gRPC` or `OTLP/HTTP`.
    pub name: &'static str,
}

/// Answers everything on a port of ours.
pub fn router(port: Port) -> Router {
    Router::new().fallback(answer).with_state(port)
}

/// Answers OTLP/HTTP's paths, its aliases and the usual mistakes, to be merged into another router.
pub fn page_router(intake: Arc<Intake>) -> Router {
    let port = Port { intake, name: http::RECEIVER };
    let paths =
        ["/v1/{*rest}", "/otel/v1/{*rest}", "/api/public/otel/v1/{*rest}", "/api/v1/private/otel/v1/{*rest}"];
    paths.into_iter().fold(Router::new(), |router, path| router.route(path, any(answer))).with_state(port)
}

async fn answer(State(port): State<Port>, request: Request) -> Response {
    if is_grpc(request.headers()) {
        grpc::answer(&port, request).await
    } else {
        http::answer(&port, request).await
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get("content-type").and_then(|value| value.to_str().ok()) else { return false };
    let name = value.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/grpc") || name.eq_ignore_ascii_case("application/grpc+proto")
}

impl Port {
    /// Notes what became of a request. `mended` is what the sender should change, though the request was taken.
    fn note(
        &self,
        receiver: &'static str,
        summary: &str,
        signal: Option<Signal>,
        result: &Result<Taken, Refusal>,
        mended: Option<&str>,
    ) {
        let diagnostics = &self.intake.diagnostics;
        let (outcome, hint, items) = match result {
            Ok(taken) if taken.rejected > 0 => {
                (Outcome::Hint, format!("{} refused: {}", taken.rejected, taken.message), taken.accepted)
            }
            Ok(taken) => match mended {
                Some(hint) => (Outcome::Hint, hint.to_owned(), taken.accepted),
                None if self.name != receiver => {
                    let hint = format!("this is the port of {}; it takes {receiver} too", self.name);
                    (Outcome::Hint, hint, taken.accepted)
                }
                None => (Outcome::Stored, String::new(), taken.accepted),
            },
            Err(refusal) if refusal.retry_after.is_some() => (Outcome::Refused, refusal.message.clone(), 0),
            Err(refusal) => (Outcome::Rejected, refusal.message.clone(), 0),
        };
        let signal = result.as_ref().map_or(signal, |taken| Some(taken.signal));
        if let Some(signal) = signal {
            let rejected = result.as_ref().map_or(0, |taken| taken.rejected);
            diagnostics.count(signal, result.is_ok(), items, rejected);
        }
        diagnostics.note(receiver, outcome, summary, &hint, items);
    }
}
