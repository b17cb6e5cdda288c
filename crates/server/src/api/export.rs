//! Everything that is stored of a signal, as lines of OTLP's JSON.

use super::parameters::{self, Times};
use crate::api::State;
use crate::computing;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::tenant::Tenant;
use axum::body::Body;
use axum::extract::State as From;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use model::{Signal, otlp};
use query::{Export, ExportRequest};
use serde::Deserialize;

/// Says why an export lacks something, where that is known before it begins.
const INCOMPLETE: HeaderName = HeaderName::from_static("clew-incomplete");

#[derive(Deserialize)]
pub struct Asked {
    q: Option<String>,
    #[serde(flatten)]
    times: Times,
}

pub async fn export(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path(signal): Path<String>,
    Query(export): Query<Asked>,
) -> Result<Response, ApiError> {
    let signal = Signal::ALL.into_iter().find(|known| known.as_str() == signal).ok_or_else(|| {
        ApiError::not_found(format!("{signal:?} is not a signal; export traces, logs or metrics"))
    })?;
    let request = ExportRequest {
        signal,
        filter: parameters::filter(export.q.as_deref())?,
        range: export.times.range()?,
    };
    let Export { requests, incomplete } = state.engine().export(&tenant, request).await?;
    let lines = requests.then(move |request| line(signal, request));
    let name = format!("attachment; filename=\"clew-{signal}.jsonl\"");
    let headers = [(CONTENT_TYPE, "application/x-ndjson".to_owned()), (CONTENT_DISPOSITION, name)];
    let mut answer = (headers, Body::from_stream(lines)).into_response();
    let incomplete = incomplete.and_then(|why| HeaderValue::from_str(&why).ok());
    answer.headers_mut().extend(incomplete.map(|why| (INCOMPLETE, why)));
    Ok(answer)
}

/// A request as a line. An answer that breaks off is the only way left to tell of an error.
async fn line(signal: Signal, request: Result<Vec<u8>, query::Error>) -> Result<String, query::Error> {
    let wire = request.inspect_err(|error| tracing::error!(%error, "an export broke off"))?;
    let written = computing::aside(move || {
        let mut line = otlp::to_json(signal, &wire);
        line.push('\n');
        line
    });
    written.await.map_err(|error| query::Error::Internal { message: error.message })
}
