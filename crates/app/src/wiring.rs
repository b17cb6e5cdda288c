//! Fits the crates together: makes every component and says which of them hears of which.

use crate::config::{Config, Sampling, Share};
use crate::listening::Listeners;
use crate::memory::{self, Shares};
use crate::prices_file;
use crate::status::Running;
use crate::supervisor::{Stage, Supervisor};
use async_trait::async_trait;
use model::{Batch, Kind, TenantId, TraceId};
use pipeline::otlp::Port;
use pipeline::{AgentEvents, Diagnostics, Door, ExportError, Exporter, Intake, Limits, Places};
use query::Expression;
use server::Ports;
use server::ports::{Deleted, Deletion};
use std::sync::Arc;
use std::time::Duration;
use storage::Storage;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Telemetry is refused while less than this is free on the disk, so that there is room to seal what was taken in.
const MIN_FREE_BYTES: u64 = 256_000_000;
/// So many requests of the largest size may be worked on at once.
const LARGEST_REQUESTS_AT_ONCE: usize = 4;
/// How long answers may take to end once the page's port closes. Live streams never end by themselves.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// What the process has for its ports.
pub struct Means {
    /// How many connections there may be.
    pub connections: usize,
    /// The runtime that questions are answered on: what they hold of its threads, intake never waits for.
    pub questions: Handle,
}

/// Opens the store and makes all components, not yet started. To be called on the runtime of intake.
pub async fn wire(config: &Config, listeners: Listeners, means: Means) -> anyhow::Result<Supervisor> {
    let prices = prices_file::table(config.prices.file.as_deref())?;
    let shares = shares(config);
    let options =
        storage::Options { seal_bytes: shares.seal, hot_limit_bytes: shares.hot, ..storage_options(config)? };
    let storage = Storage::open(options).await?;
    let engine =
        engine::open(storage.clone(), prices, engine::EngineOptions { memory_bytes: shares.questions })?;
    let stores = Arc::new(StorageExporter { storage: storage.clone() });
    let exporter: Arc<dyn Exporter> = Arc::new(AgentEvents::new(stores));
    let diagnostics = Diagnostics::default();
    let intake = Arc::new(Intake::new(
        Arc::clone(&exporter),
        limits(config, shares),
        diagnostics.clone(),
        Handle::current(),
    ));
    let receivers_stop = CancellationToken::new();
    let application = Running::new(
        config,
        storage.clone(),
        listeners.addresses()?,
        diagnostics.clone(),
        exporter,
        receivers_stop.clone(),
    );
    let deletion = Arc::new(StorageDeletion { storage: storage.clone() });
    let ports = Ports { engine, application: Arc::new(application), deletion };
    let prometheus = server::prometheus_router(ports.clone(), config.query.allowed_hosts.clone());
    let page = server::router(ports, config.query.allowed_hosts.clone())
        .merge(pipeline::otlp::page_router(Arc::clone(&intake)));

    let mut supervisor = Supervisor::default();
    supervisor.add("storage", Stage::Stores, |stop| async move { Ok(storage.run(stop).await?) });
    let [grpc_places, http_places, page_places, prometheus_places] = Places::divided(means.connections);
    let door = |name, router, places| Door { name, router, diagnostics: diagnostics.clone(), places };
    let receivers =
        [("OTLP/gRPC", listeners.otlp_grpc, grpc_places), ("OTLP/HTTP", listeners.otlp_http, http_places)];
    for (name, listener, places) in receivers {
        let router = pipeline::otlp::router(Port { intake: Arc::clone(&intake), name });
        let (door, receivers_stop) = (door(name, router, places), receivers_stop.clone());
        supervisor.add(name, Stage::Doors, move |stop| async move {
            let _stopping = receivers_stop.drop_guard();
            Ok(pipeline::serve(listener, door, stop).await?)
        });
    }
    if let Some(listener) = listeners.prometheus {
        let door = door("Prometheus", prometheus, prometheus_places);
        let serve = |stop| serve_answers(listener, door, stop);
        supervisor.add_on(&means.questions, "Prometheus' API", Stage::Doors, serve);
    }
    let door = door("page", page, page_places);
    let serve = |stop| serve_answers(listeners.query, door, stop);
    supervisor.add_on(&means.questions, "page and API", Stage::Doors, serve);
    Ok(supervisor)
}

