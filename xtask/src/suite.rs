//! `cargo xtask test`: everything that can fail, in the order of what it costs to find out.

use crate::report::Report;
use crate::{binary, brokers, browser, check, page, project, python, tools};
use anyhow::Result;
use clap::ValueEnum;
use std::process::Command;

/// A part of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Format, lints, house rules, documentation
    Check,
    /// The page's types, lints, unit tests and budgets
    Page,
    /// The tests of the crates
    Crates,
    /// The real binary against real clients
    Clients,
    /// The real binary, killed at random moments
    Crash,
    /// The page in a real browser
    Browser,
}

/// The systems of `examples/`.
const SYSTEMS: [&str; 3] = ["beluga", "agenthub", "aob"];

/// The SDK's crates, and its features.
const SDK: [&str; 2] = ["clew-sdk", "clew-sdk-macros"];
const SDK_FEATURES: [&str; 13] = [
    "http",
    "axum",
    "reqwest",
    "grpc",
    "macros",
    "openai",
    "anthropic",
    "mcp",
    "rmcp",
    "database",
    "sqlx-any",
    "sqlx-postgres",
    "sqlx-sqlite",
];

const CRASH_TEST: &str = "e2e/test_crash.py";

pub fn run(only: &[Part]) -> Result<()> {
    let wants = |part: Part| only.is_empty() || only.contains(&part);
    let mut report = Report::default();
    let has_node = tools::has_node();
    if wants(Part::Check) {
        check::steps(&mut report);
    }
    if wants(Part::Page) {
        test_page(&mut report, has_node);
    }
    if wants(Part::Crates) {
        // The release profile, as for the binary: dependencies are compiled once. What is built on the SDK wants other
        // features of them, and is apart, so that they stay the same.
        let mut server = project::cargo(&["test", "--release", "--locked", "--quiet", "--workspace"]);
        server.args(SYSTEMS.iter().chain(&SDK).flat_map(|package| ["--exclude", package]));
        report.step("tests of the crates", Ok(server));
        let mut agents = project::cargo(&["test", "--release", "--locked", "--quiet"]);
        agents.args(SYSTEMS.iter().chain(&SDK).flat_map(|package| ["--package", package]));
        agents.args(SDK_FEATURES.map(|feature| format!("--features=clew-sdk/{feature}")));
        report.step("tests of the SDK and the systems", Ok(agents));
    }
    if [Part::Clients, Part::Crash, Part::Browser].into_iter().any(wants) {
        let built = report.prepare("the release binary, with the page", || binary::build().map(|_| ()));
        if built {
            with_binary(&mut report, wants, has_node);
        } else {
            report.skip("tests of the binary", "it was not built");
        }
    }
    report.finish()
}

fn test_page(report: &mut Report, has_node: bool) {
    if !has_node {
        return report.skip("the page", "Node 20 and npm are not here");
    }
    if report.prepare("the page's packages", || page::install("ui")) {
        report.step(
            "the page: types, lints, unit tests",
            Ok(project::command("npm", "ui", &["run", "--silent", "check"])),
        );
        report.step(
            "the page: build and budgets",
            Ok(project::command("npm", "ui", &["run", "--silent", "build"])),
        );
    }
}

fn with_binary(report: &mut Report, wants: impl Fn(Part) -> bool, has_node: bool) {
    if wants(Part::Clients) {
        report.prepare("the systems of the examples", || tools::run(&mut systems()));
        match brokers::kafka_wants() {
            Some(missing) => report.skip("events through Kafka", missing),
            None => drop(report.prepare("Kafka", brokers::fetch_kafka)),
        }
        match brokers::nats_wants() {
            Some(missing) => report.skip("events kept by NATS", missing),
            None => drop(report.prepare("the NATS server", brokers::build_nats)),
        }
        let mut arguments = vec!["e2e", "--ignore", CRASH_TEST];
        if has_node {
            let folders = ["e2e/node", "examples/languages/typescript"];
            report.prepare("the packages of the Node clients", || {
                folders.into_iter().try_for_each(page::install)
            });
        } else {
            report.skip("the Node client", "Node 20 and npm are not here");
            arguments.extend(["--ignore", "e2e/test_node_sdk.py"]);
        }
        report.step("real clients", pytest(&arguments));
    }
    if wants(Part::Crash) {
        report.step("killed at random moments", pytest(&[CRASH_TEST]));
    }
    if wants(Part::Browser) {
        if has_node {
            report.step("the page in a browser", browser_tests());
        } else {
            report.skip("the page in a browser", "Node 20 and npm are not here");
        }
    }
}

/// The command that builds the systems.
fn systems() -> Command {
    let mut command = project::cargo(&["build", "--release", "--locked"]);
    command.args(SYSTEMS.iter().flat_map(|package| ["--package", package]));
    command
}

fn pytest(arguments: &[&str]) -> Result<Command> {
    let python = python::environment()?;
    let mut command = project::command(python, ".", &["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
    command.args(arguments).env("CLEW_BIN", project::binary()).env("PYTHONDONTWRITEBYTECODE", "1");
    // Named where they are; else the tests that need them skip.
    for (variable, path) in [("KAFKA_JARS", brokers::kafka_folder()), ("NATS_SERVER", brokers::nats_server())]
    {
        if path.exists() && std::env::var_os(variable).is_none() {
            command.env(variable, path);
        }
    }
    for system in SYSTEMS {
        command.env(format!("{}_BIN", system.to_uppercase()), project::binary().with_file_name(system));
    }
    Ok(command)
}

fn browser_tests() -> Result<Command> {
    page::install("ui")?;
    let mut command = project::command("npm", "ui", &["run", "--silent", "e2e"]);
    command.env("CLEW_BIN", project::binary()).env("CHROMIUM", browser::find_or_install()?);
    Ok(command)
}
