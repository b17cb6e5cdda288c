//! What can be typed: commands, flags, their help.

use crate::config::Flags;
use crate::failure::EXIT_CODES;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// Shows what an AI agent did: takes in OpenTelemetry, stores it, and draws each run.
#[derive(Debug, Parser)]
#[command(name = "clew", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take in telemetry, store it, and serve the page and the API
    #[command(after_help = "\
Examples:
  clew serve
  clew serve --data-directory /var/lib/clew --storage-max-age 30d
  clew serve --config clew.yaml --query-address 0.0.0.0:16686
  clew serve --sample-keep status:error --sample-keep 'duration:>5s' --sample-rest 0.1

SIGTERM or Ctrl-C stops it: what was taken in is stored first. A second one stops it at once.")]
    Serve(Flags),
    /// Send a made-up run of several agents to a running server
    #[command(after_help = "\
Examples:
  clew demo
  clew demo --seed 7
  clew demo --rate 5 --for 60s")]
    Demo(Demo),
    /// Find traces
    #[command(after_help = "\
Examples:
  clew search
  clew search has:error --from now-1h
  clew search 'kind:tool duration:>1s' --limit 5
  clew search 'refund policy input:invoice'
  clew search 'service:shop model:*gpt*' --json | jq -r '.traces[].traceId'

Bare words find whole words in names, messages and text; *part* finds parts. Terms are key:value and must all hold
for one span; OR, NOT and parentheses work. Keys are attribute names or one of: kind service name status duration
agent model tool provider session user tokens cost …")]
    Search(Search),
    /// Draw a trace in the terminal
    #[command(after_help = "\
Examples:
  clew trace 4bf92f3577b34da6a3ce929d0e0e4736
  clew trace 4bf92f3577b34da6a3ce929d0e0e4736 --json")]
    Trace(Trace),
    /// Follow traces as they arrive
    #[command(after_help = "\
Examples:
  clew tail
  clew tail has:error
  clew tail 'service:shop kind:tool' --json")]
    Tail(Tail),
    /// Check configuration, ports, server, disk and clock, and say what to mend
    #[command(after_help = "\
Examples:
  clew doctor
  clew doctor --json
  clew doctor --config clew.yaml

Exits with 0 when nothing needs mending, with 1 when something does.")]
    Doctor(Doctor),
    /// Measure how fast a server takes in and answers, and what that costs it
    Bench {
        #[command(subcommand)]
        command: BenchCommand,
    },
    /// Write what is stored to a file: OTLP's JSON, a request a line, or Parquet
    #[command(after_help = "\
Examples:
  clew export > traces.jsonl
  clew export has:error --from now-1d --output errors.jsonl
  clew export --signal logs --output logs.parquet

Of traces, those that have a span which satisfies the query are written whole. `clew import` reads all of it back,
and the collector's otlpjsonfile receiver reads the JSON.")]
    Export(Export),
    /// Send files of telemetry to a receiver: OTLP's JSON, Parquet of `clew export`, or Jaeger's JSON
    #[command(after_help = "\
Examples:
  clew import traces.jsonl logs.parquet
  clew import jaeger-download.json
  gunzip --stdout traces.jsonl.gz | clew import -

What cannot be read is told with its line and costs only itself; the exit code is then 1. What is stored already is
not stored twice.")]
    Import(Import),
    /// Delete a trace, or everything of a tenant, for good, from every file
    #[command(after_help = "\
Examples:
  clew delete --trace 4bf92f3577b34da6a3ce929d0e0e4736
  clew delete --trace 4bf92f3577b34da6a3ce929d0e0e4736 --yes --json
  clew delete --everything --tenant acme

Its log records go with it. Spans of it that come later are stored again.")]
    Delete(Delete),
    /// Look into a data directory, a segment of its log, or a block
    #[command(after_help = "\
Examples:
  clew inspect /var/lib/clew
  clew inspect /var/lib/clew/log/*.log
  clew inspect /var/lib/clew/blocks/default/traces/*/*.parquet --json

Changes nothing; the directory may be in use.")]
    Inspect(Inspect),
    /// Copy a data directory, which may be in use, to a folder; the next time only what is new
    #[command(after_help = "\
Examples:
  clew backup /backups/clew
  clew backup /backups/clew --data-directory /var/lib/clew --json

All that was acknowledged before it began is in it, each item once. Every block is checked as it is copied; what is
damaged is named, and the exit code is then 1. Broken off, it leaves the backup before it whole. Blocks in an object
store are not copied: let that store keep versions or copies.")]
    Backup(Backup),
    /// Make a data directory of a backup
    #[command(after_help = "\
Examples:
  clew restore /backups/clew --data-directory /var/lib/clew

The data directory must be empty or not there: nothing is overwritten.")]
    Restore(Restore),
    /// Read every checksum of a data directory, which may be in use
    #[command(after_help = "\
