//! Questions asked of the whole router, over an engine that keeps its spans in a list.

mod calls;
mod contract;
mod damage;
mod doors;
mod fake;
mod jaeger;
mod live;
mod messages;
mod prometheus;
mod spans;

use axum::body::Body;
use fake::FakeEngine;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use model::Span;
use serde_json::Value as Json;
use tower::ServiceExt;

/// The first trace's id, in hex.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask_whole(
    ports: crate::Ports,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> http::Response<Body> {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let router = crate::router(ports, vec!["clew.example".to_owned()]);
    router.oneshot(request).await.unwrap()
}

/// The status of an answer that may have no end.
async fn ask_head(line: &str, headers: &[(&str, &str)]) -> StatusCode {
    ask_whole(FakeEngine::ports(&[]), line, headers, "").await.status()
}

/// Asks `METHOD /path` of a server that has these spans.
async fn ask(spans: &[Span], line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    ask_of(FakeEngine::ports(spans), line, headers, body).await
}

async fn ask_of(ports: crate::Ports, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let (head, body) = ask_whole(ports, line, headers, body).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: head.status, headers: head.headers, body }
}

async fn text_of(answer: http::Response<Body>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn get(spans: &[Span], path: &str) -> Answer {
    ask(spans, &format!("GET {path}"), &[], "").await
}
