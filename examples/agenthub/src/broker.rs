//! The broker: takes events, keeps them on disk, and hands each to the agent that it is for.

mod mailboxes;
mod queue;
mod router;
mod service;

use crate::error::Error;
use crate::health::{Condition, Health};
use crate::metrics::Metrics;
use crate::protocol::agent_hub_server::AgentHubServer;
use clap::Args;
use clew_sdk::opentelemetry::KeyValue;
use mailboxes::Mailboxes;
use queue::{Place, Queue};
use router::Router;
use service::Service;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// What it is called in telemetry.
pub(crate) const SERVICE: &str = "agenthub-broker";

/// The broker's settings.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where agents connect, with gRPC.
    #[arg(long, default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    /// Where /health, /ready and /metrics are.
    #[arg(long, default_value = "127.0.0.1:8080")]
    health: SocketAddr,
    /// The directory of the queue.
    #[arg(long, default_value = "agenthub-data")]
    data: PathBuf,
    #[arg(long, help = "Keeps the queue in a NATS server with JetStream instead, say nats://127.0.0.1:4222")]
    nats: Option<String>,
}

/// Until the shutdown.
pub(crate) async fn run(arguments: Arguments, shutdown: CancellationToken) -> Result<(), Error> {
    let metrics = Metrics::new(SERVICE)?;
    let (condition, watched) = watch::channel(Condition::Starting);
    let health = Health { service: SERVICE, check: "queue", condition: watched, metrics: metrics.clone() };
    let pages = health.serve(arguments.health, shutdown.clone());
    let place = arguments.nats.map_or(Place::Directory(arguments.data), Place::JetStream);
    let grpc = serve(arguments.listen, place, metrics, condition, shutdown);
    tokio::try_join!(pages, grpc).map(|_| ())
}

async fn serve(
    address: SocketAddr,
    place: Place,
    metrics: Metrics,
    condition: watch::Sender<Condition>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let listener = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    let (queue, events) = Queue::open(place).await?;
    let mailboxes = Arc::new(Mailboxes::default());
    tracing::info!(events = events.len(), address = %address, "the broker takes events");
    events.into_iter().for_each(|event| mailboxes.put(event));
    watch_queues(&metrics, &mailboxes);
    condition.send_replace(Condition::Up);
    let router = Router { queue: Arc::new(queue), mailboxes, metrics: metrics.clone() };
    let service = Service { router, metrics, shutdown: shutdown.clone() };
    Server::builder()
        .layer(clew_sdk::http::server_layer())
        .add_service(AgentHubServer::new(service))
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            shutdown.cancelled(),
        )
        .await
        .map_err(Error::ServeGrpc)
}

fn watch_queues(metrics: &Metrics, mailboxes: &Arc<Mailboxes>) {
    let mailboxes = Arc::clone(mailboxes);
    metrics.gauge("agenthub_queue_size", "Events that are kept for an agent", move || {
        let sizes = mailboxes.sizes().into_iter();
        #[expect(clippy::cast_precision_loss, reason = "a mailbox holds far fewer than 2^52 events")]
        let sizes = sizes.map(|(agent, size)| (size as f64, vec![KeyValue::new("queue", agent)]));
        sizes.collect()
    });
}
