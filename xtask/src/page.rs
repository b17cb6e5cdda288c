//! Builds the page, when Node is there and something has changed.

use crate::{project, tools};
use anyhow::Result;
use std::path::Path;
use std::time::SystemTime;

const FOLDER: &str = "ui";

/// Whether the page is in the binary that is built next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    Built,
    NotBuilt,
}

pub fn build() -> Result<Page> {
    let index = project::root().join("ui/dist/index.html");
    if !tools::has_node() {
        if index.exists() {
            println!("the page: built before; Node 20 is not here to build it anew");
            return Ok(Page::Built);
        }
        println!("the page: not built in, for want of Node 20 and npm; the server says so, all else works");
        return Ok(Page::NotBuilt);
    }
    if is_newer(&index, FOLDER) {
        println!("the page: up to date");
        return Ok(Page::Built);
    }
    println!("the page: building");
    install(FOLDER)?;
    tools::run(&mut project::command("npm", FOLDER, &["run", "--silent", "build"]))?;
    Ok(Page::Built)
}

/// Fetches what `package-lock.json` in this folder names, unless it is there.
pub fn install(folder: &str) -> Result<()> {
    let lock = project::root().join(folder).join("package-lock.json");
    let installed = project::root().join(folder).join("node_modules/.package-lock.json");
    if modified(&installed).is_some_and(|installed| Some(installed) >= modified(&lock)) {
        return Ok(());
    }
    tools::run(&mut project::command("npm", folder, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))
}

/// Whether a built file is newer than all that it is built from.
fn is_newer(built: &Path, folder: &str) -> bool {
    let tests = project::root().join(folder).join("e2e");
    let sources = project::files(&project::root().join(folder));
    let newest =
        sources.iter().filter(|path| !path.starts_with(&tests)).filter_map(|path| modified(path)).max();
    modified(built).is_some_and(|built| Some(built) >= newest)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}
