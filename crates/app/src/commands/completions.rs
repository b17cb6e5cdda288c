//! `clew completions SHELL`.

use crate::command_line::CommandLine;
use crate::failure::Failure;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;

pub fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "clew", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}
