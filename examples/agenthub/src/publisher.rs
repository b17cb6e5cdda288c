//! The publisher: sends tasks, and waits for what comes of them.

use crate::connection::Broker;
use crate::error::Error;
use crate::event::{Event, RESULT};
use crate::health::{Condition, Health};
use crate::metrics::Metrics;
use crate::spans;
use clap::Args;
use clew_sdk::baggage;
use clew_sdk::opentelemetry::Context;
use clew_sdk::opentelemetry::trace::SpanKind;
use futures::stream::{self, StreamExt};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time;
use tokio_util::sync::CancellationToken;

/// What it is called in telemetry.
pub(crate) const SERVICE: &str = "agenthub-publisher";

/// How long past its deadline a task's result may take to arrive.
const ON_THE_WAY: Duration = Duration::from_secs(5);

const TYPES: &str = "greeting, math_calculation, random_number, slow_task, async_report or aggregate";

/// The publisher's settings.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Where the broker is.
    #[arg(long, default_value = "http://127.0.0.1:50051")]
    broker: String,
    /// Where /health, /ready and /metrics are while it runs.
    #[arg(long, default_value = "127.0.0.1:8081")]
    health: SocketAddr,
    /// Who sends. Publishers that run at the same time need names of their own: results come to a name.
    #[arg(long, default_value = "agent_demo_publisher")]
    agent: String,
    /// Who is to do it.
    #[arg(long, default_value = "agent_demo_subscriber")]
    to: String,
    /// The task's id. Of several tasks the number at its end is counted up.
    #[arg(long, default_value = "task_1")]
    task: String,
    #[arg(long = "type", default_value = "greeting", help = TYPES)]
    task_type: String,
    /// The task's parameters, as a JSON object.
    #[arg(long, default_value = r#"{"name":"Claude"}"#)]
    parameters: String,
    /// One task of each of four types instead, the last of which no one knows.
    #[arg(long)]
    demo: bool,
    /// How many tasks.
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// How many tasks are sent at a time.
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// How many tasks are sent a second at most.
    #[arg(long)]
    rate: Option<u32>,
    /// By when each must be done, in milliseconds from its sending.
    #[arg(long, default_value_t = 30_000)]
    deadline: u64,
    /// What all services of the request know of it, key=value; user.tier=premium is worked on with more care.
    #[arg(long)]
    baggage: Vec<String>,
    /// Does it again so many milliseconds after all is answered, until it is stopped.
    #[arg(long)]
    every: Option<u64>,
}

/// Until all tasks are answered, their time is over, or the shutdown.
pub(crate) async fn run(arguments: Arguments, shutdown: CancellationToken) -> Result<(), Error> {
    let metrics = Metrics::new(SERVICE)?;
    let broker = Broker::new(&arguments.broker, metrics.clone())?;
    let health =
        Health { service: SERVICE, check: "broker", condition: broker.condition(), metrics: metrics.clone() };
    let (sender, results) = mpsc::channel(1);
    let all_done = shutdown.child_token();
    let pages = health.serve(arguments.health, all_done.clone());
    let publisher =
        Publisher { baggage: pairs(&arguments.baggage)?, broker: broker.clone(), metrics, arguments };
    let in_flight = u32::try_from(publisher.arguments.concurrency).unwrap_or(u32::MAX);
    let agent = publisher.arguments.agent.clone();
    let subscription = broker.subscribe(&agent, in_flight, sender);
    let work = async {
        let done = tokio::select! {
            done = publisher.rounds(results) => done,
            () = subscription => Ok(()),
            () = shutdown.cancelled() => Ok(()),
        };
        all_done.cancel();
        done
    };
    tokio::try_join!(pages, work).map(|_| ())
}

