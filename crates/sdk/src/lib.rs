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
//! In futures, [`Span::run`] makes a span the parent of whatever the future starts, on whichever thread it goes on.

#![warn(missing_docs)]

mod agents;
pub mod baggage;
mod carried;
mod carrier;
mod content;
mod counts;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "http")]
#[path = "http_layer.rs"]
pub mod http;
mod logs;
mod metrics;
mod model_call;
mod old_names;
mod options;
mod propagation;
mod queue;
mod redaction;
mod rules;
pub mod sampling;
mod setup;
mod span;
mod tracers;
mod tracing_spans;

pub use agents::{
    agent, approval, embedding, evaluation, memory, node, plan, policy, process, publish, receive, retrieval,
    tool, workflow,
};
pub use carried::{carry, carry_call, task, thread, within};
pub use carrier::{
    Headers, ReadHeaders, extract, extract_mcp, extract_metadata, inject, inject_current, inject_mcp,
    inject_metadata,
};
pub use content::Message;
pub use counts::{Counts, counts};
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
