//! `clew tail`: traces as they arrive.

use super::search::{heading, row};
use crate::client::{Client, Summary};
use crate::command_line::Tail;
use crate::failure::Failure;
use crate::terminal::{Output, Style};
use serde_json::{Value, json};
use std::collections::HashMap;

/// So many traces are remembered, in order not to print one again that has not changed.
const REMEMBERED: usize = 10_000;

pub async fn run(arguments: Tail, output: &Output) -> Result<(), Failure> {
    let client = Client::new(&arguments.server.address)?;
    if let Some(query) = &arguments.query {
        check_query(&client, query).await?;
    }
    let mut events = client.events().await?;
    if !arguments.json {
        output.line(output.paint(Style::Faint, &heading()))?;
    }
    let mut printed: HashMap<String, (u64, bool)> = HashMap::new();
    while let Some(event) = events.next().await? {
        if event.name != "trace.upsert" {
            continue;
        }
        let data: Value = serde_json::from_str(&event.data).map_err(anyhow::Error::from)?;
        for trace in data["traces"].as_array().into_iter().flatten() {
            let summary: Summary = serde_json::from_value(trace.clone()).map_err(anyhow::Error::from)?;
            let state = (summary.spans, summary.running);
            if printed.get(&summary.trace_id) == Some(&state)
                || !matches(&client, &arguments, &summary).await?
            {
                continue;
            }
            if printed.len() >= REMEMBERED {
                printed.clear();
            }
            printed.insert(summary.trace_id.clone(), state);
            output.line(if arguments.json { trace.to_string() } else { row(&summary, output) })?;
        }
        if let Some(more) = data["more"].as_u64().filter(|more| *more > 0) {
            output.line(match arguments.json {
                true => json!({"more": more}).to_string(),
                false => output.paint(Style::Faint, &format!("and {more} more")),
            })?;
        }
    }
    Err(Failure::Unreachable(format!("{} has ended the stream", client.address())))
}

async fn check_query(client: &Client, query: &str) -> Result<(), Failure> {
    let answer: Value = client.get(&["api", "v1", "query", "parse"], &[("q", query.to_owned())]).await?;
    if answer["valid"] == Value::Bool(true) {
        return Ok(());
    }
    let error = &answer["error"];
    Err(Failure::Usage(format!(
        "{} (at character {})",
        error["message"].as_str().unwrap_or("wrong query"),
        error["at"]
    )))
}

/// Whether the trace is one that the query finds: the server decides, so that `tail` and `search` agree.
async fn matches(client: &Client, arguments: &Tail, summary: &Summary) -> Result<bool, Failure> {
    let Some(query) = &arguments.query else { return Ok(true) };
    let query = format!("({query}) trace:={}", summary.trace_id);
    let answer: Value =
        client.get(&["api", "v1", "traces"], &[("q", query), ("limit", "1".to_owned())]).await?;
    Ok(answer["traces"].as_array().is_some_and(|traces| !traces.is_empty()))
}
