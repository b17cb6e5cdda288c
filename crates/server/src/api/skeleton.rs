//! A whole trace without bodies, in the binary form that `docs/api.md` draws.

use super::parameters;
use crate::api::State;
use crate::computing;
use crate::error::ApiError;
use crate::extract::Path;
use crate::tenant::Tenant;
use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use query::result::{Skeleton, SkeletonRow};
use serde_json::json;
use std::hash::{DefaultHasher, Hash, Hasher};

const KIND: &str = "application/vnd.clew.skeleton";

pub async fn skeleton(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path(trace): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let trace = parameters::trace_id(&trace)?;
    let found = state.engine().skeleton(&tenant, trace).await?;
    let skeleton = found.ok_or_else(|| state.not_stored(trace))?;
    let (bytes, tag) = computing::aside(move || {
        let bytes = encode(&skeleton);
        drop(skeleton);
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        (bytes, format!("\"{:016x}\"", hasher.finish()))
    })
    .await?;
    let known = is_known(&headers, &tag);
    let heads = [("etag", tag.as_str()), ("cache-control", "no-cache")];
    if known {
        let kind = [("content-type", KIND)];
        return Ok((StatusCode::NOT_MODIFIED, kind, heads).into_response());
    }
    Ok((heads, state.answers.give(KIND, bytes)?).into_response())
}

/// Whether the caller has this already.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get("if-none-match").and_then(|known| known.to_str().ok()).unwrap_or_default();
    known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)
}

fn encode(skeleton: &Skeleton) -> Vec<u8> {
    let mut header = json!({
        "spans": skeleton.rows.len(),
        "traceStart": skeleton.start.0.to_string(),
        "traceId": skeleton.trace_id.to_string(),
        "names": skeleton.names,
        "services": skeleton.services,
        "agents": skeleton.agents,
        "subjects": skeleton.subjects,
        "orphans": skeleton.orphans,
        "complete": skeleton.incomplete.is_none(),
        "incompleteReason": skeleton.incomplete,
    })
    .to_string()
    .into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(16 + header.len() + 72 * skeleton.rows.len());
    out.extend_from_slice(b"CLEWSK01");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&header);
    columns(skeleton, &mut out);
    out
}

fn columns(skeleton: &Skeleton, out: &mut Vec<u8>) {
    let start = skeleton.start.0;
    let mut column = |write: &dyn Fn(&SkeletonRow, &mut Vec<u8>)| {
        for row in &skeleton.rows {
            write(row, out);
        }
        out.resize(out.len().next_multiple_of(8), 0);
    };
    column(&|row, out| out.extend_from_slice(&microseconds(row.start.0.saturating_sub(start)).to_le_bytes()));
    column(&|row, out| {
        out.extend_from_slice(&microseconds(row.end.0.saturating_sub(row.start.0)).to_le_bytes());
    });
    column(&|row, out| {
        let parent = row.parent.and_then(|parent| i32::try_from(parent).ok()).unwrap_or(-1);
        out.extend_from_slice(&parent.to_le_bytes());
    });
    column(&|row, out| {
        // Two halves, each little-endian, the high one first.
        let [a, b, c, d, e, f, g, h] = row.span_id.0;
        out.extend_from_slice(&[d, c, b, a, h, g, f, e]);
    });
    column(&|row, out| out.extend_from_slice(&row.name.to_le_bytes()));
    column(&|row, out| out.extend_from_slice(&row.service.to_le_bytes()));
    column(&|row, out| out.extend_from_slice(&row.agent.to_le_bytes()));
    column(&|row, out| out.extend_from_slice(&row.subject.to_le_bytes()));
    column(&|row, out| out.push(row.kind));
    column(&|row, out| out.push(row.status));
    column(&|row, out| out.extend_from_slice(&row.flags.to_le_bytes()));
    column(&|row, out| out.extend_from_slice(&row.tokens.to_le_bytes()));
    column(&|row, out| out.extend_from_slice(&row.cost.to_le_bytes()));
    column(&|row, out| out.extend_from_slice(&row.depth.to_le_bytes()));
}

/// Microseconds with their fraction: exact for 104 days of nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "an offset of 104 days still has every nanosecond")]
fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1_000.0
}
