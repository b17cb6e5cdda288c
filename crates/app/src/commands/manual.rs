//! `clew man [DIRECTORY]`: the manual pages, made from the same definitions as `--help`.

use crate::command_line::CommandLine;
use crate::failure::Failure;
use crate::terminal::Output;
use anyhow::Context;
use clap::CommandFactory;
use std::io::Write;
use std::path::Path;

pub fn run(directory: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let mut command = CommandLine::command();
    command.build();
    let Some(directory) = directory else {
        return Ok(std::io::stdout().write_all(&page(command)?)?);
    };
    std::fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    let written = write_pages(&command, "clew", directory)?;
    Ok(output.line(format!("{written} pages written to {}", directory.display()))?)
}

/// Writes the page of a command and of those below it; returns how many.
fn write_pages(command: &clap::Command, name: &str, directory: &Path) -> Result<usize, Failure> {
    let path = directory.join(format!("{name}.1"));
    // The usage line knows the whole name; the page's heading takes it from here.
    let named = command.clone().name(name.to_owned());
    std::fs::write(&path, page(named)?).with_context(|| format!("writing {}", path.display()))?;
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    below
        .map(|below| write_pages(below, &format!("{name}-{}", below.get_name()), directory))
        .try_fold(1, |sum, count| Ok(sum + count?))
}

fn page(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}
