//! The subscriber: takes tasks, works on them, and sends back what came of it.

use crate::connection::Broker;
use crate::error::Error;
use crate::event::Event;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::spans;
use crate::tasks::{self, Failure, Results};
use clap::Args;
use clew_sdk::Span;
use clew_sdk::opentelemetry::trace::SpanKind;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

/// What it is called in telemetry.
pub(crate) const SERVICE: &str = "agenthub-subscriber";

/// How long a result is tried to be sent, and an acknowledgement.
const DELIVERY: Duration = Duration::from_secs(30);
/// How long tasks that are under way may go on after the shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// The subscriber's settings.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where the broker is.
    #[arg(long, default_value = "http://127.0.0.1:50051")]
    broker: String,
    /// Where /health, /ready and /metrics are.
    #[arg(long, default_value = "127.0.0.1:8082")]
    health: SocketAddr,
    /// Whose tasks it takes.
    #[arg(long, default_value = "agent_demo_subscriber")]
    agent: String,
    /// How many tasks it works on at a time.
    #[arg(long, default_value_t = 16)]
    concurrency: u32,
    /// The directory where results are kept.
    #[arg(long, default_value = "agenthub-results")]
    data: PathBuf,
}

/// Until the shutdown, and the end of the tasks that are under way.
pub(crate) async fn run(arguments: Arguments, shutdown: CancellationToken) -> Result<(), Error> {
    let metrics = Metrics::new(SERVICE)?;
    let broker = Broker::new(&arguments.broker, metrics.clone())?;
    let health =
        Health { service: SERVICE, check: "broker", condition: broker.condition(), metrics: metrics.clone() };
    let (sender, events) = mpsc::channel(1);
    let results = Results::open(&arguments.data)?;
    let worker = Worker { broker: broker.clone(), metrics, results };
    let subscription = broker.subscribe(&arguments.agent, arguments.concurrency, sender);
    let work = async {
        // The subscription lasts until the last task is answered: its end would have others do them again.
        tokio::select! { () = worker.work(events, shutdown.clone()) => {}, () = subscription => {} }
        Ok(())
    };
    tokio::try_join!(health.serve(arguments.health, shutdown.clone()), work).map(|_| ())
}

/// What works on tasks needs.
#[derive(Debug, Clone)]
struct Worker {
    broker: Broker,
    metrics: Metrics,
    results: Results,
}

impl Worker {
    async fn work(&self, mut events: mpsc::Receiver<Event>, shutdown: CancellationToken) {
        let mut under_way = JoinSet::new();
        let mut known = HashSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(done) = under_way.join_next() => forget(&mut known, done),
                Some(event) = events.recv() => {
                    // The broker hands out again what it had handed out over a connection that was lost.
                    if known.insert(event.event_id.clone()) {
                        under_way.spawn(self.clone().handle(event));
                    }
                }
            }
        }
        let rest = async { while under_way.join_next().await.is_some() {} };
        if time::timeout(GRACE, rest).await.is_err() {
            tracing::warn!("tasks were left unfinished; the broker hands them out again");
        }
    }

    /// Gives the event's id when all is done with it.
    async fn handle(self, event: Event) -> String {
        let began = Instant::now();
        let consumed = consume(&event);
        let process = tasks::begin(&event, consumed.context());
        let results = self.results.clone();
        let (outcome, afterwards) = process.clone().run(perform(&event, &process, results)).await;
        let error = outcome.as_ref().err().map(Failure::error_type);
        self.metrics.processed(&event.event_type, &event.from_agent, began.elapsed(), error);
        self.publish_result(&event, outcome, &process).await;
        // What goes on afterwards is of a task that is answered; were it lost, nobody would do it again.
        if let Some(afterwards) = afterwards {
            afterwards.await;
        }
        let acknowledging = self.broker.acknowledge(&event, DELIVERY);
        if let Err(status) = clew_sdk::within(consumed.context().clone(), acknowledging).await {
            tracing::warn!(code = ?status.code(), event.event_id, "the broker keeps an event that is done");
        }
        event.event_id
    }

    async fn publish_result(&self, task: &Event, outcome: Outcome, process: &Span) {
        let status = match &outcome {
            Ok(_) => "success",
            Err(failure) => failure.status(),
        };
        let outcome = outcome.map_err(|failure| (failure.error_type(), failure.to_string()));
        let mut event = task.answered_by(status, outcome, process.context());
        let start = spans::below(process.context(), SERVICE, "publish_result").kind(SpanKind::Producer);
        let start = event.describe(start).set("messaging.operation", "publish");
        let span = start.set("result.status", status).start();
        event.carry(span.context());
        let publishing = span.clone().run(async {
            match self.broker.publish(event, DELIVERY).await {
                Ok(()) => {
                    span.succeed();
                    tracing::info!(task_id = task.task_id, status, "result published");
                }
                Err(refused) => {
                    span.fail(format!("{:?}", refused.code()), refused.message().to_owned());
                    tracing::error!(task_id = task.task_id, code = ?refused.code(), "no result published");
                }
            }
        });
        publishing.await;
    }
}

fn forget(known: &mut HashSet<String>, done: Result<String, tokio::task::JoinError>) {
    match done {
        Ok(id) => {
            known.remove(&id);
        }
        Err(error) => tracing::error!(%error, "a task's handler ended without an answer"),
    }
}

/// The span of taking the event, below the broker's routing of it.
fn consume(event: &Event) -> Span {
    let start = event.continued_by(SERVICE, "consume_event").kind(SpanKind::Consumer);
    let start = event.describe(start).set("messaging.operation", "receive");
    let start = start.set("messaging.source", event.from_agent.clone());
    let span = start.set("messaging.redeliveries", i64::from(event.redeliveries)).start();
    let active = span.enter();
    if event.context().is_none() {
        tracing::warn!(event_id = event.event_id, "the event has no trace context, a new trace begins");
    }
    tracing::info!(event_id = event.event_id, event_type = event.event_type, "event received");
    drop(active);
    span.succeed();
    span.end();
    span
}

type Outcome = Result<Map<String, Value>, Failure>;

/// Works on the task while there is time, and says in its span how that went.
async fn perform(event: &Event, process: &Span, results: Results) -> (Outcome, Option<tasks::Afterwards>) {
    let work = tasks::perform(event, results);
    let done = match event.time_left() {
        None => work.await,
        Some(left) => match time::timeout(left, work).await {
            Ok(done) => done,
            Err(_) => Err(Failure::Timeout),
        },
    };
    match done {
        Ok(done) => {
            process.set("processing.status", "completed");
            process.succeed();
            tracing::info!(task_id = event.task_id, "task completed");
            (Ok(done.result), done.afterwards)
        }
        Err(failure) => {
            process.set("processing.status", failure.status());
            tasks::fail(process, &failure);
            tracing::error!(task_id = event.task_id, error = %failure, "task failed");
            (Err(failure), None)
        }
    }
}
