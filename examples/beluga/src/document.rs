//! Documents are parsed and embedded. The two steps are beside each other: both are below `process-document`.

use crate::failure::Failure;
use crate::model::Embedder;
use crate::observed::{count, observe};
use crate::pdf;
use clew_sdk::opentelemetry::KeyValue;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SCOPE: &str = "document-processor";

/// Works on one document, and says what it found.
pub async fn process(embedder: &Arc<dyn Embedder>, path: &Path) -> Result<String, Failure> {
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (id, kind) = (part(path.file_stem()), part(path.extension()));
    let start = clew_sdk::span("process-document").scope(SCOPE);
    let span = start.set("document.id", id.clone()).set("document.type", kind.clone()).start();
    let work = async {
        let text = parse(path, &kind).await?;
        let dimensions = embed(embedder, text).await?;
        Ok(format!("{id}: {dimensions} dimensions"))
    };
    observe(&span, work).await
}

async fn parse(path: &Path, kind: &str) -> Result<String, Failure> {
    let span = clew_sdk::span("parse-document").scope(SCOPE).start();
    observe(&span, read(path.to_owned(), kind == "pdf")).await
}

async fn read(path: PathBuf, is_pdf: bool) -> Result<String, Failure> {
    let unreadable = |reason: String| Failure::Unreadable { path: path.display().to_string(), reason };
    let file = tokio::fs::read(&path).await.map_err(|error| unreadable(error.to_string()))?;
    if is_pdf {
        return pdf::text(&file).ok_or_else(|| unreadable("it has no text that can be read".to_owned()));
    }
    String::from_utf8(file).map_err(|error| unreadable(error.to_string()))
}

async fn embed(embedder: &Arc<dyn Embedder>, text: String) -> Result<i64, Failure> {
    let span = clew_sdk::span("embed-document").scope(SCOPE).start();
    let work = async {
        let vectors = embedder.embed(vec![text]).await?.vectors;
        let dimensions = vectors.first().map_or(0, |vector| count(vector.len()));
        span.event("embedding-complete", vec![KeyValue::new("dimensions", dimensions)]);
        Ok(dimensions)
    };
    observe(&span, work).await
}
