//! One file for each command.

mod bench;
mod completions;
mod configuration;
mod delete;
pub mod demo;
mod doctor;
mod export;
mod import;
mod inspect;
mod manual;
mod prices;
mod search;
mod serve;
mod store;
mod tail;
mod trace;

use crate::command_line::{Command, CommandLine, ConfigCommand};
use crate::config::{self, Effective, Environment, Flags};
use crate::failure::Failure;
use crate::terminal::Output;
use std::future::Future;

/// Runs the command to its end.
pub fn run(line: CommandLine) -> Result<(), Failure> {
    let environment = Environment::of_process();
    let output = Output::new(environment.has("NO_COLOR"));
    match line.command {
        Command::Serve(flags) => serve::run(load(&flags, &environment)?, &output),
        Command::Demo(arguments) => wait(demo::run(arguments, &output)),
        Command::Search(arguments) => wait(search::run(arguments, &output)),
        Command::Trace(arguments) => wait(trace::run(arguments, &output)),
        Command::Tail(arguments) => wait(tail::run(arguments, &output)),
        Command::Doctor(arguments) => wait(doctor::run(arguments, &environment, &output)),
        Command::Bench { command } => wait_for_many(bench::run(command, &output)),
        Command::Export(arguments) => wait(export::run(arguments)),
        Command::Import(arguments) => wait(import::run(arguments, &output)),
        Command::Delete(arguments) => wait(delete::run(arguments, &output)),
        Command::Inspect(arguments) => wait(inspect::run(arguments, &output)),
        Command::Backup(arguments) => wait(store::run_backup(arguments, &environment, &output)),
        Command::Restore(arguments) => wait(store::run_restore(arguments, &environment, &output)),
        Command::Verify(arguments) => wait(store::run_verify(arguments, &environment, &output)),
        Command::Repair(arguments) => wait(store::run_repair(arguments, &environment, &output)),
        Command::Prices { command } => wait(prices::run(command, &output)),
        Command::Config { command: ConfigCommand::Print { json, settings } } => {
            configuration::print(&load(&settings, &environment)?, json, &output)
        }
        Command::Config { command: ConfigCommand::Check { file } } => configuration::check(&file, &output),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { directory } => manual::run(directory.as_deref(), &output),
    }
}

fn load(flags: &Flags, environment: &Environment) -> Result<Effective, Failure> {
    Effective::load(flags, environment).map_err(|error: config::Error| Failure::Usage(error.to_string()))
}

/// Runs a command that only talks to a server: one thread is enough.
fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command)
}

/// Runs a command that has many requests under way.
fn wait_for_many(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(command)
}
