//! `cargo xtask torture`: kills the real binary, while clients send, as often as is asked for.

use crate::{binary, project, python, tools};
use anyhow::Result;

/// Kills a server of the release binary so often, and checks that nothing that was acknowledged is lost or doubled.
pub fn run(kills: u32) -> Result<()> {
    binary::build()?;
    let python = python::environment()?;
    let mut test = project::command(
        python,
        ".",
        &["-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "e2e/test_crash.py"],
    );
    test.env("CLEW_BIN", project::binary()).env("CLEW_CRASH_KILLS", kills.to_string());
    tools::run(&mut test)
}
