//! The kinds of tasks that the subscriber knows, and how each is done.

use crate::error::Error;
use crate::event::Event;
use crate::spans;
use crate::subscriber::SERVICE;
use clew_sdk::opentelemetry::trace::{SpanContext, TraceContextExt};
use clew_sdk::opentelemetry::{Context, KeyValue};
use clew_sdk::{Span, baggage};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::{task, time};

/// Why a task was not done.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("Unknown task type: {0}")]
    UnknownType(String),
    #[error("{0}")]
    Invalid(String),
    #[error("the deadline passed before the task was done")]
    Timeout,
    #[error("the result cannot be kept: {0}")]
    Storage(std::io::Error),
}

impl Failure {
    /// `error.type`: one of few.
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Self::UnknownType(_) => "unknown_task_type",
            Self::Invalid(_) => "validation_error",
            Self::Timeout => "timeout",
            Self::Storage(_) => "storage_error",
        }
    }

    /// What the task's status is by it.
    pub(crate) fn status(&self) -> &'static str {
        if matches!(self, Self::Timeout) { "timeout" } else { "failed" }
    }
}

/// Says in a span why it failed.
pub(crate) fn fail(span: &Span, failure: &Failure) {
    span.set("error.message", failure.to_string());
    span.fail(failure.error_type(), failure.to_string());
}

/// What goes on after the task is answered.
pub(crate) type Afterwards = BoxFuture<'static, ()>;

/// A task that is done.
pub(crate) struct Done {
    pub(crate) result: Map<String, Value>,
    pub(crate) afterwards: Option<Afterwards>,
}

/// The span of the work on a task.
pub(crate) fn begin(event: &Event, consumed: &Context) -> Span {
    let mut start = event.describe(spans::below(consumed, SERVICE, "process_task"));
    start = start.set("task.type", event.event_type.clone()).set("messaging.operation", "process");
    if let Some(size) = event.metadata.get("batch_size").and_then(Value::as_i64) {
        start = start.set("batch.size", size);
    }
    for source in sources(event) {
        start = start.link(source);
    }
    let span = start.set("algorithm", algorithm(consumed)).start();
    for (name, value) in &event.payload {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        span.context().span().set_attribute(KeyValue::new(format!("task.parameter.{name}"), text));
    }
    span
}

/// The one that the sender's baggage asks for.
fn algorithm(context: &Context) -> &'static str {
    if baggage::of(context, "user.tier").as_deref() == Some("premium") { "premium" } else { "standard" }
}

/// The spans that the task is about, given as `traceparent`s.
fn sources(event: &Event) -> Vec<SpanContext> {
    let sources = event.payload.get("sources").and_then(Value::as_array).into_iter().flatten();
    let contexts = sources.filter_map(|source| {
        let headers = HashMap::from([("traceparent".to_owned(), source.as_str()?.to_owned())]);
        let context = clew_sdk::extract(&headers);
        Some(context.span().span_context().clone())
    });
    contexts.filter(SpanContext::is_valid).collect()
}

/// Does the task, in three steps below the span that is active.
pub(crate) async fn perform(event: &Event, results: Results) -> Result<Done, Failure> {
    step("validate_input", async |span| validate(event, span)).await?;
    let done = step("compute_result", async |_| compute(event).await).await?;
    let line = json!({"event_id": event.event_id, "result": done.result});
    step("persist_result", async |_| results.keep(line).await).await?;
    Ok(done)
}

/// One step: a span below the task's own, whatever steps there were before.
async fn step<T>(
    name: &'static str,
    work: impl AsyncFnOnce(&Span) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let span = spans::below(&Context::current(), SERVICE, name).start();
    let stepping = span.clone().run(async {
        let done = work(&span).await;
        match &done {
            Ok(_) => span.succeed(),
            Err(failure) => fail(&span, failure),
        }
        done
    });
    stepping.await
}

/// The parameters that a type of task needs, and whether each is a number.
fn rules(task_type: &str) -> Option<&'static [(&'static str, bool)]> {
    Some(match task_type {
        "greeting" => &[("name", false)],
        "math_calculation" => &[("a", true), ("b", true)],
        "random_number" => &[("seed", true)],
        "slow_task" | "async_report" => &[("milliseconds", true)],
        "aggregate" => &[],
        _ => return None,
    })
}

