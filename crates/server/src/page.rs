//! The web page, embedded into the binary: hashed files forever, the page itself fresh, links of any depth answered by it.

use crate::api::skeleton::is_known;
use crate::api::{State, status};
use crate::error::ApiError;
use crate::extract::Path;
use axum::Router;
use axum::extract::Request;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, StatusCode};
use model::{SpanId, TraceId};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Files;

/// Said where the page should be, when the binary was built without it.
const NOT_BUILT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Clew</title><h1>Clew is running</h1>\
    <p>The page is not built into this binary. Install Node 20 and run <code>cargo xtask run</code>.</p>\
    <p>The API is here: <a href=/api/v1/status>status</a>, <a href=/api/v1/traces>traces</a>, \
    <a href=/api/v1/openapi.json>its description</a>.</p></html>";

/// Whether the page is in this binary.
pub fn is_built() -> bool {
    Files::get("index.html").is_some()
}

pub fn router() -> Router<State> {
    Router::new()
        .route("/ready", get(|| async { "ready" }))
        .route("/health", get(status::health))
        .route("/metrics", get(status::prometheus))
        .route("/t/{trace}", get(|Path(trace): Path<String>| async move { short(&trace, None) }))
        .route(
            "/t/{trace}/{span}",
            get(|Path((trace, span)): Path<(String, String)>| async move { short(&trace, Some(&span)) }),
        )
        .fallback(file)
}

fn short(trace: &str, span: Option<&str>) -> Response {
    let Some(trace) = TraceId::parse(trace) else {
        return ApiError::not_found("that is not a trace id").into_response();
    };
    let query = match span.map(SpanId::parse) {
        Some(None) => return ApiError::not_found("that is not a span id").into_response(),
        Some(Some(span)) => format!("?span={span}"),
        None => String::new(),
    };
    Redirect::temporary(&format!("/trace/{trace}{query}")).into_response()
}

async fn file(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if request.method() != http::Method::GET && request.method() != http::Method::HEAD {
        return ApiError::wrong_method().into_response();
    }
    if let Some(found) = Files::get(path).filter(|_| path != "index.html") {
        let name = path.rsplit('/').next().unwrap_or(path);
        return embedded(path, &found, request.headers(), path.starts_with("assets/") && name.contains('-'));
    }
    if path == "api" || path == "api/v1" {
        return ApiError::not_found("no such path; /api/v1/openapi.json lists ours").into_response();
    }
    // A missing file is missing; anything else is a place within the page.
    if path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match Files::get("index.html") {
        Some(index) => embedded("index.html", &index, request.headers(), false),
        None => Html(NOT_BUILT).into_response(),
    }
}

fn embedded(path: &str, file: &EmbeddedFile, headers: &HeaderMap, forever: bool) -> Response {
    let hash = file.metadata.sha256_hash();
    let tag = format!("\"{}\"", hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>());
    let known = is_known(headers, &tag);
    let mut answer =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { content(path, file, headers) };
    let cache = if forever { "public, max-age=31536000, immutable" } else { "no-cache" };
    answer.headers_mut().insert("cache-control", HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.headers_mut().insert("etag", tag);
    }
    answer
}

/// The file, or its compressed form where the build made one and the browser takes it.
fn content(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let accepted = headers.get("accept-encoding").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let compressed = [("br", "br"), ("gzip", "gz")].into_iter().find_map(|(name, extension)| {
        let taken = accepted.split(',').any(|each| each.split(';').next().unwrap_or_default().trim() == name);
        Some((name, Files::get(&format!("{path}.{extension}")).filter(|_| taken)?))
    });
    let mut answer = match compressed {
        Some((name, compressed)) => {
            ([("content-encoding", name)], compressed.data.into_owned()).into_response()
        }
        None => file.data.clone().into_owned().into_response(),
    };
    answer.headers_mut().insert("content-type", HeaderValue::from_static(content_type(path)));
    answer.headers_mut().insert("vary", HeaderValue::from_static("accept-encoding"));
    answer
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "webmanifest" => "application/json",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
