//! What receivers met lately, for the page and `clew doctor`: the last events, and how the receivers fare.

use model::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Events that are kept.
const KEPT: usize = 200;
/// Characters of a summary or hint that are kept: they may come from outside.
const CHARACTERS: usize = 300;
/// Like events within this time of each other are one.
const BURST_NANOSECONDS: u64 = 1_000_000_000;
/// How long a refusal colours the receivers' health.
const HEALTH_NANOSECONDS: u64 = 30_000_000_000;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Stored,
    /// Nothing of it was kept, and sending it again does not help.
    Rejected,
    /// Nothing of it was kept; the sender should send it again later.
    Refused,
    /// It was kept, but the sender should change something.
    Hint,
}

/// How the receivers fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Ok,
    BackPressure,
    Rejecting,
}

/// One request, or one burst of like requests, that a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverEvent {
    /// Counts up from 1.
    pub number: u64,
    pub time: Timestamp,
    /// `OTLP/gRPC` or `OTLP/HTTP`.
    pub receiver: &'static str,
    pub outcome: Outcome,
    /// `POST /v1/trace → 404`.
    pub summary: String,
    /// How to mend it; empty when there is nothing to mend.
    pub hint: String,
    /// Items stored.
    pub items: u64,
}

/// The last events. Cheap to share: clones see the same events.
#[derive(Clone)]
pub struct Diagnostics {
    events: Arc<Mutex<VecDeque<ReceiverEvent>>>,
    last: watch::Sender<u64>,
}

impl Default for Diagnostics {
    fn default() -> Self {
        Self { events: Arc::default(), last: watch::Sender::new(0) }
    }
}

impl Diagnostics {
    fn lock(&self) -> MutexGuard<'_, VecDeque<ReceiverEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what became of a request. A burst of like requests is one event whose items add up.
    pub fn note(&self, receiver: &'static str, outcome: Outcome, summary: &str, hint: &str, items: u64) {
        let (time, summary, hint) = (Timestamp::now(), tame(summary), tame(hint));
        let mut events = self.lock();
        let like = |event: &&mut ReceiverEvent| {
            event.receiver == receiver
                && event.outcome == outcome
                && event.summary == summary
                && event.hint == hint
        };
        let recent = events.iter_mut().rev().take(8).find(like);
        if let Some(event) = recent.filter(|event| time.0.saturating_sub(event.time.0) < BURST_NANOSECONDS) {
            event.items += items;
            return;
        }
        let number = *self.last.borrow() + 1;
        events.push_back(ReceiverEvent { number, time, receiver, outcome, summary, hint, items });
        if events.len() > KEPT {
            events.pop_front();
        }
        self.last.send_replace(number);
    }

    /// The events with a number above `after`, oldest first.
    #[must_use]
    pub fn events_after(&self, after: u64) -> Vec<ReceiverEvent> {
        self.lock().iter().filter(|event| event.number > after).cloned().collect()
    }

    /// Waits until there is an event with a number above `after`.
    pub async fn event_after(&self, after: u64) {
        let mut last = self.last.subscribe();
        if last.wait_for(|number| *number > after).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Rejecting while requests are refused for what they are, back-pressure while they are refused for lack of room.
    #[must_use]
    pub fn health(&self) -> Health {
        let since = Timestamp::now().0.saturating_sub(HEALTH_NANOSECONDS);
        let events = self.lock();
        let recent = || events.iter().rev().filter(|event| event.time.0 >= since);
        if recent().any(|event| event.outcome == Outcome::Refused) {
            Health::BackPressure
        } else if recent().any(|event| event.outcome == Outcome::Rejected) {
            Health::Rejecting
        } else {
            Health::Ok
        }
    }
}

/// Text from outside, without control characters and of bounded length.
fn tame(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(CHARACTERS)
        .collect()
}
