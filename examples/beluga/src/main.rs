//! Beluga: an agent with a planner, a model, tools, memory and a library; a batch; documents; a chat service. All of it
//! is observed with clew-sdk, and the agent has no tracing in it: `observed.rs` has.

mod agent;
mod batch;
mod chat;
mod command_line;
mod document;
mod failure;
mod health;
mod http;
mod library;
mod local;
mod memory;
mod mistakes;
mod model;
mod names;
mod observed;
mod openai;
mod pdf;
mod planner;
mod query;
mod requests;
mod stop;
mod tools;
mod workflow;
mod world;

use axum::Router;
use clap::Parser;
use clew_sdk::{Content, Protocol, Telemetry};
use command_line::{CommandLine, Task, TelemetryOptions, Transport};
use failure::Failure;
use names::{CONVENTIONS, PACKAGES};
use query::Queries;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::runtime::Runtime;
use world::{World, memory};

fn main() -> ExitCode {
    let command = CommandLine::parse();
    let ran = Runtime::new().map_err(|error| Failure::Task(error.to_string()));
    match ran.and_then(|runtime| run(&runtime, command)) {
        Ok(said) => write(&mut std::io::stdout(), &said.text, said.code),
        Err(failure) => write(&mut std::io::stderr(), &format!("error: {failure}"), ExitCode::FAILURE),
    }
}

fn run(runtime: &Runtime, command: CommandLine) -> Result<Said, Failure> {
    // gRPC needs the runtime, also when what is buffered is sent at the end.
    let _entered = runtime.enter();
    let _telemetry = telemetry(&command)?;
    runtime.block_on(work(command))
}

fn telemetry(command: &CommandLine) -> Result<Option<Telemetry>, Failure> {
    let (service, protocol) = match command.task {
        // They stand for what others run.
        Task::Provider { .. } | Task::Weather { .. } => return Ok(None),
        Task::Chat { .. } => ("ai-chat-service", Protocol::Grpc),
        Task::Batch { .. } => ("my-ai-service", Protocol::HttpProtobuf),
        _ => ("beluga-agent", Protocol::HttpProtobuf),
    };
    let serves = matches!(command.task, Task::Chat { .. });
    let TelemetryOptions { endpoint, protocol: transport, content, json_logs, service: named } =
        &command.telemetry;
    let builder = clew_sdk::builder().service(named.as_deref().unwrap_or(service)).version("1.0.0");
    let builder = builder.attribute("deployment.environment.name", "development");
    let builder = builder.json_logs(serves || *json_logs);
    let builder = if *content { builder.capture_content(Content::On) } else { builder };
    let builder = builder.protocol(match transport {
        None => protocol,
        Some(Transport::Grpc) => Protocol::Grpc,
        Some(Transport::Http) => Protocol::HttpProtobuf,
        Some(Transport::HttpJson) => Protocol::HttpJson,
    });
    let builder = match endpoint {
        Some(endpoint) => builder.endpoint(endpoint),
        None => builder,
    };
    Ok(Some(builder.build()?))
}

async fn work(command: CommandLine) -> Result<Said, Failure> {
    let CommandLine { task, surroundings, .. } = command;
    let world = || World::of(&surroundings);
    match task {
        Task::Run { question, root } => workflow::run(&world().await?, root, &question).await.map(Said::all),
        Task::Ask { question } => workflow::ask(&world().await?, &question).await.map(Said::all),
        Task::Batch { file } => batch(&world().await?, &file).await,
        Task::Document { files } => documents(&world().await?, &files).await,
        Task::Mistakes { email, key } => mistakes::make(email, key).await.map(Said::all),
        Task::Chat { address } => chat::serve(&world().await?, address).await.map(|()| Said::nothing()),
        Task::Provider { address } => serve(address, local::provider(surroundings.latency())).await,
        Task::Weather { address } => serve(address, local::weather(surroundings.manner())).await,
    }
}

async fn serve(address: SocketAddr, router: Router) -> Result<Said, Failure> {
    local::serve(address, router).await?.ended().await;
    Ok(Said::nothing())
}

async fn batch(world: &World, file: &Path) -> Result<Said, Failure> {
    let unreadable = |error: std::io::Error| Failure::Unreadable {
        path: file.display().to_string(),
        reason: error.to_string(),
    };
    let texts = tokio::fs::read_to_string(file).await.map_err(unreadable)?;
    let queries =
        Queries { model: world.model(&PACKAGES), memory: memory(&PACKAGES), scope: "myapp/handlers" };
    let texts = texts.lines().map(str::to_owned).collect();
    Ok(Said::each(batch::process(Arc::new(queries), texts).await))
}

async fn documents(world: &World, files: &[PathBuf]) -> Result<Said, Failure> {
    let embedder = world.embedder(&CONVENTIONS);
    let mut results = Vec::new();
    for file in files {
        results.push(document::process(&embedder, file).await);
    }
    Ok(Said::each(results))
}

/// What the program says at its end.
struct Said {
    text: String,
    code: ExitCode,
}

impl Said {
    fn all(text: String) -> Self {
        Self { text, code: ExitCode::SUCCESS }
    }

    fn nothing() -> Self {
        Self::all(String::new())
    }

    /// A line for each; one failure makes the program fail, after it has said everything.
    fn each(results: Vec<Result<String, Failure>>) -> Self {
        let code = if results.iter().all(Result::is_ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let line =
            |result: Result<String, Failure>| result.unwrap_or_else(|failure| format!("error: {failure}"));
        Self { text: results.into_iter().map(line).collect::<Vec<_>>().join("\n"), code }
    }
}

/// The program's only output beside its telemetry.
fn write(to: &mut impl Write, text: &str, code: ExitCode) -> ExitCode {
    if text.is_empty() {
        return code;
    }
    match writeln!(to, "{text}") {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
