//! What the running program says of itself to those who look at the page.

use crate::config::Config;
use crate::demo;
use crate::listening::Addresses;
use async_trait::async_trait;
use model::batch::Encoding;
use model::{Signal, TenantId, Timestamp, TraceId, otlp};
use pipeline::{Diagnostics, Exporter, Outcome};
use server::ports::{
    ApplicationStatus, Health, Problem, Receiver, ReceiverEvent, Retention, Sampling, Severity,
};
use std::sync::Arc;
use storage::Storage;
use tokio_util::sync::CancellationToken;

/// The running program.
pub struct Running {
    started: Timestamp,
    retention: Retention,
    sampling: Option<Sampling>,
    addresses: Addresses,
    diagnostics: Diagnostics,
    exporter: Arc<dyn Exporter>,
    storage: Storage,
    /// Cancelled when the receivers stop.
    stopping: CancellationToken,
}

impl Running {
    pub fn new(
        config: &Config,
        storage: Storage,
        addresses: Addresses,
        diagnostics: Diagnostics,
        exporter: Arc<dyn Exporter>,
        stopping: CancellationToken,
    ) -> Self {
        let max_bytes = config.storage.max_bytes.0;
        let retention = Retention { max_age: config.storage.max_age.to_string(), max_bytes };
        let sampling = config.sampling.rest.map(|rest| Sampling {
            rest: rest.as_f64(),
            keep: config.sampling.keep.clone(),
            wait: config.sampling.wait.to_string(),
        });
        let started = Timestamp::now();
        Self { started, retention, sampling, addresses, diagnostics, exporter, storage, stopping }
    }
}

#[async_trait]
impl ApplicationStatus for Running {
    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn started(&self) -> Timestamp {
        self.started
    }

    fn retention(&self) -> Retention {
        self.retention.clone()
    }

    fn sampling(&self) -> Option<Sampling> {
        self.sampling.clone()
    }

    fn receivers(&self) -> Vec<Receiver> {
        let accepting = !self.stopping.is_cancelled();
        let receiver =
            |name, address: std::net::SocketAddr| Receiver { name, address: address.to_string(), accepting };
        vec![receiver("OTLP/gRPC", self.addresses.otlp_grpc), receiver("OTLP/HTTP", self.addresses.otlp_http)]
    }

    fn health(&self) -> Health {
        match self.diagnostics.health() {
            pipeline::Health::Ok => Health::Ok,
            pipeline::Health::BackPressure => Health::BackPressure,
            pipeline::Health::Rejecting => Health::Rejecting,
        }
    }

    fn problems(&self) -> Vec<Problem> {
        self.storage.problems().into_iter().map(problem).collect()
    }

    fn receiver_events(&self, after: u64) -> Vec<ReceiverEvent> {
        self.diagnostics.events_after(after).into_iter().map(view).collect()
    }

    async fn receiver_event_after(&self, after: u64) {
        self.diagnostics.event_after(after).await;
    }

    async fn send_sample(&self) -> Result<TraceId, String> {
        let now = Timestamp::now();
        let run = demo::generate(now.0, now);
        let requests = [
            (Signal::Traces, otlp::encode_spans(&run.spans)),
            (Signal::Logs, otlp::encode_log_records(&run.logs)),
            (Signal::Metrics, otlp::encode_metric_points(&run.metrics)),
        ];
        for (signal, wire) in requests {
            let batch = otlp::decode(TenantId::default(), signal, Encoding::Protobuf, wire.into());
            let batch = batch.map_err(|error| error.to_string())?;
            self.exporter.export(batch).await.map_err(|error| error.message)?;
        }
        Ok(run.trace_id)
    }
}

fn problem(problem: storage::Problem) -> Problem {
    let severity = match problem.severity {
        storage::Severity::Notice => Severity::Notice,
        storage::Severity::Degraded => Severity::Degraded,
        storage::Severity::Failing => Severity::Failing,
    };
    Problem { kind: problem.kind, severity, message: problem.message }
}

fn view(event: pipeline::ReceiverEvent) -> ReceiverEvent {
    let outcome = match event.outcome {
        Outcome::Stored => "stored",
        Outcome::Rejected | Outcome::Refused => "rejected",
        Outcome::Hint => "hint",
    };
    ReceiverEvent {
        number: event.number,
        time: event.time,
        receiver: event.receiver,
        outcome,
        summary: event.summary,
        hint: event.hint,
        items: event.items,
    }
}
