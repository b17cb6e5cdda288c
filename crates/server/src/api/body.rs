//! One attribute's whole value, or a range of its bytes: what is too long to stand in an answer.

use super::{generation, messages, parameters, spans, values};
use crate::api::State;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::tenant::Tenant;
use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use model::{Attribute, Span, Value};
use serde::Deserialize;
use std::ops::Range;

#[derive(Deserialize)]
pub struct Place {
    /// `span` unless given; `resource`, `scope`, `event.0`, `link.0`.
    r#in: Option<String>,
}

pub async fn body(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path((trace, span, key)): Path<(String, String, String)>,
    Query(place): Query<Place>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (trace, span) = (parameters::trace_id(&trace)?, parameters::span_id(&span)?);
    let found = state.engine().spans(&tenant, trace, Some(&[span])).await?;
    let found = found
        .items
        .into_iter()
        .next()
        .ok_or_else(|| ApiError::not_found(format!("the span {span} of trace {trace} is not stored")))?;
    let place = place.r#in.as_deref().unwrap_or("span");
    let attribute = attributes(&found, place)?.iter().find(|attribute| attribute.key == key);
    let (content_type, bytes) = match attribute {
        Some(attribute) => content(&attribute.value),
        // Messages that several attributes make up have no key of their own.
        None => {
            let told = spans::told(&state, &tenant, trace, std::slice::from_ref(&found)).await?;
            let told = told.of.get(&span).map_or(&[][..], Vec::as_slice);
            let whole = messages::whole(&generation::Asked { span: &found, told }, &key);
            let missing = || ApiError::not_found(format!("the span {span} has no attribute {key:?}"));
            ("application/json", Bytes::from(whole.ok_or_else(missing)?.to_string()))
        }
    };
    Ok(answer(content_type, &bytes, headers.get("range").and_then(|range| range.to_str().ok())))
}

fn attributes<'a>(span: &'a Span, place: &str) -> Result<&'a [Attribute], ApiError> {
    let (of, number) = place.split_once('.').unwrap_or((place, "0"));
    let number = number.parse::<usize>().unwrap_or(usize::MAX);
    let missing = || ApiError::not_found(format!("the span has no {place}"));
    Ok(match of {
        "span" => &span.attributes,
        "resource" => &span.resource.attributes,
        "scope" => &span.scope.attributes,
        "event" => &span.events.get(number).ok_or_else(missing)?.attributes,
        "link" => &span.links.get(number).ok_or_else(missing)?.attributes,
        _ => return Err(ApiError::invalid("in is span, resource, scope, event.N or link.N")),
    })
}

fn content(value: &Value) -> (&'static str, Bytes) {
    match value {
        Value::String(text) => ("text/plain; charset=utf-8", Bytes::copy_from_slice(text.as_bytes())),
        Value::Bytes(bytes) => ("application/octet-stream", Bytes::copy_from_slice(bytes)),
        other => ("application/json", Bytes::from(values::value(other, false).to_string())),
    }
}

fn answer(content_type: &'static str, bytes: &Bytes, range: Option<&str>) -> Response {
    let heads =
        [("content-type", content_type), ("content-disposition", "attachment"), ("accept-ranges", "bytes")];
    let total = bytes.len();
    match range.map_or(Wanted::Everything, |range| parse(range, total)) {
        Wanted::Everything => (heads, bytes.clone()).into_response(),
        Wanted::Part(part) => {
            let said = format!("bytes {}-{}/{total}", part.start, part.end - 1);
            (StatusCode::PARTIAL_CONTENT, heads, [("content-range", said)], bytes.slice(part)).into_response()
        }
        Wanted::Nothing => {
            (StatusCode::RANGE_NOT_SATISFIABLE, [("content-range", format!("bytes */{total}"))])
                .into_response()
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Everything,
    Part(Range<usize>),
    Nothing,
}

/// One range of bytes; several, or another unit, mean everything (RFC 9110, section 14.2).
fn parse(range: &str, total: usize) -> Wanted {
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::Everything;
    };
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let part = match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => from..to.saturating_add(1).min(total),
        (Some(from), None) if to.is_empty() => from..total,
        (None, Some(last)) if from.is_empty() => total.saturating_sub(last)..total,
        _ => return Wanted::Everything,
    };
    if part.start < part.end { Wanted::Part(part) } else { Wanted::Nothing }
}

#[cfg(test)]
mod tests {
    use super::{Wanted, parse};

    #[test]
    fn ranges() {
        for (range, expect) in [
            ("bytes=0-3", Wanted::Part(0..4)),
            ("bytes=5-", Wanted::Part(5..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=8-99", Wanted::Part(8..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-2", Wanted::Everything),
            ("bytes=0-1,3-4", Wanted::Everything),
            ("lines=1-2", Wanted::Everything),
        ] {
            assert_eq!(parse(range, 10), expect, "{range}");
        }
    }
}
