//! Finds the browser of the page's tests, or installs Debian's.

use crate::tools;
use anyhow::{Context, Result};
use std::path::PathBuf;

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The browser that `CHROMIUM` names, or the one on the path.
pub fn find_or_install() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Ok(named.into());
    }
    if let Some(found) = NAMES.iter().find_map(|name| tools::find(name)) {
        return Ok(found);
    }
    tools::install("chromium", "testing the page in a real browser")?;
    tools::find(NAMES[0]).context("chromium was installed, but is not on the path")
}
