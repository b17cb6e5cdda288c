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

/// A command that runs in this folder of the project.
pub fn command(program: impl AsRef<std::ffi::OsStr>, folder: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root().join(folder)).args(arguments);
    command
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
