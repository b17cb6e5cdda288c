//! The house rules that a program can check.

mod crates;
mod dependencies;
mod sources;

use anyhow::{Result, bail};

/// Checks all rules; fails with everything that breaks one.
pub fn run() -> Result<()> {
    let mut faults = sources::faults();
    faults.extend(crates::faults()?);
    faults.extend(dependencies::faults()?);
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{}", faults.join("\n"))
}
