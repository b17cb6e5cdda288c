//! Makes agents written in Rust observable: runs, model calls, tools, retrieval, memory, workflows, decisions and messages
//! become OpenTelemetry spans with the names that the field has for them.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // All three signals, from the environment (`OTEL_*`) and from code; what is buffered is sent when it is dropped.
//! let telemetry = clew_sdk::builder().service("weather").version("1.0.0").build()?;
//!
//! let agent = clew_sdk::agent("planner").conversation("talk-1").start();
//! let _active = agent.enter();
//! let call = clew_sdk::model_call("openai", "gpt-4o").temperature(0.7).max_tokens(256).start();
//! call.usage(150, 200);
//! call.finish_reason("stop");
//! call.end();
//! let tool = clew_sdk::tool("get_weather").call_id("call_1").start();
//! tool.fail("timeout", "no answer within 2 s");
//! tool.end();
//! # drop(_active); agent.end(); drop(telemetry);
//! # Ok(())
//! # }
//! ```
//!
//! # In futures, tasks and threads
//!
//! [`Span::run`] makes a span the parent of whatever a future starts, on whichever thread it goes on, and ends with it.
//! [`task`], [`thread`] and [`carry`] take what is active along.
//!
//! ```
//! # async fn answer() -> u8 { 42 }
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let agent = clew_sdk::agent("planner").start();
//! let answer = agent.run(async {
//!     // Below the agent, on another thread, and it may outlive it.
//!     clew_sdk::task(async { clew_sdk::tool("search").start().run(answer()).await }).await
//! });
//! assert_eq!(answer.await?, 42);
//! # Ok(())
//! # }
//! ```
//!
//! # Between programs
//!
//! ```
//! # use std::collections::HashMap;
//! # let _telemetry = clew_sdk::builder().exporter(clew_sdk::Exporter::None).build();
//! let publish = clew_sdk::publish("kafka", "tasks").start();
//! let mut headers: HashMap<String, String> = HashMap::new();
//! clew_sdk::inject(publish.context(), &mut headers);
//! assert!(headers.contains_key("traceparent"));
//!
//! // There:
//! let process = clew_sdk::process("kafka", "tasks").parent(&clew_sdk::extract(&headers)).start();
//! # drop(process);
//! ```
//!
//! The features `http`, `axum`, `reqwest` and `grpc` do that for requests, `mcp` for those of the Model Context Protocol.
//! [`baggage`] tells others more than where they are called from.
//!
//! With `openai` and `anthropic` there are clients of models whose calls are recorded by themselves; with `database`,
//! statements are. `rmcp` and `sqlx-postgres` or another driver do it for the types of `rmcp` and `sqlx`; rig's agents need
//! nothing of the kind.
//!
//! # What is recorded
//!
//! [`sampling`] says which traces. What was said is recorded only with [`Builder::capture_content`]; secrets and personal
//! data are taken out of all values ([`Builder::redact`] takes more); [`Limits`] bound each span, [`Batch`] all that wait.
//! [`counts()`] tells what became of them.
//!
//! Errors while sending never reach the program: one line tells when they begin, and what mends them.

#![warn(missing_docs)]

mod agents;
#[cfg(feature = "anthropic")]
pub mod anthropic;
pub mod baggage;
mod carried;
mod carrier;
mod content;
mod counts;
#[cfg(feature = "database")]
pub mod database;
mod finish;
#[cfg(feature = "grpc")]
pub mod grpc;
mod histograms;
#[cfg(feature = "http")]
#[path = "http_layer.rs"]
pub mod http;
mod lint;
mod logs;
#[cfg(feature = "mcp")]
pub mod mcp;
mod metrics;
#[cfg(any(feature = "openai", feature = "anthropic"))]
mod model_api;
mod model_call;
mod names;
mod old_names;
#[cfg(feature = "openai")]
pub mod openai;
mod options;
mod propagation;
mod queue;
mod recorder;
mod recording;
mod redaction;
mod request_settings;
mod retry_after;
#[cfg(feature = "rmcp")]
pub mod rmcp;
mod rules;
pub mod sampling;
mod setup;
mod span;
#[cfg(feature = "sqlx")]
pub mod sqlx;
mod tracing_spans;
mod wire;

pub use agents::{
    agent, approval, embedding, evaluation, memory, node, plan, policy, process, publish, receive, retrieval,
    tool, workflow,
};
#[doc(hidden)]
pub use carried::typed;
pub use carried::{carry, carry_call, task, thread, within};
pub use carrier::{
    Headers, ReadHeaders, extract, extract_mcp, extract_metadata, extract_pairs, inject, inject_current,
    inject_mcp, inject_metadata, inject_with,
};
#[cfg(feature = "macros")]
/// Records a function as the run of an agent: `#[clew_sdk::agent]`, or with `(name = "planner")`. See [`tool`](macro@tool).
pub use clew_sdk_macros::agent;
#[cfg(feature = "macros")]
/// Records a function that calls a model: `#[clew_sdk::model_call(provider = "openai", model = "gpt-4o")]`. The
/// [`ModelCall`] is at hand in it as `call`. See [`tool`](macro@tool).
pub use clew_sdk_macros::model_call;
#[cfg(feature = "macros")]
/// Records a function as a tool: `#[clew_sdk::tool]`, or with `(name = "get_weather")`.
///
/// The function may be `async` or not. Within it, its [`Span`] is active, and at hand as `call`. When it returns an `Err`,
/// that is why the span failed.
///
/// ```
/// #[clew_sdk::tool]
/// fn get_weather(city: &str) -> Result<String, std::num::ParseIntError> {
///     call.arguments(city);
///     let degrees: i32 = "21".parse()?;
///     Ok(format!("{degrees} in {city}"))
/// }
/// assert_eq!(get_weather("Paris").as_deref(), Ok("21 in Paris"));
/// ```
pub use clew_sdk_macros::tool;
pub use content::Message;
pub use counts::{Counts, counts};
pub use logs::Logs;
pub use model_call::{ModelCall, ModelCallStart, model_call};
pub use opentelemetry;
pub use options::Content;
pub use queue::Batch;
pub use redaction::REDACTED;
pub use sampling::Sampling;
pub use serde_json;
pub use setup::{
    Builder, Exporter, Limits, OnSignal, Propagation, Protocol, SetupError, Telemetry, Warning, builder, init,
};
pub use span::{Span, Start, span};
pub use tracing_spans::{AgentSpans, agent_spans};
