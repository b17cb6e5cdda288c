//! Publishes what is in the outbox, each message below the request that led to it.

use crate::bus::{Bus, EVENTS, SYSTEM};
use crate::error::Error;
use crate::store::{Store, Unpublished};
use crate::telemetry;
use clew_sdk::Start;
use std::time::Duration;
use tokio::sync::Mutex;

/// How often it looks without being told to.
const PAUSE: Duration = Duration::from_secs(1);
const BATCH: i64 = 100;

/// Takes messages from the outbox to the bus.
#[derive(Debug)]
pub struct Relay {
    store: Store,
    bus: Bus,
    /// One at a time: the API can be told to publish as well.
    turn: Mutex<()>,
}

impl Relay {
    pub fn new(store: Store, bus: Bus) -> Self {
        Self { store, bus, turn: Mutex::new(()) }
    }

    /// Publishes for as long as the process lives.
    pub async fn run(&self) -> Result<(), Error> {
        loop {
            if let Err(error) = self.drain().await {
                tracing::error!(%error, "events wait in the outbox");
            }
            // Either is fine: something was appended, or it is time to look.
            let _ = tokio::time::timeout(PAUSE, self.store.appended.notified()).await;
        }
    }

    /// Publishes what waits, and says how many that were.
    pub async fn drain(&self) -> Result<usize, Error> {
        let _turn = self.turn.lock().await;
        let mut published = 0;
        loop {
            let messages = self.store.unpublished(BATCH).await?;
            if messages.is_empty() {
                return Ok(published);
            }
            for message in &messages {
                self.publish(message).await?;
            }
            published += messages.len();
        }
    }

    async fn publish(&self, message: &Unpublished) -> Result<(), Error> {
        let origin = clew_sdk::extract(&message.headers);
        let start = described(clew_sdk::publish(SYSTEM, EVENTS), &message.event, &message.body);
        let span = start.parent(&origin).start();
        let headers = telemetry::headers_of(span.context());
        span.clone()
            .run(async {
                let done = async {
                    self.bus.send(EVENTS, &message.event, &headers, &message.body).await?;
                    self.store.published(message.sequence).await
                };
                let done = done.await;
                if let Err(error) = &done {
                    span.fail(error.kind(), error.to_string());
                }
                done
            })
            .await
    }
}

/// What is said of a message by whoever sends or receives it.
pub fn described(start: Start, id: &str, body: &str) -> Start {
    let size = i64::try_from(body.len()).unwrap_or(i64::MAX);
    let start = start.scope("aob.bus").set("messaging.destination_kind", "topic");
    start.set("messaging.message.id", id.to_owned()).set("messaging.message.body.size", size)
}