async fn serve_answers(listener: TcpListener, door: Door, stop: CancellationToken) -> anyhow::Result<()> {
    let serving = pipeline::serve(listener, door, stop.clone());
    tokio::select! {
        ended = serving => Ok(ended?),
        () = async { stop.cancelled().await; tokio::time::sleep(ANSWER_TIME).await } => Ok(()),
    }
}

/// What may be kept in memory: what is set, or less in a small container.
fn shares(config: &Config) -> Shares {
    let request_bytes = config.limits.request_bytes.in_memory();
    let in_flight = request_bytes.saturating_mul(LARGEST_REQUESTS_AT_ONCE) as u64;
    memory::shares(Shares {
        questions: memory::questions(),
        hot: config.storage.hot_limit.0,
        seal: config.storage.seal_bytes.0,
        in_flight,
    })
}

fn limits(config: &Config, shares: Shares) -> Limits {
    let in_flight_bytes = usize::try_from(shares.in_flight).unwrap_or(usize::MAX);
    Limits { request_bytes: config.limits.request_bytes.in_memory().min(in_flight_bytes), in_flight_bytes }
}

pub fn storage_options(config: &Config) -> anyhow::Result<storage::Options> {
    let settings = &config.storage;
    Ok(storage::Options {
        directory: settings.directory.clone(),
        blocks_url: settings.blocks_url.clone(),
        max_age: settings.max_age.0,
        of_signal: std::array::from_fn(|signal| storage::Limits {
            max_age: settings.signal_max_age[signal].map(|age| age.0),
            max_bytes: settings.signal_max_bytes[signal].map(|bytes| bytes.0),
        }),
        max_bytes: settings.max_bytes.0,
        seal_bytes: settings.seal_bytes.0,
        seal_age: settings.seal_age.0,
        hot_limit_bytes: settings.hot_limit.0,
        min_free_bytes: MIN_FREE_BYTES,
        sampling: config.sampling.rest.map(|rest| sampling(&config.sampling, rest)).transpose()?,
    })
}

/// Which traces storage keeps: it does not know filters.
fn sampling(settings: &Sampling, rest: Share) -> anyhow::Result<storage::Sampling> {
    let filter = match settings.keep.as_str() {
        "" => Expression::Or(Vec::new()),
        keep => query::filter::parse(keep)?,
    };
    let keeps = Arc::new(engine::span_test(filter));
    Ok(storage::Sampling { wait: settings.wait.0, rest: rest.as_f64(), keeps })
}

/// Storage, as those see it who want something gone.
struct StorageDeletion {
    storage: Storage,
}

#[async_trait]
impl Deletion for StorageDeletion {
    async fn delete_trace(&self, tenant: &TenantId, trace: TraceId) -> Result<Deleted, (Kind, String)> {
        told(self.storage.delete_trace(tenant, trace).await)
    }

    async fn delete_everything(&self, tenant: &TenantId) -> Result<Deleted, (Kind, String)> {
        told(self.storage.delete_everything(tenant).await)
    }
}

fn told(deleted: Result<storage::Deleted, storage::Error>) -> Result<Deleted, (Kind, String)> {
    let storage::Deleted { spans, log_records, metric_points } =
        deleted.map_err(|error| (error.kind(), error.to_string()))?;
    Ok(Deleted { spans, log_records, metric_points })
}

/// Storage, as the receivers see it.
struct StorageExporter {
    storage: Storage,
}

#[async_trait]
impl Exporter for StorageExporter {
    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        self.storage.append(batch).await.map_err(|error| {
            let kind = error.kind();
            // A full buffer empties within a second; a full or failing disk waits for a person.
            let seconds = if kind == model::Kind::Busy { 1 } else { 5 };
            ExportError { kind, message: error.to_string(), retry_after: Duration::from_secs(seconds) }
        })
    }
}
