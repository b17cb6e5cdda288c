//! All services, each in a process of its own, until one of them ends or this one is told to.

use crate::error::Error;
use crate::http_client::HttpClient;
use crate::http_server;
use crate::settings::{self, Settings};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Each service, and the name it has in telemetry; the API's is what the environment says, if it says one.
const SERVICES: [(&str, Option<&str>); 6] = [
    ("provider", None),
    ("opa", Some("aob-opa")),
    ("model-gateway", Some("aob-model-gateway")),
    ("tool-gateway", Some("aob-tool-gateway")),
    ("worker", Some("aob-worker")),
    ("api", None),
];

/// A key of `api-keys.json`.
const KEY: &str = "demo:local-dev-key";

const PAUSE: Duration = Duration::from_millis(50);

/// On free ports: runs a workflow that waits for a person, approves it, and stops.
pub async fn demo(settings: Settings) -> Result<(), Error> {
    let settings = settings.apart()?;
    let mut children = start(&settings)?;
    tokio::select! {
        done = demonstrate(&settings) => done?,
        ended = one_ends(&mut children) => return ended,
        () = http_server::stopped() => {}
    }
    stop(children).await?;
    Ok(std::fs::remove_dir_all(&settings.data)?)
}

async fn demonstrate(settings: &Settings) -> Result<(), Error> {
    answering(settings).await?;
    let http = HttpClient::new()?;
    let id = format!("demo-workflow-{}", uuid::Uuid::new_v4());
    let start = json!({"workflow_id": id, "text": "hello agentic", "approval": false});
    let resume = json!({"workflow_id": id, "approval": true});
    for (path, asked) in [("/workflows/start", start), ("/workflows/resume", resume)] {
        let answer = http.post_as(&settings::url_of(settings.api, path)?, &asked, KEY).await?;
        say(&format!("{path}: {}", answer.body["state"].as_str().unwrap_or("done")));
    }
    Ok(())
}

fn start(settings: &Settings) -> Result<Vec<(&'static str, Child)>, Error> {
    let flags = settings.flags();
    SERVICES.into_iter().map(|(service, name)| Ok((service, started(service, name, &flags)?))).collect()
}

/// Starts them, says when they answer, and stops them.
pub async fn up(settings: &Settings) -> Result<(), Error> {
    let mut children = start(settings)?;
    tokio::select! {
        ready = answering(settings) => ready?,
        ended = one_ends(&mut children) => return ended,
        () = http_server::stopped() => return stop(children).await,
    }
    say(&format!("AOB answers on http://{}", settings.api));
    tokio::select! {
        ended = one_ends(&mut children) => ended,
        () = http_server::stopped() => stop(children).await,
    }
}

/// The same program with the same settings, for one service.
fn started(service: &str, name: Option<&str>, flags: &[OsString]) -> Result<Child, Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(service).args(flags).kill_on_drop(true);
    if let Some(name) = name {
        command.env("OTEL_SERVICE_NAME", name);
    }
    // A group of its own: Ctrl-C reaches this process, and this one tells the others.
    Ok(command.process_group(0).spawn()?)
}

async fn answering(settings: &Settings) -> Result<(), Error> {
    let http = HttpClient::new()?;
    let all = [settings.provider, settings.opa, settings.model_gateway, settings.tool_gateway, settings.api];
    for service in all {
        while !answers(&http, service).await? {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

async fn answers(http: &HttpClient, service: SocketAddr) -> Result<bool, Error> {
    Ok(http.get(&settings::url_of(service, "/health")?).await.is_ok())
}

async fn one_ends(children: &mut [(&'static str, Child)]) -> Result<(), Error> {
    loop {
        for (service, child) in children.iter_mut() {
            if let Some(status) = child.try_wait()? {
                return Err(Error::Ended { service, status });
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The API first, so that what it still does finds the others.
async fn stop(children: Vec<(&'static str, Child)>) -> Result<(), Error> {
    for (_, mut child) in children.into_iter().rev() {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            // One that has ended by itself needs no telling.
            let _ = kill_process(id, Signal::TERM);
        }
        child.wait().await?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the command says to whoever started it")]
fn say(text: &str) {
    println!("{text}");
}
