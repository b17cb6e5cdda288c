//! The binary `clew`.

mod bench;
mod client;
mod command_line;
mod commands;
mod config;
mod demo;
mod disk;
mod failure;
mod files;
mod listening;
mod memory;
mod port_holder;
mod prices_file;
mod prices_line;
mod process;
mod status;
mod store_line;
mod supervisor;
mod terminal;
mod wiring;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match commands::run(command_line::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
