//! Publishes what is in the outbox, each message below the request that led to it.

use crate::bus::{Bus, Message};
use crate::error::Error;
use crate::store::{Store, Unpublished};
use std::time::Duration;
use tokio::sync::{Mutex, oneshot};

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

    /// Publishes until nothing is served any more, and then what the last requests left.
    pub async fn run(&self, mut served: oneshot::Receiver<()>) {
        let mut is_away = false;
        loop {
            let done = self.attempt(is_away).await;
            match &done {
                Err(error) if !is_away => tracing::error!(%error, "events wait in the outbox"),
                Ok(_) if is_away => tracing::info!("events are published again"),
                _ => (),
            }
            is_away = done.is_err();
            if served.is_terminated() {
                return;
            }
            tokio::select! {
                _ = &mut served => (),
                () = self.store.appended.notified() => (),
                () = tokio::time::sleep(PAUSE) => (),
            }
        }
    }

    /// A bus that is away is looked for before anything is sent: what cannot be sent is recorded once, not every second.
    async fn attempt(&self, is_away: bool) -> Result<usize, Error> {
        if is_away {
            self.bus.reached().await?;
        }
        self.drain().await
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
            for message in messages {
                self.publish(message).await?;
                published += 1;
            }
        }
    }

    async fn publish(&self, waiting: Unpublished) -> Result<(), Error> {
        let Unpublished { sequence, event, run, headers, body } = waiting;
        let mut message = Message { id: event, key: run, context: clew_sdk::extract(&headers), body };
        let span = self.bus.publish(&message).parent(&message.context).start();
        message.context = span.context().clone();
        span.clone()
            .run(async {
                let done = async {
                    self.bus.send(&message).await?.tell(&span);
                    self.store.published(sequence).await
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
