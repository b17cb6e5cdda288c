//! `clew search`: traces as a table.

use crate::client::{Client, Search as Answer, Summary};
use crate::command_line::Search;
use crate::failure::Failure;
use crate::terminal::{Output, Style, count, duration, fitted, local_time};
use serde_json::Value;

pub async fn run(arguments: Search, output: &Output) -> Result<(), Failure> {
    let client = Client::new(&arguments.server.address)?;
    let optional = [("q", arguments.query), ("from", arguments.from), ("to", arguments.to)];
    let mut parameters: Vec<(&str, String)> =
        optional.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    parameters.push(("limit", arguments.limit.to_string()));
    let answer: Value = client.get(&["api", "v1", "traces"], &parameters).await?;
    if arguments.json {
        return Ok(output.line(format!("{answer:#}"))?);
    }
    let answer: Answer = serde_json::from_value(answer).map_err(anyhow::Error::from)?;
    if answer.traces.is_empty() {
        output.line("no trace found")?;
    } else {
        output.line(output.paint(Style::Faint, &heading()))?;
    }
    for summary in &answer.traces {
        output.line(row(summary, output))?;
    }
    if !answer.complete {
        let reason = answer.incomplete_reason.unwrap_or_else(|| "a limit was reached".to_owned());
        output.line(format!("not all was searched: {reason}"))?;
    }
    Ok(())
}

pub fn heading() -> String {
    format!(
        "{:<19}  {:<32}  {:<34}  {:>9}  {:>6}  {:>6}  {:>8}  {:>9}",
        "started", "trace", "root", "duration", "spans", "errors", "tokens", "cost"
    )
}

/// A summary as one line of the table.
pub fn row(summary: &Summary, output: &Output) -> String {
    let root = format!("{}: {}", summary.root_service, summary.root_name);
    let root = fitted(&root, 34);
    let running = if summary.running { " running" } else { "" };
    let orphans =
        if summary.orphans > 0 { format!(" {} without parent", summary.orphans) } else { String::new() };
    let errors = format!("{:>6}", count(summary.errors));
    let errors = output.paint(if summary.errors > 0 { Style::Bad } else { Style::Faint }, &errors);
    let kind = if summary.root_kind == "agent" { Style::Bold } else { Style::Plain };
    format!(
        "{}  {}  {}  {:>9}  {:>6}  {errors}  {:>8}  {:>9}{running}{orphans}",
        local_time(summary.start),
        output.paint(Style::Accent, &summary.trace_id),
        output.paint(kind, &root),
        duration(summary.duration),
        count(summary.spans),
        count(summary.input_tokens + summary.output_tokens),
        summary.cost.map_or_else(|| "-".to_owned(), |cost| format!("${cost:.4}")),
    )
}
