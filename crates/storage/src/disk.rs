//! Small dealings with the disk: who holds the directory, how much is free, what must be fsynced.

use crate::error::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Makes creations, renames and removals in a directory survive a crash.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Writes a file so that it is there whole or not at all, also after a crash.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), Error> {
    let temporary = path.with_extension("tmp");
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        sync_directory(path.parent().unwrap_or(path))
    };
    write().map_err(Error::io("writing", path))
}

/// Lets nobody but the owner look into a directory.
pub(crate) fn keep_private(directory: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = directory.metadata().map_err(Error::io("reading", directory))?;
    let mut permissions = metadata.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    permissions.set_mode(permissions.mode() & 0o700 | 0o700);
    if let Err(error) = std::fs::set_permissions(directory, permissions) {
        // It may be somebody else's who lets us in.
        tracing::warn!(path = %directory.display(), %error, "others may look into the data directory");
    }
    Ok(())
}

/// Removes a file that is of no more use; a failure is named and answered with `false`.
pub(crate) fn remove(path: &Path) -> bool {
    match std::fs::remove_file(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "removing a file failed");
            false
        }
    }
}

/// Takes the directory for this process, as long as the answer lives.
pub(crate) fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(Error::io("opening", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::io("locking", &path)(source)),
    }
}

/// How much is free on a directory's disk; asked at most once a second.
pub(crate) struct FreeSpace {
    directory: PathBuf,
    last: Mutex<Option<(Instant, u64)>>,
}

impl FreeSpace {
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), last: Mutex::new(None) }
    }

    /// Bytes that an ordinary user may still write; all there are when the system does not say.
    pub(crate) fn bytes(&self) -> u64 {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match *last {
            Some((asked, bytes)) if asked.elapsed() < Duration::from_secs(1) => bytes,
            _ => {
                let bytes = rustix::fs::statvfs(&self.directory)
                    .map_or(u64::MAX, |found| found.f_bavail.saturating_mul(found.f_frsize));
                *last = Some((Instant::now(), bytes));
                bytes
            }
        }
    }
}
