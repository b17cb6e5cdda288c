//! What a process uses: processor time and memory, as Linux tells in `/proc`.

use crate::port_holder;
use crate::terminal::harmless;
use std::path::PathBuf;
use std::time::Duration;

/// Linux counts processor time in hundredths of a second, for every program.
const TICKS_PER_SECOND: u64 = 100;

/// A process that runs on this machine.
#[derive(Debug, Clone)]
pub struct Process {
    pub id: u32,
}

/// What it used since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub processor: Duration,
    /// The most memory that it had, in bytes.
    pub peak_memory: u64,
}

impl Process {
    /// This program.
    pub fn own() -> Self {
        Self { id: std::process::id() }
    }

    /// The process that listens on this port of this machine.
    pub fn listening_on(port: u16) -> Option<Self> {
        port_holder::find(port).map(|holder| Self { id: holder.process })
    }

    /// Its name, as far as it can be known.
    pub fn name(&self) -> String {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", self.id)).unwrap_or_default();
        harmless(name.trim())
    }

    /// `None` when it has ended, or cannot be seen.
    pub fn usage(&self) -> Option<Usage> {
        let directory = PathBuf::from(format!("/proc/{}", self.id));
        let stat = std::fs::read_to_string(directory.join("stat")).ok()?;
        let status = std::fs::read_to_string(directory.join("status")).ok()?;
        Some(Usage { processor: processor(&stat)?, peak_memory: peak_memory(&status)? })
    }
}

impl Usage {
    /// Processor time used since an earlier moment.
    pub fn since(&self, earlier: Self) -> Duration {
        self.processor.saturating_sub(earlier.processor)
    }
}

/// User and system time: the 14th and 15th field, counted behind the name, which may hold anything.
fn processor(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_millis((user + system) * 1000 / TICKS_PER_SECOND))
}

fn peak_memory(status: &str) -> Option<u64> {
    memory(status, "VmHWM:")
}

/// The bytes that a file of Linux tells under this name.
pub fn memory(file: &str, name: &str) -> Option<u64> {
    let line = file.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::{Process, peak_memory, processor};
    use std::time::Duration;

    #[test]
    fn files_of_linux_are_read() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 4 0 12345 1000 200";
        assert_eq!(processor(stat), Some(Duration::from_millis(1_750)));
        assert_eq!(processor("7 (a)"), None);
        assert_eq!(peak_memory("VmPeak:\t 9 kB\nVmHWM:\t   12 kB\n"), Some(12 << 10));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_uses_memory() {
        let usage = Process::own().usage().unwrap();
        assert!(usage.peak_memory > 1 << 20, "{usage:?}");
    }
}
