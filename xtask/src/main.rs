//! Chores: `cargo xtask run`, `test`, `check`, `build`, `bench`, `torture`.
#![expect(clippy::print_stdout, reason = "a chore tells on standard output what it does")]

mod bench;
mod binary;
mod brokers;
mod browser;
mod check;
mod page;
mod project;
mod python;
mod report;
mod suite;
mod tidy;
mod tools;
mod torture;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Builds, runs, tests and checks Clew.
#[derive(Parser)]
#[command(name = "cargo xtask", version, max_term_width = 110)]
struct CommandLine {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build the page and the release binary, and start `clew serve`
    Run {
        /// Flags for `clew serve`, after `--`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run everything: checks, unit tests, real clients, a crash test, a real browser
    Test {
        /// Run only these parts
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<suite::Part>,
    },
    /// Check format, lints, house rules and documentation
    Check,
    /// Build the page and the release binary
    Build,
    /// Kill a server many times while clients send, and look whether anything is lost or doubled
    Torture {
        /// How often
        #[arg(long, default_value_t = 1_000)]
        kills: u32,
    },
    /// Run the benchmarks
    Bench {
        /// Only those whose name holds this
        filter: Option<String>,
    },
}

fn main() -> ExitCode {
    match run(CommandLine::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<()> {
    match chore {
        Chore::Run { arguments } => binary::run(&arguments),
        Chore::Test { only } => suite::run(&only),
        Chore::Check => check::run(),
        Chore::Build => binary::build().map(|binary| println!("{}", binary.display())),
        Chore::Torture { kills } => torture::run(kills),
        Chore::Bench { filter } => bench::run(filter.as_deref()),
    }
}
