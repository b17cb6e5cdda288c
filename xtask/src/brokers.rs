//! The brokers of messages that the systems of the examples can send through: Kafka, by Maven, and NATS, by Go.

use crate::{project, tools};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const KAFKA: &str = "e2e/kafka";
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies";
const NATS: &str = "github.com/nats-io/nats-server/v2@v2.14.9";

/// Where Kafka's jars are put.
pub fn kafka_folder() -> PathBuf {
    project::target().join("e2e-kafka")
}

/// What is missing here for Kafka.
pub fn kafka_wants() -> Option<&'static str> {
    let is_here = ["java", "mvn"].into_iter().all(|program| tools::find(program).is_some());
    (!is_here).then_some("Java 17 and Maven are not here")
}

/// Fetches what the project of Maven in `e2e/kafka` names, unless it is there.
pub fn fetch_kafka() -> Result<()> {
    let wanted = std::fs::read_to_string(project::root().join(KAFKA).join("pom.xml"));
    once(&kafka_folder(), &wanted.context("reading what is wanted of Kafka")?, |folder| {
        let mut maven = project::command("mvn", KAFKA, &["--quiet", "--batch-mode", COPY]);
        maven.arg("-DincludeScope=runtime").arg(format!("-DoutputDirectory={}", folder.display()));
        maven
    })
}

/// Where the NATS server is put.
pub fn nats_server() -> PathBuf {
    nats_folder().join("nats-server")
}

/// What is missing here for NATS.
pub fn nats_wants() -> Option<&'static str> {
    tools::find("go").is_none().then_some("Go is not here")
}

/// Builds the NATS server, unless it is there.
pub fn build_nats() -> Result<()> {
    once(&nats_folder(), NATS, |folder| {
        let mut go = project::command("go", ".", &["install", NATS]);
        go.env("GOBIN", folder);
        go
    })
}

fn nats_folder() -> PathBuf {
    project::target().join("e2e-nats")
}

/// Fills a folder by a command, unless that was done for the same before.
fn once(folder: &Path, wanted: &str, fill: impl FnOnce(&Path) -> Command) -> Result<()> {
    let stamp = folder.join("made-of");
    if std::fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) {
        return Ok(());
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).context("making place for what tests need")?;
    }
    std::fs::create_dir_all(folder).context("making a folder for what tests need")?;
    tools::run(&mut fill(folder))?;
    std::fs::write(&stamp, wanted).context("noting what a folder was made of")
}
