//! `clew bench query`: asks a server what its users ask, about what it has stored.

use crate::bench::{Expect, Kind, Latencies, Percentiles, Question, Server, Stored, Usage};
use crate::client::Client;
use crate::command_line::BenchQuery;
use crate::failure::Failure;
use crate::terminal::{Output, Style, count, fitted, harmless};
use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

const MAX_ROUNDS: u64 = 100_000;
const NAME_WIDTH: usize = 34;

/// What was measured of one kind of question.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    question: String,
    rounds: u64,
    /// How many different questions were asked in turn.
    different: usize,
    latency_milliseconds: Percentiles,
    /// Of the server, for one question.
    processor_milliseconds: Option<f64>,
    /// Answers that a limit cut short: their latencies are those of less work.
    incomplete: u64,
    /// Answers that cannot be right.
    wrong: u64,
}

/// What an answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    Good,
    Incomplete,
    Wrong,
}

pub async fn run(arguments: BenchQuery, output: &Output) -> Result<(), Failure> {
    if !(1..=MAX_ROUNDS).contains(&arguments.rounds) {
        return Err(Failure::Usage("--rounds is a number from 1 to 100000".to_owned()));
    }
    let api = Client::new(&arguments.server.address)?;
    let server = Server::behind(api.url(), &api, arguments.pid, None).await?;
    let rounds = usize::try_from(arguments.rounds).unwrap_or(usize::MAX);
    let kinds = Stored::explore(&api).await?.kinds(rounds, arguments.seed);
    let bar = bar(kinds.len() as u64 * arguments.rounds);
    let mut all = Vec::new();
    for kind in &kinds {
        let measured = measure(&api, &server, kind, arguments.rounds, &bar).await?;
        if !arguments.json {
            bar.suspend(|| output.line(line(&measured, output)))?;
        }
        all.push(measured);
    }
    bar.finish_and_clear();
    if arguments.json {
        output.line(serde_json::to_string(&all).context("writing JSON")?)?;
    }
    match all.iter().map(|measured| measured.wrong).sum() {
        0 => Ok(()),
        wrong => Err(Failure::Failed(anyhow!("{} answers were wrong", count(wrong)))),
    }
}

async fn measure(
    api: &Client,
    server: &Server,
    kind: &Kind,
    rounds: u64,
    bar: &ProgressBar,
) -> Result<Measured, Failure> {
    let mut latencies = Latencies::default();
    let (mut incomplete, mut wrong, mut asked) = (0, 0, 0_u32);
    let before = server.usage();
    for question in kind.questions.iter().cycle().take(usize::try_from(rounds).unwrap_or(usize::MAX)) {
        let started = Instant::now();
        let worth = ask(api, question).await?;
        latencies.add(started.elapsed());
        incomplete += u64::from(worth == Worth::Incomplete);
        wrong += u64::from(worth == Worth::Wrong);
        asked += 1;
        bar.inc(1);
    }
    let each =
        |before: Usage, after: Usage| after.since(before).as_secs_f64() * 1e3 / f64::from(asked.max(1));
    Ok(Measured {
        question: kind.name.clone(),
        rounds,
        different: kind.questions.len(),
        latency_milliseconds: latencies.percentiles(),
        processor_milliseconds: before.zip(server.usage()).map(|(before, after)| each(before, after)),
        incomplete,
        wrong,
    })
}

async fn ask(api: &Client, question: &Question) -> Result<Worth, Failure> {
    let path: Vec<&str> = question.path.iter().map(String::as_str).collect();
    let answer = match question.expect {
        Expect::Traces | Expect::Values => api.get::<Value>(&path, &question.parameters).await,
        Expect::Skeleton | Expect::Missing => api.get_bytes(&path).await.map(|_| Value::Null),
    };
    match (answer, question.expect) {
        (Ok(answer), Expect::Traces) if answer["complete"] == false => Ok(Worth::Incomplete),
        (Ok(_), Expect::Traces | Expect::Values | Expect::Skeleton)
        | (Err(Failure::NotFound(_)), Expect::Missing) => Ok(Worth::Good),
        (Ok(_), Expect::Missing) | (Err(Failure::NotFound(_)), _) => Ok(Worth::Wrong),
        (Err(failure), _) => Err(failure),
    }
}

fn line(measured: &Measured, output: &Output) -> String {
    let processor = measured.processor_milliseconds.map(|ms| format!(", processor {ms:.2} ms"));
    let told = |number: u64, what: &str| {
        (number > 0).then(|| output.paint(Style::Bad, &format!(", {} {what}", count(number))))
    };
    format!(
        "{}  {}{}{}{}",
        fitted(&harmless(&measured.question), NAME_WIDTH),
        measured.latency_milliseconds.text(),
        processor.unwrap_or_default(),
        told(measured.incomplete, "cut short").unwrap_or_default(),
        told(measured.wrong, "wrong").unwrap_or_default(),
    )
}

/// Shown on terminals only.
fn bar(questions: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} questions, {eta} left");
    ProgressBar::new(questions).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
