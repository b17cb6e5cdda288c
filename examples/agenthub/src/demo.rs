//! The three processes at once, on free ports, to see what they are like.

use crate::error::Error;
use clap::Args;
use std::net::TcpListener;
use std::process::ExitStatus;
use tokio::process::{Child, Command};

/// What the process that starts the others is called in telemetry.
pub(crate) const SERVICE: &str = "agenthub-demo";

/// The demonstration's settings.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The id of the first of its four tasks.
    #[arg(long, default_value = "task_123")]
    task: String,
}

/// Starts a broker and a subscriber, has a publisher send four tasks, and ends all of them.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Error> {
    let program = std::env::current_exe()?;
    let data = std::env::temp_dir().join(format!("agenthub-{}", std::process::id()));
    let [grpc, broker, subscriber, publisher] = free_addresses()?;
    let url = format!("http://{grpc}");
    let start = |role: &str, health: &str, more: &[&str]| {
        let mut command = Command::new(&program);
        command.arg(role).args(["--health", health]).args(more).kill_on_drop(true).spawn()
    };
    let path = |part: &str| data.join(part).to_string_lossy().into_owned();
    let broker = start("broker", &broker, &["--listen", &grpc, "--data", &path("queue")])?;
    let subscriber = start("subscriber", &subscriber, &["--broker", &url, "--data", &path("results")])?;
    let mut publisher =
        start("publisher", &publisher, &["--broker", &url, "--demo", "--task", &arguments.task])?;
    let done = publisher.wait().await?;
    stop(subscriber).await?;
    stop(broker).await?;
    std::fs::remove_dir_all(data)?;
    if done.success() { Ok(()) } else { Err(Error::Serve(std::io::Error::other("the publisher failed"))) }
}

/// Addresses where nobody listens.
fn free_addresses() -> std::io::Result<[String; 4]> {
    let mut held = Vec::new();
    let mut address = || {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?.to_string();
        // Until all are found, so that they differ.
        held.push(listener);
        std::io::Result::Ok(address)
    };
    Ok([address()?, address()?, address()?, address()?])
}

/// Asks the process to end, as a person would, and waits for it: what it still has to tell it tells then.
async fn stop(mut child: Child) -> std::io::Result<ExitStatus> {
    if let Some(id) = child.id() {
        Command::new("kill").arg(id.to_string()).status().await?;
    }
    child.wait().await
}
