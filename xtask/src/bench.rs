//! Runs the benchmarks of the crates that have some.

use crate::{project, tools};
use anyhow::Result;

pub fn run(filter: Option<&str>) -> Result<()> {
    for manifest in project::files(&project::root().join("crates")) {
        let Some(folder) = manifest.parent().filter(|_| manifest.ends_with("Cargo.toml")) else { continue };
        for bench in project::files(&folder.join("benches")) {
            let Some(name) = bench.file_stem().and_then(|name| name.to_str()) else { continue };
            let path = manifest.to_string_lossy();
            let mut cargo = project::cargo(&["bench", "--manifest-path", &path, "--bench", name]);
            if let Some(filter) = filter {
                cargo.args(["--", filter]);
            }
            tools::run(&mut cargo)?;
        }
    }
    Ok(())
}
