//! Which tools are there, and what to do about those that are not.

use crate::project;
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The oldest Node that builds the page.
const NODE_MAJOR: u32 = 20;

/// Where a program is on the path.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether the page can be built: Node of a fitting version, and npm.
pub fn has_node() -> bool {
    let version = Command::new("node").arg("--version").output().ok();
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let major =
        version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= NODE_MAJOR) && find("npm").is_some()
}

/// SQLite, Zstandard and jemalloc are written in C.
pub fn ensure_compiler() -> Result<()> {
    match ["cc", "make"].into_iter().all(|program| find(program).is_some()) {
        true => Ok(()),
        false => install("build-essential", "compiling the C libraries in Clew"),
    }
}

/// Installs a Debian package when that is allowed; otherwise says how.
pub fn install(package: &str, why: &str) -> Result<()> {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    if !is_root || find("apt-get").is_none() {
        bail!("{why} needs `{package}`; install it: sudo apt-get install {package}");
    }
    println!("installing {package}: {why} needs it");
    let mut update = project::command("apt-get", ".", &["-qq", "update"]);
    run(update.stdout(Stdio::null()))?;
    let mut install =
        project::command("apt-get", ".", &["-qq", "install", "--yes", "--no-install-recommends", package]);
    run(install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()))
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("{shown} ended with {status}"),
        Err(error) => bail!("{shown} could not be started: {error}"),
    }
}
