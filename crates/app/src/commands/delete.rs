//! `clew delete`: forgets a trace, or everything.

use crate::client::{Client, Summary};
use crate::command_line::Delete;
use crate::failure::Failure;
use crate::terminal::{Output, ask, harmless};
use std::io::{BufRead, IsTerminal};

pub async fn run(arguments: Delete, output: &Output) -> Result<(), Failure> {
    let client = Client::new(&arguments.server.address)?.of_tenant(arguments.tenant.as_deref())?;
    let path = match &arguments.trace {
        Some(trace) => vec!["api", "v1", "traces", trace],
        None => vec!["api", "v1", "everything"],
    };
    if !arguments.yes {
        confirm(&question(&client, &arguments, &path).await?)?;
    }
    let deleted = client.delete(&path).await?;
    if arguments.json {
        return Ok(output.line(deleted)?);
    }
    let items = [("spans", "spans"), ("logRecords", "log records"), ("metricPoints", "metric points")];
    let items =
        items.into_iter().filter_map(|(key, name)| Some(format!("{} {name}", deleted[key].as_str()?)));
    Ok(output.line(format!("deleted {}", items.collect::<Vec<_>>().join(", ")))?)
}

async fn question(client: &Client, arguments: &Delete, path: &[&str]) -> Result<String, Failure> {
    if arguments.everything {
        let tenant = arguments.tenant.as_deref().unwrap_or("the default tenant");
        return Ok(format!("Delete everything of {tenant} for good?"));
    }
    let summary: Summary = client.get(path, &[]).await?;
    let (name, spans) = (harmless(&summary.root_name), summary.spans);
    Ok(format!("Delete {name} of {} with its {spans} spans for good?", summary.trace_id))
}

/// Asks on a terminal; elsewhere nobody could answer.
fn confirm(question: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "deleting asks first, which needs a terminal; --yes does not ask".to_owned(),
        ));
    }
    ask(&format!("{question} [y/N]"))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Usage("nothing was deleted".to_owned())),
    }
}
