//! Many queries at once: each is a task, and a span below that of the batch.

use crate::failure::Failure;
use crate::observed::{count, observe};
use crate::query::Queries;
use clew_sdk::Span;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How many queries are worked on at a time.
const AT_A_TIME: usize = 16;

/// What came of each query, in their order.
pub type Results = Vec<Result<String, Failure>>;

/// Works on all queries. One that fails costs only itself; the batch says so.
pub async fn process(queries: Arc<Queries>, texts: Vec<String>) -> Results {
    let size = count(texts.len());
    let span = clew_sdk::span("ProcessBatch").scope("myapp/batch").set("batch.size", size).start();
    let work = async { told(&span, process_all(queries, texts).await) };
    let results = span.clone().run(work).await;
    results.into_iter().map(|(_, result)| result).collect()
}

type Numbered = Vec<(usize, Result<String, Failure>)>;

async fn process_all(queries: Arc<Queries>, texts: Vec<String>) -> Numbered {
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut tasks = JoinSet::new();
    for (index, text) in texts.into_iter().enumerate() {
        let (queries, places) = (queries.clone(), places.clone());
        // A task knows nothing of who started it: the batch's span is carried into it.
        tasks.spawn(clew_sdk::carry(async move {
            let _place = places.acquire().await;
            (index, process_item(&queries, index, &text).await)
        }));
    }
    let mut results: Numbered = Vec::with_capacity(tasks.len());
    while let Some(ended) = tasks.join_next().await {
        let failed = |error: tokio::task::JoinError| (usize::MAX, Err(Failure::Task(error.to_string())));
        results.push(ended.unwrap_or_else(failed));
    }
    results.sort_by_key(|(index, _)| *index);
    results
}

async fn process_item(queries: &Queries, index: usize, text: &str) -> Result<String, Failure> {
    let start = clew_sdk::span("ProcessBatchItem").scope("myapp/batch");
    let span = start.set("batch.index", count(index)).start();
    observe(&span, queries.process(text)).await
}

fn told(span: &Span, results: Numbered) -> Numbered {
    let mut failures = results.iter().filter_map(|(_, result)| result.as_ref().err());
    match failures.next() {
        None => span.succeed(),
        Some(first) => {
            span.fail(first.kind(), first.to_string());
            span.set("batch.failed", count(1 + failures.count()));
        }
    }
    results
}
