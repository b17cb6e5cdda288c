//! `AgentHub`: a publisher sends tasks through a broker to a subscriber, and gets back what came of them.
//! Three processes, and one trace per task.

mod broker;
mod connection;
mod demo;
mod error;
mod event;
mod health;
mod metrics;
mod publisher;
mod spans;
mod structure;
mod subscriber;
mod tasks;

/// The messages of `proto/agenthub.proto`.
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::doc_markdown,
    clippy::excessive_nesting,
    clippy::too_many_lines,
    reason = "the generator writes it"
)]
mod protocol {
    tonic::include_proto!("agenthub");
}

use clap::{Parser, Subcommand};
use clew_sdk::{Builder, OnSignal, SetupError, Telemetry};
use error::Error;
use spans::FROM_BAGGAGE;
use std::io::Write;
use std::process::ExitCode;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Parser)]
#[command(version, about = "Tasks between agents, with their traces")]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Takes events and hands them out.
    Broker(broker::Arguments),
    /// Works on tasks.
    Subscriber(subscriber::Arguments),
    /// Sends tasks and waits for their results.
    Publisher(publisher::Arguments),
    /// All three, with four tasks.
    Demo(demo::Arguments),
}

impl Role {
    fn service(&self) -> &'static str {
        match self {
            Self::Broker(_) => broker::SERVICE,
            Self::Subscriber(_) => subscriber::SERVICE,
            Self::Publisher(_) => publisher::SERVICE,
            Self::Demo(_) => demo::SERVICE,
        }
    }
}

fn main() -> ExitCode {
    let role = Arguments::parse().role;
    // Telemetry is set up before everything else and ends after it, so that nothing is lost.
    let _telemetry = match telemetry(role.service()) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            // There is no log yet; if there is no standard error either, nobody can be told.
            let _ = writeln!(std::io::stderr(), "agenthub: {error}");
            return ExitCode::FAILURE;
        }
    };
    match start(role) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "ended");
            ExitCode::FAILURE
        }
    }
}

/// All signals, log lines on the standard output, and what the baggage tells as attributes of every span.
fn telemetry(service: &'static str) -> Result<Telemetry, SetupError> {
    let builder = clew_sdk::builder().service(service).version(env!("CARGO_PKG_VERSION")).json_logs(true);
    let builder = FROM_BAGGAGE.into_iter().fold(builder, Builder::baggage_attribute);
    // A signal has each process end in good order by itself.
    builder.on_signal(OnSignal::Flush).build()
}

fn start(role: Role) -> Result<(), Error> {
    Runtime::new()?.block_on(run(role))
}

async fn run(role: Role) -> Result<(), Error> {
    let shutdown = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let role = async {
        match role {
            Role::Broker(arguments) => broker::run(arguments, shutdown.clone()).await,
            Role::Subscriber(arguments) => subscriber::run(arguments, shutdown.clone()).await,
            Role::Publisher(arguments) => publisher::run(arguments, shutdown.clone()).await,
            Role::Demo(arguments) => demo::run(arguments).await,
        }
    };
    let stop = async {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("stopping");
        shutdown.cancel();
    };
    tokio::pin!(role);
    tokio::select! { done = &mut role => return done, () = stop => {} }
    // It ends in good order by itself.
    role.await
}
