//! `clew delete`: forgets a trace.

use crate::client::{Client, Summary};
use crate::command_line::Delete;
use crate::failure::Failure;
use crate::terminal::{Output, harmless};
use std::io::{BufRead, IsTerminal, Write};

pub async fn run(arguments: Delete, output: &Output) -> Result<(), Failure> {
    let client = Client::new(&arguments.server.address)?;
    let path = ["api", "v1", "traces", &arguments.trace];
    if !arguments.yes {
        let summary: Summary = client.get(&path, &[]).await?;
        confirm(&summary)?;
    }
    let deleted = client.delete(&path).await?;
    if arguments.json {
        return Ok(output.line(deleted)?);
    }
    let number = |key: &str| deleted[key].as_str().unwrap_or("0").to_owned();
    Ok(output.line(format!("deleted {} spans and {} log records", number("spans"), number("logRecords")))?)
}

/// Asks on a terminal; elsewhere nobody could answer.
fn confirm(summary: &Summary) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "deleting asks first, which needs a terminal; --yes does not ask".to_owned(),
        ));
    }
    let (name, spans) = (harmless(&summary.root_name), summary.spans);
    write!(
        std::io::stderr(),
        "Delete {name} of {} with its {spans} spans for good? [y/N] ",
        summary.trace_id
    )?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Usage("nothing was deleted".to_owned())),
    }
}