Examples:
  clew verify
  clew verify --data-directory /var/lib/clew --json

Changes nothing. Exits with 1 when a block, a row of the catalog or a request in the log is damaged or missing.")]
    Verify(Verify),
    /// Repair a data directory that nobody uses: rebuild a lost catalog from the blocks
    #[command(after_help = "\
Examples:
  clew repair --data-directory /var/lib/clew
  clew repair --data-directory /var/lib/clew --give-up-damaged

A catalog that cannot be used is put aside and made anew; blocks that it had lost are entered again; what cannot be
judged is moved to `quarantine` in the data directory. Nothing is deleted but copies of rows that other blocks have.
With --give-up-damaged, of damaged blocks only what can still be read is kept, and missing ones are forgotten.
Exits with 1 when something is still damaged.")]
    Repair(Repair),
    /// Show what calls of models cost, and why
    #[command(after_help = "\
Examples:
  clew prices list gpt-4o
  clew prices explain 4bf92f3577b34da6a3ce929d0e0e4736")]
    Prices {
        #[command(subcommand)]
        command: PricesCommand,
    },
    /// Show or check the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print a completion script for a shell
    #[command(after_help = "\
Examples:
  clew completions bash > ~/.local/share/bash-completion/completions/clew
  clew completions zsh > ~/.zfunc/_clew
  clew completions fish > ~/.config/fish/completions/clew.fish")]
    Completions { shell: Shell },
    /// Write the manual pages
    #[command(after_help = "\
Examples:
  clew man | man -l -
  clew man ~/.local/share/man/man1")]
    Man {
        /// Write one page for each command here; without it, the page of `clew` goes to standard output
        directory: Option<PathBuf>,
    },
}

pub use crate::prices_line::PricesCommand;
pub use crate::store_line::{Backup, Repair, Restore, Verify};

/// Which server to ask.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// The page and API of the server to ask
    #[arg(
        long = "server",
        value_name = "URL",
        env = "CLEW_SERVER",
        default_value = "http://127.0.0.1:16686"
    )]
    pub address: String,
}

/// Where telemetry is sent.
#[derive(Debug, Clone, Args)]
pub struct Receiver {
    /// Where to send, by OTLP/HTTP in protobuf
    #[arg(
        long,
        value_name = "URL",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        default_value = "http://127.0.0.1:4318"
    )]
    pub endpoint: String,
}

#[derive(Debug, Args)]
pub struct Demo {
    #[command(flatten)]
    pub receiver: Receiver,
    /// Run a real system of agents, from `examples/`, instead of making a run up
    #[arg(long, value_name = "NAME", conflicts_with_all = ["seed", "rate", "duration"])]
    pub system: Option<crate::commands::demo::System>,
    /// The same seed makes the same run with the same ids; without it each run is another
    #[arg(long)]
    pub seed: Option<u64>,
    /// Keep sending this many runs per second
    #[arg(long, value_name = "RUNS", requires = "duration")]
    pub rate: Option<f64>,
    /// How long to keep sending, such as 60s or 5m
    #[arg(long = "for", value_name = "TIME", requires = "rate")]
    pub duration: Option<String>,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Args)]
pub struct Search {
    /// Terms that one span of the trace satisfies; all traces without
    pub query: Option<String>,
    /// Only traces from here on: now-1h, 2026-01-31T12:00:00Z, or nanoseconds
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only traces before this
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// The most traces to show
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
    /// Print the API's answer
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Args)]
pub struct Trace {
    /// 16 or 32 hex digits, in either case
    #[arg(value_name = "ID")]
    pub trace_id: String,
    /// Print the trace with all its spans as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Args)]
pub struct Tail {
    /// Show only traces with a span that satisfies this
    pub query: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
    #[command(flatten)]
    pub settings: Flags,
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Send made-up work of agents, as fast as it is taken
    #[command(after_help = "\
Examples:
  clew bench ingest
  clew bench ingest --spans 10000000 --connections 8 --json
  clew bench ingest --endpoint http://127.0.0.1:14318 --rate 50000
  clew bench ingest --endpoint http://127.0.0.1:14318 --pid 4711 --data-directory /var/lib/other

Any OTLP/HTTP endpoint will do, so that others can be measured with the same load. Processor time and memory are
those of the process that listens there, when it runs on this machine; sizes on disk are told by Clew, or measured
with --data-directory. With --rate, latencies count from the moment at which a request was due.
Measure with a data directory that you can throw away: what is sent stays there. Start Clew with
--storage-seal-age 5s, so that all is sealed when sizes are taken.

Exits with 1 when a span was refused or lost.")]
    Ingest(BenchIngest),
    /// Ask what users ask, about what is stored
    #[command(after_help = "\
Examples:
  clew bench query
  clew bench query --rounds 200 --json

What is asked for is taken from what is stored, all over its range of time. One question is under way at a time.
Processor time is that of the whole server, told to a hundredth of a second: take many rounds.
Exits with 1 when an answer was wrong: a stored trace that was not found, or a made-up one that was.")]
    Query(BenchQuery),
}

#[derive(Debug, Args)]
pub struct BenchIngest {
    #[command(flatten)]
    pub receiver: Receiver,
    /// How many spans to send
    #[arg(long, default_value_t = 1_000_000)]
    pub spans: u64,
    /// On which part of the model calls what was said is recorded, from 0 to 1
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    pub content: f64,
    /// Requests that are under way at the same time
    #[arg(long, default_value_t = 4)]
    pub connections: u64,
    /// Spans in a request
    #[arg(long, value_name = "SPANS", default_value_t = 512)]
    pub spans_per_request: u64,
    /// The same seed sends the same work; ids and times are new in each run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Send this many spans a second; as fast as possible without
    #[arg(long, value_name = "SPANS")]
    pub rate: Option<f64>,
    /// The server's process; without, it is found by its port
    #[arg(long, value_name = "PROCESS")]
    pub pid: Option<u32>,
    /// Where the server keeps its data, to measure its size; Clew tells without
    #[arg(long, value_name = "DIRECTORY")]
    pub data_directory: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Args)]
