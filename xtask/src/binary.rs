//! Builds the release binary, and runs it.

use crate::page::{self, Page};
use crate::{project, tools};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Builds page and binary; returns where the binary is.
pub fn build() -> Result<PathBuf> {
    page::build()?;
    tools::ensure_compiler()?;
    tools::run(&mut command())?;
    Ok(project::binary())
}

/// The command that builds the binary.
fn command() -> Command {
    project::cargo(&["build", "--release", "--locked", "--package", "clew"])
}

/// Builds all, and becomes `clew serve`.
pub fn run(arguments: &[String]) -> Result<()> {
    let page = page::build()?;
    tools::ensure_compiler()?;
    tools::run(&mut command())?;
    if page == Page::NotBuilt {
        println!("The page is not built in: install Node 20 and npm, and run this again.");
    }
    let mut server = Command::new(project::binary());
    server.arg("serve").args(arguments);
    become_it(&mut server)
}

/// Replaces this process, so that signals reach the server itself.
#[cfg(unix)]
fn become_it(server: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(anyhow::Error::from(server.exec()).context(format!("starting {server:?}")))
}

#[cfg(not(unix))]
fn become_it(server: &mut Command) -> Result<()> {
    tools::run(server)
}
