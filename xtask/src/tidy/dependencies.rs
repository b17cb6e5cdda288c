//! Rules on what we depend on: permissive licences, known sources, one version of what is large.

use crate::project;
use anyhow::{Context, Result};
use serde_json::Value;

const LICENCES: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    // Of data: the certificates of authorities.
    "CDLA-Permissive-2.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Two versions of these would double the build, or not fit together.
const ONE_VERSION: [&str; 9] = [
    "arrow-array",
    "axum",
    "datafusion",
    "hyper",
    "libsqlite3-sys",
    "object_store",
    "parquet",
    "rustls",
    "tokio",
];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub fn faults() -> Result<Vec<String>> {
    let output = project::cargo(&["metadata", "--format-version", "1", "--locked"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading `cargo metadata`")?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_allowed(licence) {
            faults.push(format!("{name}: licence `{licence}` is not among those allowed"));
        }
        if package["source"].as_str().is_some_and(|source| source != REGISTRY) {
            faults.push(format!("{name}: does not come from the registry"));
        }
    }
    for name in ONE_VERSION {
        let versions: Vec<&str> = packages
            .iter()
            .filter(|package| package["name"] == name)
            .filter_map(|package| package["version"].as_str())
            .collect();
        if versions.len() > 1 {
            faults.push(format!("{name}: one version is allowed, {} are there", versions.join(" and ")));
        }
    }
    Ok(faults)
}

/// Whether one of the alternatives asks for nothing but allowed licences.
fn is_allowed(expression: &str) -> bool {
    let all_allowed =
        |alternatives: &str| alternatives.split(" AND ").all(|licence| LICENCES.contains(&licence.trim()));
    // `(A OR B) AND C` holds when it does without its parentheses for every part.
    if let Some((group, rest)) = expression.strip_prefix('(').and_then(|rest| rest.split_once(") AND ")) {
        return is_allowed(group) && is_allowed(rest);
    }
    expression.replace('/', " OR ").split(" OR ").any(all_allowed)
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn licences_are_judged() {
        let check = |expression, expect| assert_eq!(is_allowed(expression), expect, "{expression}");
        check("MIT", true);
        check("MIT/Apache-2.0", true);
        check("Apache-2.0 / MIT", true);
        check("GPL-3.0 OR MIT", true);
        check("MIT AND GPL-3.0", false);
        check("(MIT OR Apache-2.0) AND Unicode-3.0", true);
        check("(MIT OR Apache-2.0) AND GPL-3.0", false);
        check("AGPL-3.0", false);
        check("", false);
    }
}