/// `key=value` pairs.
fn pairs(pairs: &[String]) -> Result<Vec<(String, String)>, Error> {
    let pairs = pairs.iter().map(|pair| {
        let (key, value) = pair.split_once('=').ok_or_else(|| Error::Pair(pair.clone()))?;
        Ok((key.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

/// A task that is to be sent.
struct Task {
    id: String,
    task_type: String,
    parameters: Map<String, Value>,
}

struct Publisher {
    arguments: Arguments,
    baggage: Vec<(String, String)>,
    broker: Broker,
    metrics: Metrics,
}

impl Publisher {
    async fn rounds(&self, mut results: mpsc::Receiver<Event>) -> Result<(), Error> {
        loop {
            self.round(&mut results).await?;
            let Some(pause) = self.arguments.every else { return Ok(()) };
            time::sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn round(&self, results: &mut mpsc::Receiver<Event>) -> Result<(), Error> {
        let tasks = self.tasks()?;
        let published = tasks.len();
        let mut missing: HashSet<_> = tasks.iter().map(|task| task.id.clone()).collect();
        let limit = Duration::from_millis(self.arguments.deadline) + ON_THE_WAY;
        // Where results come has to be known before they come.
        let mut subscribed = self.broker.condition();
        if time::timeout(limit, subscribed.wait_for(|condition| *condition == Condition::Up)).await.is_err() {
            return Err(Error::Unanswered { missing: published, published });
        }
        let began = Instant::now();
        let sent: Mutex<HashMap<String, Instant>> = Mutex::default();
        let publishing = self.paced(tasks).for_each_concurrent(self.arguments.concurrency, |task| {
            sent.lock().unwrap_or_else(PoisonError::into_inner).insert(task.id.clone(), Instant::now());
            self.publish(task, published)
        });
        let mut took = Vec::new();
        let answering = async {
            // Several at a time: each is acknowledged, which takes the broker as long as its disk does.
            let received =
                stream::poll_fn(|context| results.poll_recv(context)).map(|result| self.receive(result));
            let mut received = received.buffer_unordered(self.arguments.concurrency.max(1));
            while !missing.is_empty() {
                let Some(task) = received.next().await else { return };
                if missing.remove(&task) {
                    let sent = sent.lock().unwrap_or_else(PoisonError::into_inner).remove(&task);
                    took.extend(sent.map(|sent| sent.elapsed()));
                }
            }
        };
        let both = async { tokio::join!(publishing, answering) };
        if time::timeout(limit, both).await.is_err() {
            tracing::error!(missing = missing.len(), "tasks were not answered in time");
        }
        tell(took, began.elapsed());
        if missing.is_empty() { Ok(()) } else { Err(Error::Unanswered { missing: missing.len(), published }) }
    }

    /// The tasks, no more of them a second than may be.
    fn paced(&self, tasks: Vec<Task>) -> impl stream::Stream<Item = Task> {
        let (began, rate) = (time::Instant::now(), self.arguments.rate);
        stream::iter((0_u32..).zip(tasks)).then(move |(index, task)| async move {
            if let Some(rate) = rate {
                time::sleep_until(began + Duration::from_secs(1) / rate.max(1) * index).await;
            }
            task
        })
    }

    fn tasks(&self) -> Result<Vec<Task>, Error> {
        if self.arguments.demo {
            return Ok(demo(&self.arguments.task));
        }
        let parameters: Map<_, _> =
            serde_json::from_str(&self.arguments.parameters).map_err(Error::Parameters)?;
        let ids = (0..self.arguments.count).map(|index| numbered(&self.arguments.task, index));
        let task_type = &self.arguments.task_type;
        Ok(ids.map(|id| Task { id, task_type: task_type.clone(), parameters: parameters.clone() }).collect())
    }

    async fn publish(&self, task: Task, batch_size: usize) {
        let batch_size = i64::try_from(batch_size).unwrap_or(i64::MAX);
        let within = Duration::from_millis(self.arguments.deadline);
        let mut event = Event {
            event_id: task.id.clone(),
            task_id: task.id,
            event_type: task.task_type,
            from_agent: self.arguments.agent.clone(),
            to_agent: self.arguments.to.clone(),
            deadline: Event::deadline_in(within),
            redeliveries: 0,
            payload: task.parameters,
            metadata: Map::from_iter([("batch_size".to_owned(), json!(batch_size))]),
        };
        let context = baggage::on(&Context::new(), self.baggage.clone());
        let start = spans::below(&context, SERVICE, "publish_event").kind(SpanKind::Producer);
        let start = event.describe(start).set("responder.agent", event.to_agent.clone());
        let start = start.set("messaging.operation", "publish").set("batch.size", batch_size);
        let span = start.start();
        event.carry(span.context());
        let publishing = span.clone().run(async {
            let task_id = event.task_id.clone();
            match self.broker.publish(event, within).await {
                Ok(()) => {
                    span.succeed();
                    tracing::info!(task_id, "task published");
                }
                Err(status) => {
                    span.fail(format!("{:?}", status.code()), status.message().to_owned());
                    tracing::error!(task_id, code = ?status.code(), "task not published");
                }
            }
        });
        publishing.await;
    }

    /// Gives the id of the task that this is the result of.
    async fn receive(&self, event: Event) -> String {
        let began = Instant::now();
        let start = event.continued_by(SERVICE, "receive_result").kind(SpanKind::Consumer);
        let start = event.describe(start).set("messaging.operation", "receive");
        let text = |key| event.payload.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let status = text("status");
        let span = start.set("result.status", status.clone()).start();
        let failed = (event.event_type == RESULT && status != "success").then(|| text("error_type"));
        let receiving = span.clone().run(async {
            if let Some(error_type) = &failed {
                span.set("error.message", text("error_message"));
                span.fail(error_type.clone(), text("error_message"));
                tracing::error!(
                    task_id = event.task_id,
                    status,
                    error = text("error_message"),
                    "task not done"
                );
            } else {
                span.succeed();
                let result = event.payload.get("result").map(Value::to_string).unwrap_or_default();
                tracing::info!(task_id = event.task_id, status, result, "result received");
            }
        });
        receiving.await;
        self.metrics.processed(&event.event_type, &event.from_agent, began.elapsed(), failed.as_deref());
        let acknowledging = self.broker.acknowledge(&event, ON_THE_WAY);
        if let Err(status) = clew_sdk::within(span.context().clone(), acknowledging).await {
            tracing::warn!(code = ?status.code(), "the broker keeps a result that was received");
        }
        event.task_id
    }
}

/// Says how long tasks took from their sending to their result.
fn tell(mut took: Vec<Duration>, within: Duration) {
    took.sort_unstable();
    let at =
        |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default().as_secs_f64() * 1e3;
    let (answered, seconds) = (took.len(), within.as_secs_f64());
    tracing::info!(answered, seconds, p50_ms = at(50), p99_ms = at(99), "tasks answered");
}

fn demo(id: &str) -> Vec<Task> {
    let tasks = [
        ("greeting", json!({"name": "Claude"})),
        ("math_calculation", json!({"a": 42, "b": 58})),
        ("random_number", json!({"seed": 12345})),
        ("unknown_task", json!({})),
    ];
    let tasks = (0..).zip(tasks).map(|(index, (task_type, parameters))| Task {
        id: numbered(id, index),
        task_type: task_type.to_owned(),
        parameters: parameters.as_object().cloned().unwrap_or_default(),
    });
    tasks.collect()
}

/// The id with the number at its end counted up: `task_123`, `task_124` …
fn numbered(id: &str, index: u64) -> String {
    let stem = id.trim_end_matches(|character: char| character.is_ascii_digit());
    let number = id.strip_prefix(stem).and_then(|digits| digits.parse::<u64>().ok());
    match number {
        Some(number) => format!("{stem}{}", number.saturating_add(index)),
        None if index == 0 => id.to_owned(),
        None => format!("{id}_{index}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_counted_up() {
        for (id, index, expected) in [
            ("task_123", 0, "task_123"),
            ("task_123", 2, "task_125"),
            ("task_99", 1, "task_100"),
            ("task", 0, "task"),
            ("task", 3, "task_3"),
        ] {
            assert_eq!(numbered(id, index), expected);
        }
    }
}
