//! `clew bench query`: asks a server what its users ask, about what it has stored.

use crate::bench::{Latencies, Percentiles, Process};
use crate::client::{Client, Search};
use crate::command_line::BenchQuery;
use crate::demo::Random;
use crate::failure::Failure;
use crate::terminal::Output;
use anyhow::Context;
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

/// What was measured of one kind of question.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    question: &'static str,
    latency_milliseconds: Percentiles,
    /// Of the server, for one question.
    processor_milliseconds: Option<f64>,
}

/// A question: the path, the parameters.
type Question = (Vec<String>, Vec<(&'static str, String)>);

pub async fn run(arguments: BenchQuery, output: &Output) -> Result<(), Failure> {
    let api = Client::new(&arguments.server.address)?;
    let traces = sample(&api).await?;
    let process = reqwest::Url::parse(api.address())
        .ok()
        .and_then(|url| url.port_or_known_default())
        .and_then(Process::listening_on);
    let mut random = Random::new(arguments.seed);
    let rounds = arguments.rounds.max(1);
    let questions = questions(&traces, rounds, &mut random);
    let bar = ProgressBar::new(questions.len() as u64 * rounds);
    let mut all = Vec::new();
    for (question, asked) in questions {
        let measured = measure(&api, process.as_ref(), question, &asked, &bar).await?;
        if !arguments.json {
            let processor = measured.processor_milliseconds;
            let processor = processor.map_or_else(String::new, |ms| format!(", processor {ms:.2} ms"));
            bar.suspend(|| {
                output.line(format!("{question:<34} {}{processor}", measured.latency_milliseconds.text()))
            })?;
        }
        all.push(measured);
    }
    bar.finish_and_clear();
    if arguments.json {
        output.line(serde_json::to_string(&all).context("writing JSON")?)?;
    }
    Ok(())
}

/// Ids of stored traces.
async fn sample(api: &Client) -> Result<Vec<String>, Failure> {
    let parameters = [("limit", "200".to_owned()), ("from", "0".to_owned())];
    let found: Search = api.get(&["api", "v1", "traces"], &parameters).await?;
    if found.traces.is_empty() {
        return Err(Failure::NotFound("nothing is stored; `clew bench ingest` sends something".to_owned()));
    }
    Ok(found.traces.into_iter().map(|trace| trace.trace_id).collect())
}

fn questions(traces: &[String], rounds: u64, random: &mut Random) -> Vec<(&'static str, Vec<Question>)> {
    let path = |parts: &[&str]| ["api", "v1"].iter().chain(parts).map(|part| (*part).to_owned()).collect();
    let search = |query: &str, limit: &str| -> Question {
        let parameters = vec![("q", query.to_owned()), ("limit", limit.to_owned()), ("from", "0".to_owned())];
        (path(&["traces"]), parameters)
    };
    let mut known = Vec::new();
    let mut missing = Vec::new();
    for _ in 0..rounds {
        let place = usize::try_from(random.between(0, traces.len() as u64)).unwrap_or(0);
        let trace = traces.get(place).map_or("", String::as_str);
        known.push((path(&["traces", trace, "skeleton"]), Vec::new()));
        let nowhere = format!("{:032x}", u128::from_be_bytes(random.id()));
        missing.push((path(&["traces", &nowhere, "skeleton"]), Vec::new()));
    }
    let repeated = |question: Question| (0..rounds).map(|_| question.clone()).collect::<Vec<_>>();
    let values = (path(&["fields", "gen_ai.request.model", "values"]), vec![("from", "0".to_owned())]);
    vec![
        ("a trace", known),
        ("a trace that is not there", missing),
        ("newest 20", repeated(search("", "20"))),
        ("service:billing", repeated(search("service:billing", "20"))),
        ("status:error", repeated(search("status:error", "20"))),
        ("kind:llm", repeated(search("kind:llm", "20"))),
        ("duration:>3.9s", repeated(search("duration:>3.9s", "20"))),
        ("user.id:=user-00042", repeated(search("user.id:=user-00042", "20"))),
        ("a value that nobody has", repeated(search("user.id:=nobody", "20"))),
        ("values of gen_ai.request.model", repeated(values)),
    ]
}

async fn measure(
    api: &Client,
    process: Option<&Process>,
    question: &'static str,
    asked: &[Question],
    bar: &ProgressBar,
) -> Result<Measured, Failure> {
    let processor = || process.and_then(Process::usage).map(|usage| usage.processor);
    let before = processor();
    let mut latencies = Latencies::default();
    for (path, parameters) in asked {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let started = Instant::now();
        let answer = match path.last() {
            Some(&"skeleton") => api.get_bytes(&path).await.map(|_| ()),
            _ => api.get::<Value>(&path, parameters).await.map(|_| ()),
        };
        match answer {
            Ok(()) | Err(Failure::NotFound(_)) => latencies.add(started.elapsed()),
            Err(failure) => return Err(failure),
        }
        bar.inc(1);
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let used = before
        .zip(processor())
        .map(|(before, after)| after.saturating_sub(before).as_secs_f64() * 1e3 / asked.len() as f64);
    Ok(Measured { question, latency_milliseconds: latencies.percentiles(), processor_milliseconds: used })
}
