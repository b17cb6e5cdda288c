//! Everything that is stored of a signal, as lines of OTLP's JSON.

use super::parameters::{self, Times};
use crate::api::State;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::tenant::Tenant;
use axum::body::Body;
use axum::extract::State as From;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use model::{Signal, otlp};
use query::ExportRequest;
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Export {
    q: Option<String>,
    #[serde(flatten)]
    times: Times,
}

pub async fn export(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path(signal): Path<String>,
    Query(export): Query<Export>,
) -> Result<Response, ApiError> {
    let signal = Signal::ALL.into_iter().find(|known| known.as_str() == signal).ok_or_else(|| {
        ApiError::not_found(format!("{signal:?} is not a signal; export traces, logs or metrics"))
    })?;
    let request = ExportRequest {
        signal,
        filter: parameters::filter(export.q.as_deref())?,
        range: export.times.range()?,
    };
    let requests = state.engine().export(&tenant, request).await?;
    let lines = requests.map(move |request| {
        // An answer that breaks off is the only way left to tell of an error.
        request.inspect_err(|error| tracing::error!(%error, "an export broke off")).map(|wire| {
            let mut line = otlp::to_json(signal, &wire);
            line.push('\n');
            line
        })
    });
    let name = format!("attachment; filename=\"clew-{signal}.jsonl\"");
    let headers = [(CONTENT_TYPE, "application/x-ndjson".to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(lines)).into_response())
}
