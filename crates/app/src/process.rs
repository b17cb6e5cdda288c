//! What the process asks of the system before it does anything: files that only their owner reads, and as many file
//! descriptors as it may have.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit, umask};

/// Descriptors that connections leave to files; half of them where there are fewer than twice as many.
const FOR_FILES: u64 = 256;
/// The most connections, however many descriptors there are: each takes memory too.
const MOST_CONNECTIONS: u64 = 8_192;
/// Threads that answer questions stand back a little behind those that take telemetry in.
const NICENESS: i32 = 5;

/// Files and directories that are made from now on can be read and written by their owner only: telemetry has what people
/// said. For commands that write into the data directory.
pub fn keep_files_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Raises the limit of open files as far as it may be raised, and answers how many connections there may be.
pub fn raise_open_files() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Only a wish: where it is not granted, there are fewer connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    connections(getrlimit(Resource::Nofile).current)
}

/// How many connections so many descriptors allow; `None` are any number.
fn connections(descriptors: Option<u64>) -> usize {
    let descriptors = descriptors.unwrap_or(u64::MAX);
    let left = descriptors - FOR_FILES.min(descriptors / 2);
    usize::try_from(left.min(MOST_CONNECTIONS)).unwrap_or(usize::MAX)
}

/// Lowers the priority of this thread.
pub fn stand_back() {
    // Only a wish: where it is not granted, the work is done all the same.
    let _ = setpriority_process(None, NICENESS);
}

#[cfg(test)]
mod tests {
    use super::connections;

    #[test]
    fn files_are_left_some_descriptors() {
        for (descriptors, expect) in [
            (Some(64), 32),
            (Some(256), 128),
            (Some(512), 256),
            (Some(1_024), 768),
            (Some(4_096), 3_840),
            (Some(1 << 20), 8_192),
            (Some(0), 0),
            (None, 8_192),
        ] {
            assert_eq!(connections(descriptors), expect, "{descriptors:?}");
        }
    }
}
