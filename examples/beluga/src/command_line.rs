//! What Beluga is told to do.

use crate::local::Manner;
use crate::model::Settings;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// An agent, a batch, documents and a chat service, observed with clew-sdk.
#[derive(Debug, Parser)]
#[command(name = "beluga", version)]
pub struct CommandLine {
    #[command(subcommand)]
    pub task: Task,
    #[command(flatten)]
    pub telemetry: TelemetryOptions,
    #[command(flatten)]
    pub surroundings: Surroundings,
}

#[derive(Debug, Subcommand)]
pub enum Task {
    /// Lets the agent answer one question, calculates what came of it, and exits.
    Run {
        #[arg(default_value = "What is the weather in Paris?")]
        question: String,
        /// What the span of all that is called.
        #[arg(long, default_value = "run-agent-workflow")]
        root: String,
    },
    /// Asks the model once, without an agent.
    Ask { question: String },
    /// Works on the queries of a file, one a line, in parallel.
    Batch { file: PathBuf },
    /// Parses and embeds documents.
    Document {
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Makes two mistakes on purpose: it loses the context, and tells of a person and a key.
    Mistakes {
        #[arg(long)]
        email: String,
        #[arg(long)]
        key: String,
    },
    /// Serves `/chat`, `/agent` and `/query`, each with `?q=`.
    Chat {
        #[arg(long, default_value = "127.0.0.1:8080")]
        address: SocketAddr,
    },
    /// Serves chat completions and embeddings, without a model.
    Provider {
        #[arg(long, default_value = "127.0.0.1:8181")]
        address: SocketAddr,
    },
    /// Serves the weather of every city.
    Weather {
        #[arg(long, default_value = "127.0.0.1:8182")]
        address: SocketAddr,
    },
}

/// Where telemetry goes. What is not said here comes from the variables `OTEL_*`.
#[derive(Debug, Clone, Args)]
pub struct TelemetryOptions {
    /// Where telemetry goes, without a path: port 4318, with gRPC 4317.
    #[arg(long, global = true)]
    pub endpoint: Option<String>,
    /// How it is sent; the chat service uses gRPC unless told otherwise, all others HTTP.
    #[arg(long, global = true)]
    pub protocol: Option<Transport>,
    /// What is asked, answered, found and handed to tools is recorded, too. It is not otherwise.
    #[arg(long, global = true)]
    pub content: bool,
    /// The log is written to the standard output, too, as lines of JSON; that of the chat service always is.
    #[arg(long, global = true)]
    pub json_logs: bool,
    /// What the program is called in its telemetry.
    #[arg(long, global = true, env = "OTEL_SERVICE_NAME")]
    pub service: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Transport {
    Grpc,
    Http,
    HttpJson,
}

/// What the program works with.
#[derive(Debug, Clone, Args)]
pub struct Surroundings {
    /// The provider of models; one within the program unless given.
    #[arg(long = "provider-url", global = true)]
    pub provider: Option<String>,
    /// The weather API; one within the program unless given.
    #[arg(long = "weather-url", global = true)]
    pub weather: Option<String>,
    /// The weather API within the program takes requests, and never answers.
    #[arg(long, global = true)]
    weather_hangs: bool,
    /// How long the provider within the program takes for an answer.
    #[arg(long, global = true, default_value_t = 20)]
    latency_ms: u64,
    /// How long the model and tools may take.
    #[arg(long, global = true, default_value_t = 5_000)]
    timeout_ms: u64,
    #[arg(long, global = true, default_value = "gpt-4o")]
    model: String,
    #[arg(long, global = true, default_value_t = 0.7)]
    temperature: f64,
    #[arg(long, global = true, default_value_t = 256)]
    max_tokens: i64,
}

impl Surroundings {
    pub fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }

    pub fn limit(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub fn manner(&self) -> Manner {
        if self.weather_hangs { Manner::Hangs } else { Manner::Answers }
    }

    pub fn settings(&self) -> Settings {
        let (model, temperature, max_tokens) = (self.model.clone(), self.temperature, self.max_tokens);
        Settings { provider: "openai", model, temperature, max_tokens }
    }
}
