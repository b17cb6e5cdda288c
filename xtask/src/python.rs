//! The Python of the end-to-end tests, with the packages that they pin.

use crate::{project, tools};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const REQUIREMENTS: &str = "e2e/requirements.txt";

/// The interpreter of an environment of its own, made when it is not there or its requirements have changed.
pub fn environment() -> Result<PathBuf> {
    let folder = project::target().join("e2e-python");
    let python = folder.join("bin/python");
    let stamp = folder.join("requirements.txt");
    let wanted =
        std::fs::read_to_string(project::root().join(REQUIREMENTS)).context("reading the requirements")?;
    if python.exists() && std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    println!("making a Python environment in {}", folder.display());
    let system = tools::find("python3").context(
        "the end-to-end tests need Python 3.11; install it: sudo apt-get install python3 python3-venv",
    )?;
    let make = || project::command(&system, ".", &["-m", "venv", "--clear", &folder.to_string_lossy()]);
    // Debian's Python comes without the module that sets environments up.
    if !make().stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        tools::install("python3-venv", "the end-to-end suite")?;
        tools::run(&mut make())?;
    }
    let mut install = Command::new(&python);
    install.current_dir(project::root()).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        REQUIREMENTS,
    ]);
    tools::run(&mut install)?;
    std::fs::write(&stamp, wanted).context("noting what was installed")?;
    Ok(python)
}
