//! The command line of `clew prices`.

use crate::command_line::Server;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum PricesCommand {
    /// List prices that are built in and, with --file, those of a file before them
    #[command(after_help = "\
Examples:
  clew prices list
  clew prices list openai/gpt-4o
  clew prices list claude --json")]
    List {
        /// Only those whose provider/model holds this
        filter: Option<String>,
        /// The file of your own prices
        #[arg(long)]
        file: Option<PathBuf>,
        #[arg(long)]
        json: bool,
    },
    /// Check a file of prices
    #[command(after_help = "\
Examples:
  clew prices check prices.yaml

A file of prices, for `prices.file`, in US dollars for a million tokens:

  - model: our-model*          # a * stands for any text
    provider: acme             # optional; as OpenTelemetry names providers
    input_mtok: 1.5
    output_mtok: 6
    cache_read_mtok: 0.15      # what has no price of its own costs what it is a part of
  - model: other
    input_mtok: {base: 1, tiers: [{start: 200000, price: 2}]}
    output_mtok: 4")]
    Check { file: PathBuf },
    /// Explain what the calls of a trace cost, step by step
    #[command(after_help = "\
Examples:
  clew prices explain 4bf92f3577b34da6a3ce929d0e0e4736
  clew prices explain 4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7 --json")]
    Explain {
        #[arg(value_name = "TRACE")]
        trace_id: String,
        #[arg(value_name = "SPAN")]
        span_id: Option<String>,
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Print prices of the gateway litellm as a file of ours
    #[command(after_help = "\
Examples:
  clew prices import model_prices_and_context_window.json > prices.yaml")]
    Import {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}