pub struct BenchQuery {
    /// How often to ask each question
    #[arg(long, default_value_t = 50)]
    pub rounds: u64,
    /// Decides which traces are asked for, of those that are stored
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The server's process; without, it is found by its port
    #[arg(long, value_name = "PROCESS")]
    pub pid: Option<u32>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Delete {
    /// A trace, by 16 or 32 hex digits
    #[arg(long, value_name = "ID", required_unless_present = "everything")]
    pub trace: Option<String>,
    /// Traces, logs and metrics, all of them
    #[arg(long, conflicts_with = "trace")]
    pub everything: bool,
    /// Whose; the tenant of those who name none without
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Print the API's answer
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Args)]
pub struct Export {
    /// Terms that an item satisfies, or one span of a trace; everything without
    pub query: Option<String>,
    /// What to export
    #[arg(long, value_enum, default_value_t = SignalName::Traces)]
    pub signal: SignalName,
    /// Only from here on: now-1h, 2026-01-31T12:00:00Z, or nanoseconds
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only before this
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Where to write; standard output without
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How to write; without, what the name of the file says
    #[arg(long, value_enum)]
    pub format: Option<FileFormat>,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignalName {
    Traces,
    Logs,
    Metrics,
}

impl From<SignalName> for model::Signal {
    fn from(name: SignalName) -> Self {
        match name {
            SignalName::Traces => Self::Traces,
            SignalName::Logs => Self::Logs,
            SignalName::Metrics => Self::Metrics,
        }
    }
}

/// How telemetry is written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// OTLP's JSON, a request a line
    Json,
    /// A row for each item
    Parquet,
}

impl FileFormat {
    /// What the name of a file says.
    pub fn of(path: Option<&Path>) -> Self {
        match path.and_then(Path::extension).is_some_and(|extension| extension == "parquet") {
            true => Self::Parquet,
            false => Self::Json,
        }
    }
}

#[derive(Debug, Args)]
pub struct Import {
    /// Files; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub receiver: Receiver,
}

#[derive(Debug, Args)]
pub struct Inspect {
    /// A data directory, or files of one
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Print one JSON object for each path, a line each
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every setting in force, and where its value came from
    #[command(after_help = "\
Examples:
  clew config print
  clew config print --config clew.yaml --json")]
    Print {
        /// Print as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Flags,
    },
    /// Check a configuration file
    #[command(after_help = "\
Examples:
  clew config check clew.yaml")]
    Check { file: PathBuf },
}

/// Reads the command line; prints help or what is wrong with it, and ends the process, when there is nothing to run.
pub fn parse() -> CommandLine {
    CommandLine::parse()
}

#[cfg(test)]
mod tests {
    use super::CommandLine;
    use crate::config::TABLE;
    use clap::CommandFactory;

    #[test]
    fn definitions_hold_together() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples_and_serve_has_every_setting() {
        let mut command = CommandLine::command();
        command.build();
        for below in
            command.get_subcommands().filter(|below| !["help", "config", "bench"].contains(&below.get_name()))
        {
            let help = below.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = below.get_name();
            assert!(help.contains(&format!("clew {name}")), "clew {name} --help shows no example");
        }
        for below in command.find_subcommand("bench").unwrap().get_subcommands() {
            let help = below.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = below.get_name();
            assert!(
                name == "help" || help.contains(&format!("clew bench {name}")),
                "clew bench {name} --help shows no example"
            );
        }
        let serve = command.find_subcommand("serve").unwrap();
        for key in &TABLE {
            let flag = key.flag();
            assert!(serve.get_arguments().any(|arg| arg.get_long() == Some(&flag)), "--{flag}");
        }
    }
}
