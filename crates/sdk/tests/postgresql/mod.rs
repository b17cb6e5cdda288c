//! A PostgreSQL server of a test's own, where the program is installed.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// So long a loaded machine may take to start it.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Postgresql {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    /// The user that it runs as where the test is root: it refuses to be.
    user: Option<(u32, u32)>,
    process: Option<Child>,
}

impl Postgresql {
    /// Starts one; none where it is not installed.
    pub fn start() -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let found =
            std::env::split_paths(&path).map(|folder| folder.join("postgres")).find(|file| file.exists())?;
        let programs = found.canonicalize().ok()?.parent()?.to_owned();
        let folder = tempfile::Builder::new().prefix("clew-postgresql-").tempdir().ok()?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).ok()?.port();
        let mut server = Self { programs, folder, port, user: user(), process: None };
        if let Some((user, group)) = server.user {
            chown(server.folder.path(), Some(user), Some(group)).unwrap();
        }
        let data = server.folder.path().join("data");
        let mut made = server.program("initdb");
        made.args(["--username", "ada", "--auth", "trust", "--no-sync", "--pgdata"]).arg(&data);
        assert!(made.status().unwrap().success());
        let mut running = server.program("postgres");
        running.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-F", "-p", &port.to_string()]);
        server.process = Some(running.arg("-k").arg(server.folder.path()).spawn().unwrap());
        server.wait();
        Some(server)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("postgres://ada@127.0.0.1:{}/postgres", self.port)
    }

    /// One of its programs, as the user that may run them.
    fn program(&self, name: &str) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(self.programs.join(name));
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.current_dir(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn wait(&self) {
        let until = Instant::now() + PATIENCE;
        let mut ready = self.program("pg_isready");
        ready.args(["--host", "127.0.0.1", "--username", "ada", "--timeout", "1", "--port"]);
        ready.arg(self.port.to_string());
        while !ready.status().is_ok_and(|status| status.success()) {
            assert!(Instant::now() < until, "PostgreSQL does not answer");
        }
    }
}

impl Drop for Postgresql {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        drop(self.program("pg_ctl").args(["stop", "--mode", "fast", "--pgdata"]).arg(data).status());
        if let Some(mut process) = self.process.take() {
            drop(process.wait());
        }
    }
}

/// The ids of the user that the package made, where the test is root.
fn user() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let mine = Path::new("/proc/self").metadata().ok()?.uid();
    if mine != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
