//! Where things are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the project: the folder above this crate. Cargo says where that is when it runs us; what it said when it
/// built us may be another checkout that shares the build cache.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let crate_folder =
            std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = PathBuf::from(crate_folder);
        root.parent().map(Path::to_owned).expect("xtask lies in the root of the project")
    })
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |directory| root().join(directory))
}

/// The release binary.
pub fn binary() -> PathBuf {
    target().join("release").join(format!("clew{}", std::env::consts::EXE_SUFFIX))
}

/// A command that runs in this folder of the project. What cargo told this program about its own crate is not handed on:
/// build scripts watch such variables (`ring`'s watches `CARGO_MANIFEST_DIR`), so that a nested cargo would compile
/// anew what `cargo build` compiled, and the other way round.
pub fn command(program: impl AsRef<std::ffi::OsStr>, folder: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root().join(folder)).args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_this_crate) {
            command.env_remove(name);
        }
    }
    command
}

/// Whether cargo sets this variable for the crate that it runs, rather than the user for cargo.
fn describes_this_crate(variable: &str) -> bool {
    const EXACT: [&str; 6] = [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_MANIFEST_LINKS",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "OUT_DIR",
    ];
    const PREFIXES: [&str; 4] = ["CARGO_PKG_", "CARGO_BIN_", "CARGO_FEATURE_", "CARGO_CFG_"];
    EXACT.contains(&variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

/// Cargo, the one that runs us.
pub fn cargo(arguments: &[&str]) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), ".", arguments)
}

/// All files below a folder of the project, but for those that are built or fetched; sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    const SKIPPED: [&str; 6] = ["target", "node_modules", "dist", ".git", "__pycache__", ".pytest_cache"];
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let skipped =
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| SKIPPED.contains(&name));
        if path.is_dir() && !skipped {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_command_does_not_know_of_this_crate() {
        let nested = cargo(&["build"]);
        let removed = |name: &str| nested.get_envs().any(|(key, value)| key == name && value.is_none());
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
            assert!(std::env::var_os(name).is_some(), "cargo sets {name} for a test");
            assert!(removed(name), "{name} would be handed on");
        }
    }

    #[test]
    fn what_the_user_told_cargo_stays() {
        for name in ["CARGO_TARGET_DIR", "CARGO_HOME", "CARGO_INCREMENTAL", "CARGO_BUILD_JOBS", "CARGO"] {
            assert!(!describes_this_crate(name), "{name}");
        }
    }
}
