//! Two mistakes that programs make, to see what becomes of them: a task that is started without the context of who
//! started it, and attributes that nobody should see.

use crate::failure::Failure;
use crate::names::CONVENTIONS;
use crate::observed::{Observed, observe};
use crate::openai::{FunctionCall, ToolCall};
use crate::tools::{Calculator, Tool};
use tokio::task::JoinSet;

/// Makes them, below a root of this name.
pub async fn make(email: String, key: String) -> Result<String, Failure> {
    let start = clew_sdk::span("make-mistakes").scope("main").set("user.email", email.clone());
    let span = start.set("api.key", key.clone()).start();
    span.set("note", format!("{email} signs in with {key}"));
    observe(&span, calculate_without_context()).await
}

async fn calculate_without_context() -> Result<String, Failure> {
    let mut tasks = JoinSet::new();
    // A task does not inherit the context: without `clew_sdk::carry` its spans begin a trace of their own.
    tasks.spawn(async { Observed::new(Calculator, &CONVENTIONS).call(&sum()).await });
    match tasks.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(error)) => Err(Failure::Task(error.to_string())),
        None => Err(Failure::Task("it was not started".to_owned())),
    }
}

fn sum() -> ToolCall {
    let (name, arguments) = ("calculate".to_owned(), r#"{"expression": "1 + 2"}"#.to_owned());
    let function = FunctionCall { name, arguments };
    ToolCall { id: "call_1".to_owned(), kind: "function".to_owned(), function }
}
