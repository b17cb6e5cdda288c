//! One attribute's whole value, or a range of its bytes: what is too long to stand in an answer.

use super::{parameters, values};
use crate::api::State;
use crate::error::ApiError;
use crate::tenant::Tenant;
use axum::extract::{Path, State as From};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use model::Value;
use std::ops::Range;

pub async fn body(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path((trace, span, key)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (trace, span) = (parameters::trace_id(&trace)?, parameters::span_id(&span)?);
    let found = state.engine().spans(&tenant, trace, Some(&[span])).await?;
    let attribute = found.into_iter().flat_map(|span| span.attributes).find(|attribute| attribute.key == key);
    let attribute =
        attribute.ok_or_else(|| ApiError::not_found(format!("the span {span} has no attribute {key:?}")))?;
    let (content_type, bytes) = match attribute.value {
        Value::String(text) => ("text/plain; charset=utf-8", text.into_bytes()),
        Value::Bytes(bytes) => ("application/octet-stream", bytes),
        other => ("application/json", values::value(&other, false).to_string().into_bytes()),
    };
    let heads =
        [("content-type", content_type), ("content-disposition", "attachment"), ("accept-ranges", "bytes")];
    let total = bytes.len();
    Ok(match headers.get("range").and_then(|range| range.to_str().ok()).map(|range| parse(range, total)) {
        None | Some(Wanted::Everything) => (heads, bytes).into_response(),
        Some(Wanted::Part(part)) => {
            let said = format!("bytes {}-{}/{total}", part.start, part.end - 1);
            (StatusCode::PARTIAL_CONTENT, heads, [("content-range", said)], bytes[part].to_vec())
                .into_response()
        }
        Some(Wanted::Nothing) => {
            (StatusCode::RANGE_NOT_SATISFIABLE, [("content-range", format!("bytes */{total}"))])
                .into_response()
        }
    })
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
            ("bytes=5-2", Wanted::Everything),
            ("bytes=0-1,3-4", Wanted::Everything),
            ("lines=1-2", Wanted::Everything),
        ] {
            assert_eq!(parse(range, 10), expect, "{range}");
        }
    }
}
