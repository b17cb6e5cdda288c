//! Rules on crates: who may name whom, and who may see DataFusion.

use crate::project;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;

/// Each crate, and the crates of ours that it may name. `ARCHITECTURE.md` draws it.
const DIRECTIONS: [(&str, &[&str]); 14] = [
    ("clew-sdk", &["clew-sdk-macros"]),
    ("clew-sdk-macros", &[]),
    ("clew-semconv", &[]),
    ("beluga", &["clew-sdk"]),
    ("agenthub", &["clew-sdk"]),
    ("aob", &["clew-sdk"]),
    ("clew-model", &["clew-semconv"]),
    ("clew-pipeline", &["clew-model", "clew-semconv"]),
    ("clew-storage", &["clew-model", "clew-semconv"]),
    ("clew-query", &["clew-model", "clew-semconv"]),
    ("clew-engine", &["clew-model", "clew-query", "clew-semconv", "clew-storage"]),
    ("clew-server", &["clew-model", "clew-query", "clew-semconv"]),
    (
        "clew",
        &[
            "clew-engine",
            "clew-model",
            "clew-pipeline",
            "clew-query",
            "clew-semconv",
            "clew-server",
            "clew-storage",
        ],
    ),
    ("xtask", &[]),
];

/// The one crate that may name DataFusion, and the one that is built on all others.
const BEHIND_THE_FENCE: [&str; 2] = ["clew-engine", "clew"];

pub fn faults() -> Result<Vec<String>> {
    let output = project::cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading `cargo metadata`")?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        faults.extend(wrong_directions(name, package));
        faults.extend(lints_fault(package));
        if !BEHIND_THE_FENCE.contains(&name) && sees_datafusion(name)? {
            faults.push(format!(
                "{name} depends on DataFusion; only engine may (see `cargo tree -p {name} -i datafusion`)"
            ));
        }
    }
    Ok(faults)
}

fn wrong_directions(name: &str, package: &Value) -> Vec<String> {
    let Some((_, allowed)) = DIRECTIONS.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{name} is not in the table of directions (xtask/src/tidy/crates.rs)")];
    };
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    dependencies
        .filter(|dependency| dependency["path"].is_string())
        .filter_map(|dependency| dependency["name"].as_str())
        .filter(|other| !allowed.contains(other))
        .map(|other| {
            format!("{name} must not name {other}: the arrows of ARCHITECTURE.md point the other way")
        })
        .collect()
}

fn lints_fault(package: &Value) -> Option<String> {
    let manifest = Path::new(package["manifest_path"].as_str()?);
    let text = std::fs::read_to_string(manifest).ok()?;
    let inherits = text.contains("[lints]\nworkspace = true");
    (!inherits).then(|| format!("{}: lacks `[lints] workspace = true`", manifest.display()))
}

fn sees_datafusion(name: &str) -> Result<bool> {
    let arguments = ["tree", "--locked", "--package", name, "--edges", "normal,build", "--prefix", "none"];
    let output = project::cargo(&arguments).output().context("running `cargo tree`")?;
    anyhow::ensure!(
        output.status.success(),
        "`cargo tree` failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).lines().any(|line| line.starts_with("datafusion")))
}