fn validate(event: &Event, span: &Span) -> Result<(), Failure> {
    span.event("validation.started", Vec::new());
    let Some(rules) = rules(&event.event_type) else {
        return Err(Failure::UnknownType(event.event_type.clone()));
    };
    for (name, is_number) in rules {
        let value = event.payload.get(*name);
        let right = if *is_number {
            value.is_some_and(Value::is_number)
        } else {
            value.is_some_and(Value::is_string)
        };
        if !right {
            let wanted = if *is_number { "number" } else { "text" };
            return Err(Failure::Invalid(format!("{} needs a {wanted} {name}", event.event_type)));
        }
    }
    let evaluated = i64::try_from(rules.len()).unwrap_or(i64::MAX);
    span.event("validation.completed", vec![KeyValue::new("validation.rules.evaluated", evaluated)]);
    Ok(())
}

async fn compute(event: &Event) -> Result<Done, Failure> {
    let number = |name| event.payload.get(name).and_then(Value::as_f64).unwrap_or_default();
    let time = || {
        Duration::from_millis(event.payload.get("milliseconds").and_then(Value::as_u64).unwrap_or_default())
    };
    let (result, afterwards) = match event.event_type.as_str() {
        "greeting" => (greeting(event), None),
        "math_calculation" => (json!({"sum": number("a") + number("b")}), None),
        "random_number" => {
            let seed = event.payload.get("seed").and_then(Value::as_u64).unwrap_or_default();
            (json!({"number": random(seed)}), None)
        }
        "slow_task" => {
            time::sleep(time()).await;
            (json!({"slept": number("milliseconds")}), None)
        }
        "async_report" => (json!({"report": "under way"}), Some(report(time()))),
        "aggregate" => (aggregate(event), None),
        other => return Err(Failure::UnknownType(other.to_owned())),
    };
    let Value::Object(result) = result else { return Err(Failure::Invalid("no result".to_owned())) };
    Ok(Done { result, afterwards })
}

fn greeting(event: &Event) -> Value {
    let name = event.payload.get("name").and_then(Value::as_str).unwrap_or_default();
    match algorithm(&Context::current()) {
        "premium" => json!({"greeting": format!("Welcome back, {name}! A seat is kept for you.")}),
        _ => json!({"greeting": format!("Hello, {name}!")}),
    }
}

/// The first number of the `SplitMix64` sequence of a seed, below 1,000.
fn random(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % 1_000
}

/// Work that outlives its task: the task is answered while it goes on.
fn report(time: Duration) -> Afterwards {
    // The step that is active ends at once; the report belongs to the task as a whole.
    let span = spans::below(&Context::current(), SERVICE, "async_operation").start();
    Box::pin(span.clone().run(async move {
        time::sleep(time).await;
        span.succeed();
        tracing::info!("report written");
    }))
}

/// Counts what the task is about, each with an event of its own.
fn aggregate(event: &Event) -> Value {
    let active = Context::current();
    let sources = event.payload.get("sources").and_then(Value::as_array).map_or(0, Vec::len);
    for index in 0..sources {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        active.span().add_event("source.read", vec![KeyValue::new("source.index", index)]);
    }
    json!({"sources": sources})
}

/// Where results are kept: a line of JSON each.
#[derive(Debug, Clone)]
pub(crate) struct Results {
    path: PathBuf,
}

impl Results {
    /// In this directory.
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        fs::create_dir_all(directory)
            .map_err(|source| Error::Results { path: directory.to_owned(), source })?;
        Ok(Self { path: directory.join("results.jsonl") })
    }

    async fn keep(&self, line: Value) -> Result<(), Failure> {
        let path = self.path.clone();
        let writing = task::spawn_blocking(move || {
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            file.write_all(format!("{line}\n").as_bytes())
        });
        writing.await.map_err(std::io::Error::from).flatten().map_err(Failure::Storage)
    }
}
