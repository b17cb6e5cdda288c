//! AOB, an agentic orchestration builder: workflows of agents, tools and people, with policies, events and replay.

mod all;
mod bus;
mod database;
mod engine;
mod error;
mod gateways;
mod guard;
mod http_client;
mod http_server;
mod measures;
mod node;
mod relay;
mod run;
mod services;
mod settings;
mod store;
mod telemetry;
mod worker;
mod workflow;

use clap::{Parser, Subcommand};
use error::Error;
use services::{api, model_gateway, opa, provider, tool_gateway};
use settings::Settings;
use std::process::ExitCode;
use tokio::sync::oneshot;

/// Workflows of agents, tools and people.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All services, each in a process of its own
    Up(Settings),
    /// All services on free ports, to run one workflow and approve it
    Demo(Settings),
    /// The workflow API with its engine
    Api(Settings),
    /// The policies, over OPA's API
    Opa(Settings),
    /// The model gateway
    ModelGateway(Settings),
    /// The tool gateway
    ToolGateway(Settings),
    /// The worker that keeps an audit of events
    Worker(Settings),
    /// The pretended provider of models and tools
    Provider(Settings),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "what the command says to whoever started it")]
fn complain(error: &Error) {
    eprintln!("aob: {error}");
}

fn run(command: Command) -> Result<(), Error> {
    // Before the runtime, and dropped after it: what is buffered at the end is sent.
    let _telemetry = match command.service() {
        Some(service) => Some(telemetry::set_up(service)?),
        None => None,
    };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(command.run())
}

impl Command {
    /// What it is called in telemetry; what is outside of the system has none.
    fn service(&self) -> Option<&'static str> {
        match self {
            Self::Up(_) | Self::Demo(_) | Self::Provider(_) => None,
            Self::Api(_) => Some("aob-api"),
            Self::Opa(_) => Some("aob-opa"),
            Self::ModelGateway(_) => Some("aob-model-gateway"),
            Self::ToolGateway(_) => Some("aob-tool-gateway"),
            Self::Worker(_) => Some("aob-worker"),
        }
    }

    async fn run(self) -> Result<(), Error> {
        match self {
            Self::Up(settings) => all::up(&settings).await,
            Self::Demo(settings) => all::demo(settings).await,
            Self::Api(settings) => serve_api(&settings).await,
            Self::Opa(settings) => {
                http_server::serve(settings.opa, opa::router(&settings.folder.join("policies"))?).await
            }
            Self::ModelGateway(settings) => {
                http_server::serve(settings.model_gateway, model_gateway::router(&settings)?).await
            }
            Self::ToolGateway(settings) => {
                http_server::serve(settings.tool_gateway, tool_gateway::router(&settings)?).await
            }
            Self::Worker(settings) => worker::run(&settings).await,
            Self::Provider(settings) => http_server::serve(settings.provider, provider::router()).await,
        }
    }
}

async fn serve_api(settings: &Settings) -> Result<(), Error> {
    let api = api::Api::open(settings).await?;
    let (serving, served) = oneshot::channel();
    let serve = async {
        let done = http_server::serve(settings.api, api::router(api.clone())).await;
        drop(serving);
        done
    };
    tokio::join!(serve, api.relay.run(served)).0
}
