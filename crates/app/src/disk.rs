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

/// How much a store may take of what is set: less when the disk cannot hold that much besides `reserve`, so that old
/// telemetry makes room for new before the disk is full.
pub fn share(directory: &Path, set: u64, reserve: u64) -> u64 {
    let Some(free) = free_bytes(directory) else { return set };
    set.min(free.saturating_add(used_bytes(directory)).saturating_sub(reserve)).max(1)
}

#[cfg(test)]
mod tests {
    use super::{free_bytes, share, used_bytes};

    #[test]
    fn a_small_disk_lowers_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("below")).unwrap();
        std::fs::write(directory.path().join("below/file"), [0; 1000]).unwrap();
        assert_eq!(used_bytes(directory.path()), 1000);
        assert_eq!(share(directory.path(), 1, 0), 1);
        assert!(share(directory.path(), u64::MAX, 0) < u64::MAX);
        assert_eq!(share(directory.path(), u64::MAX, u64::MAX), 1);
        assert!(free_bytes(&directory.path().join("not/yet")).is_some());
    }
}
