//! How much memory the process may take: what the machine has, or less where a control group says so. Whatever keeps much in
//! memory gets a share of it, so that a small container refuses work instead of being ended.

use std::path::{Path, PathBuf};

/// Memory that questions may take together, where there is enough.
const QUESTIONS: u64 = 512 << 20;
/// Below this much in all, shares are smaller than what is set.
const SMALL: u64 = 2 << 30;

/// What each part of the process may keep in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// All questions together.
    pub questions: u64,
    /// Telemetry that is not in blocks yet.
    pub hot: u64,
    /// Of that, when it is sealed.
    pub seal: u64,
    /// Requests that are being read and decoded.
    pub in_flight: u64,
}

/// The shares of this process, at most what is set.
pub fn shares(set: Shares) -> Shares {
    let limit = limit(Path::new("/sys/fs/cgroup"), Path::new("/proc"));
    limit.map_or(set, |limit| of(limit, set))
}

/// What is set when there is nothing but the machine to heed.
pub const fn questions() -> u64 {
    QUESTIONS
}

fn of(limit: u64, set: Shares) -> Shares {
    if limit >= SMALL {
        return set;
    }
    Shares {
        questions: set.questions.min(limit / 4),
        hot: set.hot.min(limit / 6),
        seal: set.seal.min(limit / 24),
        in_flight: set.in_flight.min(limit / 8),
    }
}

/// The least of what the machine has and what the control groups of this process allow.
fn limit(groups: &Path, processes: &Path) -> Option<u64> {
    let machine = std::fs::read_to_string(processes.join("meminfo")).ok();
    let machine = machine.and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
    });
    let own = std::fs::read_to_string(processes.join("self/cgroup")).unwrap_or_default();
    let of_groups = own.lines().flat_map(|line| of_line(groups, line));
    of_groups.chain(machine).min()
}

/// The limits of a line of `/proc/self/cgroup`, `ID:CONTROLLERS:PATH`: those of the group and all above it. Within a
/// container the path may be one of outside; then the container's own group is the topmost one.
fn of_line(groups: &Path, line: &str) -> Vec<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (top, file) = match controllers {
        "" => (groups.to_owned(), "memory.max"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            (groups.join("memory"), "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let own: PathBuf = top.join(path.trim_start_matches('/'));
    let above = own.ancestors().take_while(|folder| folder.starts_with(&top));
    above.filter_map(|folder| std::fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Shares, limit, of};
    use std::path::Path;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_least_limit_counts() {
        let check = |own: &str, files: &[(&str, &str)], expect: Option<u64>| {
            let root = tempfile::tempdir().unwrap();
            write(root.path(), "proc/meminfo", "MemFree: 5 kB\nMemTotal:       4096 kB\n");
            write(root.path(), "proc/self/cgroup", own);
            for (name, text) in files {
                write(root.path(), &format!("groups/{name}"), text);
            }
            assert_eq!(limit(&root.path().join("groups"), &root.path().join("proc")), expect, "{own}");
        };
        check("0::/\n", &[], Some(4096 * 1024));
        check("0::/\n", &[("memory.max", "max\n")], Some(4096 * 1024));
        check("0::/\n", &[("memory.max", "1000000\n")], Some(1_000_000));
        check("0::/a/b\n", &[("a/memory.max", "1000\n"), ("a/b/memory.max", "2000\n")], Some(1_000));
        check("0::/not/here\n", &[("memory.max", "3000\n")], Some(3_000));
        check("5:cpu:/x\n4:memory:/x\n", &[("memory/x/memory.limit_in_bytes", "7000\n")], Some(7_000));
        check("garbage", &[], Some(4096 * 1024));
    }

    #[test]
    fn small_ones_are_shared_out() {
        let set = Shares { questions: 512 << 20, hot: 256 << 20, seal: 64 << 20, in_flight: 256 << 20 };
        assert_eq!(of(4 << 30, set), set);
        let small = of(512 << 20, set);
        assert!(small.questions + small.hot + small.in_flight < 300 << 20, "{small:?}");
        assert!(small.seal < small.hot / 2);
    }
}
