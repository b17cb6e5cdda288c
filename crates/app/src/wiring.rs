//! Fits the crates together: makes every component and says which of them hears of which.

use crate::config::{Config, Sampling, Share};
use crate::disk;
use crate::listening::Listeners;
use crate::prices_file;
use crate::status::Running;
use crate::supervisor::{Stage, Supervisor};
use async_trait::async_trait;
use axum::Router;
use model::{Batch, Kind, TenantId, TraceId};
use pipeline::otlp::Port;
use pipeline::{AgentEvents, Diagnostics, ExportError, Exporter, Intake, Limits};
use query::Expression;
use server::Ports;
use server::ports::{Deleted, Deletion};
use std::sync::Arc;
use std::time::Duration;
use storage::Storage;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Telemetry is refused while less than this is free on the disk, so that there is room to seal what was taken in.
const MIN_FREE_BYTES: u64 = 256_000_000;
/// So many requests of the largest size may be worked on at once.
const LARGEST_REQUESTS_AT_ONCE: usize = 4;
/// How long answers may take to end once the page's port closes. Live streams never end by themselves.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Opens the store and makes all components, not yet started.
pub async fn wire(config: &Config, listeners: Listeners) -> anyhow::Result<Supervisor> {
    let prices = prices_file::table(config.prices.file.as_deref())?;
    let options = storage_options(config)?;
    let max_bytes = options.max_bytes;
    let storage = Storage::open(options).await?;
    let engine = engine::open(storage.clone(), prices, engine::EngineOptions::default())?;
    let stores = Arc::new(StorageExporter { storage: storage.clone() });
    let exporter: Arc<dyn Exporter> = Arc::new(AgentEvents::new(stores));
    let diagnostics = Diagnostics::default();
    let intake = Arc::new(Intake::new(Arc::clone(&exporter), limits(config), diagnostics.clone()));
    let receivers_stop = CancellationToken::new();
    let application = Running::new(
        config,
        max_bytes,
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
    let receivers = [("OTLP/gRPC", listeners.otlp_grpc), ("OTLP/HTTP", listeners.otlp_http)];
    for (name, listener) in receivers {
        let router = pipeline::otlp::router(Port { intake: Arc::clone(&intake), name });
        let (diagnostics, receivers_stop) = (diagnostics.clone(), receivers_stop.clone());
        supervisor.add(name, Stage::Doors, move |stop| async move {
            let _stopping = receivers_stop.drop_guard();
            Ok(pipeline::serve(listener, name, router, diagnostics, stop).await?)
        });
    }
    if let Some(listener) = listeners.prometheus {
        let diagnostics = diagnostics.clone();
        supervisor.add("Prometheus' API", Stage::Doors, |stop| {
            serve_answers((listener, "Prometheus"), prometheus, diagnostics, stop)
        });
    }
    supervisor.add("page and API", Stage::Doors, |stop| {
        serve_answers((listeners.query, "page"), page, diagnostics, stop)
    });
    Ok(supervisor)
}

async fn serve_answers(
    (listener, name): (TcpListener, &'static str),
    router: Router,
    diagnostics: Diagnostics,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let serving = pipeline::serve(listener, name, router, diagnostics, stop.clone());
    tokio::select! {
        ended = serving => Ok(ended?),
        () = async { stop.cancelled().await; tokio::time::sleep(ANSWER_TIME).await } => Ok(()),
    }
}

fn limits(config: &Config) -> Limits {
    let request_bytes = config.limits.request_bytes.in_memory();
    Limits { request_bytes, in_flight_bytes: request_bytes.saturating_mul(LARGEST_REQUESTS_AT_ONCE) }
}

fn storage_options(config: &Config) -> anyhow::Result<storage::Options> {
    let settings = &config.storage;
    Ok(storage::Options {
        directory: settings.directory.clone(),
        blocks_url: settings.blocks_url.clone(),
        max_age: settings.max_age.0,
        of_signal: std::array::from_fn(|signal| storage::Limits {
            max_age: settings.signal_max_age[signal].map(|age| age.0),
            max_bytes: settings.signal_max_bytes[signal].map(|bytes| bytes.0),
        }),
        max_bytes: disk::share(&settings.directory, settings.max_bytes.0, 2 * MIN_FREE_BYTES),
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
