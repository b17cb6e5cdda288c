//! `clew bench`: how fast a server takes in and answers, and what that costs it.

mod ingest;
mod query;
mod report;

use crate::command_line::BenchCommand;
use crate::failure::Failure;
use crate::terminal::Output;

pub async fn run(command: BenchCommand, output: &Output) -> Result<(), Failure> {
    match command {
        BenchCommand::Ingest(arguments) => ingest::run(arguments, output).await,
        BenchCommand::Query(arguments) => query::run(arguments, output).await,
    }
}
