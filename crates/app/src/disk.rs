//! How much room there is on the disk of a directory that may not exist yet.

use std::path::{Path, PathBuf};

/// The directory itself, or the nearest one above it that exists.
pub fn nearest_existing(directory: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(directory).ok()?;
    whole.ancestors().find(|path| path.is_dir()).map(Path::to_owned)
}

/// Bytes that this user may still write on the disk of this directory.
pub fn free_bytes(directory: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(&nearest_existing(directory)?).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes of all files below this directory.
pub fn used_bytes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => used_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::free_bytes;

    #[test]
    fn a_directory_may_not_exist_yet() {
        let directory = tempfile::tempdir().unwrap();
        assert!(free_bytes(&directory.path().join("not/yet")).is_some());
    }
}
