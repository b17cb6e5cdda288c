//! Fits the crates together: storage as the receivers' exporter, the running program as the server's status.

use crate::config::Config;
use crate::disk;
use crate::listening::Listeners;
use crate::supervisor::{Stage, Supervisor};
use async_trait::async_trait;
use model::Batch;
use pipeline::{ExportError, Exporter};
use std::time::Duration;
use storage::Storage;

/// Telemetry is refused while less than this is free on the disk, so that there is room to seal what was taken in.
const MIN_FREE_BYTES: u64 = 256_000_000;

/// Opens the store and makes all components, not yet started.
pub async fn wire(config: &Config, listeners: Listeners) -> anyhow::Result<Supervisor> {
    let storage = Storage::open(storage_options(config)).await?;
    let mut supervisor = Supervisor::default();
    let store = storage.clone();
    supervisor.add("storage", Stage::Stores, move |stop| async move { Ok(store.run(stop).await?) });
    let _ = listeners;
    Ok(supervisor)
}

fn storage_options(config: &Config) -> storage::Options {
    let settings = &config.storage;
    storage::Options {
        directory: settings.directory.clone(),
        max_age: settings.max_age.0,
        max_bytes: disk::share(&settings.directory, settings.max_bytes.0, 2 * MIN_FREE_BYTES),
        seal_bytes: settings.seal_bytes.0,
        seal_age: settings.seal_age.0,
        hot_limit_bytes: settings.hot_limit.0,
        min_free_bytes: MIN_FREE_BYTES,
    }
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
