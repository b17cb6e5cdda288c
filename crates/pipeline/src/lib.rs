//! How telemetry moves: receivers take it in, and hand each decoded request to an [`Exporter`].
//! Pipeline does not know what the exporter does with it; storage is one.

pub mod agent_events;
pub mod diagnostics;
pub mod intake;
pub mod otlp;
pub mod serve;

pub use agent_events::AgentEvents;
pub use diagnostics::{Diagnostics, Health, Outcome, ReceiverEvent};
pub use intake::{Intake, Limits};
pub use serve::{Door, Places, serve};

use async_trait::async_trait;
use model::{Batch, Kind};
use std::time::Duration;
use thiserror::Error;

/// Takes decoded requests. Returns only when the telemetry is as safe as this exporter makes it: storage has fsynced it.
#[async_trait]
pub trait Exporter: Send + Sync {
    /// # Errors
    /// When none of the batch was kept; receivers answer 429 or 503 with `Retry-After`.
    async fn export(&self, batch: Batch) -> Result<(), ExportError>;
}

/// Why a batch was not taken.
#[derive(Debug, Clone, Error)]
#[error("{message}")]
pub struct ExportError {
    /// [`Kind::Busy`] (too much at once) or [`Kind::Unavailable`] (a full or failing disk), else a bug.
    pub kind: Kind,
    /// What is full or broken, and what the operator can do.
    pub message: String,
    pub retry_after: Duration,
}
