//! `clew backup`, `restore`, `verify` and `repair`: work on the files of a data directory.

use crate::command_line::{Backup, Repair, Restore, Verify};
use crate::config::{Config, Effective, Environment, Flags};
use crate::failure::Failure;
use crate::process;
use crate::terminal::{Output, Style, bytes, count, harmless, local_time};
use crate::wiring::storage_options;
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use storage::backup::{backup, restore};
use storage::verify::{Progress, verify};

pub async fn run_backup(
    arguments: Backup,
    environment: &Environment,
    output: &Output,
) -> Result<(), Failure> {
    let config = load(&arguments.settings, environment)?;
    process::keep_files_private();
    let directory = &config.storage.directory;
    let report = backup(directory, &arguments.target, meter("copied")).await.map_err(anyhow::Error::from)?;
    finish(arguments.json, &report, &report.damaged, output, || {
        format!(
            "{} backed up to {}: {} blocks, {} of them copied ({}), {} of log; {} files of the backup before removed",
            directory.display(),
            arguments.target.display(),
            count(report.blocks),
            count(report.copied_blocks),
            bytes(report.copied_bytes),
            bytes(report.log_bytes),
            count(report.removed_blocks),
        )
    })
}

pub async fn run_restore(
    arguments: Restore,
    environment: &Environment,
    output: &Output,
) -> Result<(), Failure> {
    let config = load(&arguments.settings, environment)?;
    process::keep_files_private();
    let directory = &config.storage.directory;
    let report =
        restore(&arguments.backup, directory, meter("restored")).await.map_err(anyhow::Error::from)?;
    finish(arguments.json, &report, &report.damaged, output, || {
        format!(
            "{} has what {} had at {}: {} blocks, {}",
            directory.display(),
            arguments.backup.display(),
            local_time(report.taken),
            count(report.blocks),
            bytes(report.bytes),
        )
    })
}

pub async fn run_verify(
    arguments: Verify,
    environment: &Environment,
    output: &Output,
) -> Result<(), Failure> {
    let config = load(&arguments.settings, environment)?;
    let (directory, url) = (&config.storage.directory, config.storage.blocks_url.as_deref());
    let report = verify(directory, url, meter("read")).await.map_err(anyhow::Error::from)?;
    finish(arguments.json, &report, &report.damaged, output, || {
        format!(
            "{}: {} blocks with {} rows and {} requests in {} segments of the log, {}, every checksum read",
            directory.display(),
            count(report.blocks),
            count(report.rows),
            count(report.log_requests),
            count(report.log_segments),
            bytes(report.bytes),
        )
    })
}

pub async fn run_repair(
    arguments: Repair,
    environment: &Environment,
    output: &Output,
) -> Result<(), Failure> {
    let config = load(&arguments.settings, environment)?;
    process::keep_files_private();
    let options = storage_options(&config)?;
    let report = storage::repair(options, arguments.give_up_damaged).await.map_err(anyhow::Error::from)?;
    if !arguments.json {
        if let Some(path) = &report.catalog_put_aside {
            output.line(format!("The catalog could not be used; it is now {}.", path.display()))?;
        }
        if report.catalog_rebuilt {
            output.line("A new catalog was made from what the blocks say of themselves.")?;
        }
        for note in &report.notes {
            output.line(harmless(note))?;
        }
        for block in &report.given_up {
            let (kept, rows) = (count(block.kept_rows), count(block.rows));
            output
                .line(format!("{}: given up; {kept} of its {rows} rows were kept", harmless(&block.block)))?;
        }
    }
    finish(arguments.json, &report, &report.damaged, output, || {
        format!(
            "{} has {} blocks with {} rows, and {} rows in the log",
            config.storage.directory.display(),
            count(report.blocks),
            count(report.rows),
            count(report.rows_in_log),
        )
    })
}

fn load(settings: &Flags, environment: &Environment) -> Result<Config, Failure> {
    let effective =
        Effective::load(settings, environment).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(effective.config)
}

/// Says how far it is, on a terminal.
fn meter(done: &'static str) -> impl FnMut(Progress) {
    let style = ProgressStyle::with_template("{human_pos} of {human_len} blocks {msg}, {elapsed}");
    let bar = ProgressBar::no_length()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(done);
    move |progress: Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        if progress.done + 1 >= progress.total {
            bar.finish_and_clear();
        }
    }
}

/// Shows the report; damage is a failure.
fn finish(
    as_json: bool,
    report: &impl Serialize,
    damaged: &[String],
    output: &Output,
    text: impl FnOnce() -> String,
) -> Result<(), Failure> {
    if as_json {
        output.line(serde_json::to_string(report).context("writing JSON")?)?;
    } else {
        output.line(text())?;
        for damage in damaged {
            output.line(output.paint(Style::Bad, &harmless(damage)))?;
        }
    }
    match damaged.len() {
        0 => Ok(()),
        1 => Err(anyhow::anyhow!("one block or segment is damaged or missing").into()),
        many => Err(anyhow::anyhow!("{many} blocks or segments are damaged or missing").into()),
    }
}
