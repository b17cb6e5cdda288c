//! `AgentHub`: a publisher sends tasks through a broker to a subscriber, and gets back what came of them.
//! Three processes, and one trace per task.

mod broker;
mod connection;
mod demo;
mod error;
mod event;
mod health;
mod logs;
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
use error::Error;
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
    // Without a log there is nobody to tell why there is none.
    let Ok(_logs) = logs::start(role.service()) else { return ExitCode::FAILURE };
    match start(role) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "ended");
            ExitCode::FAILURE
        }
    }
}

/// Telemetry is set up before everything else and ends after it, so that nothing is lost.
fn start(role: Role) -> Result<(), Error> {
    let telemetry = clew_sdk::builder().service(role.service()).version(env!("CARGO_PKG_VERSION")).build()?;
    let done = Runtime::new()?.block_on(run(role));
    drop(telemetry);
    done
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
