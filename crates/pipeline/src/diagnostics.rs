//! What receivers met lately, for the page and `clew doctor`: the last events, and how the receivers fare.

mod tally;

pub use tally::Counts;

use model::{Signal, Timestamp};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tally::Tally;
use tokio::sync::watch;

/// Events that are kept.
const KEPT: usize = 200;
/// Characters of a summary or hint that are kept: they may come from outside.
const CHARACTERS: usize = 300;
/// Like events within this time of each other are one.
const BURST_NANOSECONDS: u64 = 1_000_000_000;
/// How many events back a burst may have begun: several senders alternate.
const LOOKED_AT: usize = 16;
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
    /// Requests of the burst.
    pub requests: u64,
}

/// The last events, and counts. Cheap to share: clones see the same.
#[derive(Clone)]
pub struct Diagnostics {
    inner: Arc<Mutex<Inner>>,
    last: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    events: VecDeque<ReceiverEvent>,
    tallies: [Tally; Signal::ALL.len()],
    /// When a request was last refused for what it was, and for lack of room. Kept apart from the events, which a
    /// burst of others may push out.
    last_rejected: Timestamp,
    last_refused: Timestamp,
}

impl Default for Diagnostics {
    fn default() -> Self {
        Self { inner: Arc::default(), last: watch::Sender::new(0) }
    }
}

impl Diagnostics {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what became of a request. A burst of like requests is one event whose items add up.
    pub fn note(&self, receiver: &'static str, outcome: Outcome, summary: &str, hint: &str, items: u64) {
        self.note_at(Timestamp::now(), receiver, outcome, [summary, hint], items);
    }

    fn note_at(
        &self,
        time: Timestamp,
        receiver: &'static str,
        outcome: Outcome,
        texts: [&str; 2],
        items: u64,
    ) {
        let [summary, hint] = texts.map(tame);
        let mut inner = self.lock();
        match outcome {
            Outcome::Rejected => inner.last_rejected = time,
            Outcome::Refused => inner.last_refused = time,
            Outcome::Stored | Outcome::Hint => {}
        }
        let like = |event: &&mut ReceiverEvent| {
            event.receiver == receiver
                && event.outcome == outcome
                && event.summary == summary
                && event.hint == hint
        };
        let recent = inner.events.iter_mut().rev().take(LOOKED_AT).find(like);
        if let Some(event) = recent.filter(|event| time.0.saturating_sub(event.time.0) < BURST_NANOSECONDS) {
            event.items += items;
            event.requests += 1;
            return;
        }
        let number = *self.last.borrow() + 1;
        inner.events.push_back(ReceiverEvent {
            number,
            time,
            receiver,
            outcome,
            summary,
            hint,
            items,
            requests: 1,
        });
        if inner.events.len() > KEPT {
            inner.events.pop_front();
        }
        // Still under the lock, so that numbers are in order.
        self.last.send_replace(number);
    }

    /// Counts a request and its items.
    pub fn count(&self, signal: Signal, taken: bool, accepted: u64, rejected: u64) {
        self.lock().tallies[index(signal)].add(Timestamp::now(), taken, accepted, rejected);
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counts(&self, signal: Signal) -> Counts {
        self.lock().tallies[index(signal)].counts
    }

    /// Items taken in per second, over the last ten whole seconds.
    #[must_use]
    pub fn per_second(&self, signal: Signal) -> f64 {
        self.lock().tallies[index(signal)].per_second(Timestamp::now())
    }

    /// The events with a number above `after`, oldest first.
    #[must_use]
    pub fn events_after(&self, after: u64) -> Vec<ReceiverEvent> {
        self.lock().events.iter().filter(|event| event.number > after).cloned().collect()
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
        self.health_at(Timestamp::now())
    }

    fn health_at(&self, now: Timestamp) -> Health {
        let inner = self.lock();
        let recent = |last: Timestamp| last.0 > 0 && now.0.saturating_sub(last.0) < HEALTH_NANOSECONDS;
        if recent(inner.last_refused) {
            Health::BackPressure
        } else if recent(inner.last_rejected) {
            Health::Rejecting
        } else {
            Health::Ok
        }
    }
}

const fn index(signal: Signal) -> usize {
    match signal {
        Signal::Traces => 0,
        Signal::Logs => 1,
        Signal::Metrics => 2,
    }
}

/// Text from outside, of bounded length, and without characters that would change how the text around it reads.
fn tame(text: &str) -> String {
    let unruly = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|character| if unruly(character) { ' ' } else { character }).take(CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::{Diagnostics, Health, KEPT, Outcome};
    use model::{Signal, Timestamp};
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    const SECOND: u64 = 1_000_000_000;
    const START: u64 = 1_000 * SECOND;

    fn note(diagnostics: &Diagnostics, time: u64, outcome: Outcome, summary: &str) {
        diagnostics.note_at(Timestamp(time), "OTLP/HTTP", outcome, [summary, ""], 2);
    }

    #[test]
    fn bursts_are_one_event() {
        let diagnostics = Diagnostics::default();
        for request in 0..1_000 {
            note(&diagnostics, START + request * SECOND / 1_000, Outcome::Stored, "POST /v1/traces → 200");
        }
        note(&diagnostics, START, Outcome::Rejected, "POST /v1/trace → 404");
        note(&diagnostics, START + SECOND, Outcome::Stored, "POST /v1/traces → 200");
        let events = diagnostics.events_after(0);
        let seen: Vec<_> = events.iter().map(|event| (event.number, event.requests, event.items)).collect();
        assert_eq!(seen, [(1, 1_000, 2_000), (2, 1, 2), (3, 1, 2)]);
        assert_eq!(diagnostics.events_after(2).len(), 1);
    }

    #[test]
    fn the_last_events_are_kept_and_tamed() {
        let diagnostics = Diagnostics::default();
        for number in 0..KEPT + 50 {
            note(
                &diagnostics,
                START,
                Outcome::Rejected,
                &format!("GET /{number}\n\u{202e}{}", "x".repeat(999)),
            );
        }
        let events = diagnostics.events_after(0);
        assert_eq!((events.len(), events[0].number), (KEPT, 51));
        let tame = |text: &str| text.chars().count() == 300 && text.starts_with("GET /50  x");
        assert!(tame(&events[0].summary), "{}", events[0].summary);
    }

    #[test]
    fn health_follows_the_last_half_minute() {
        let diagnostics = Diagnostics::default();
        let check = |seconds: u64, expect: Health| {
            assert_eq!(diagnostics.health_at(Timestamp(START + seconds * SECOND)), expect, "{seconds}");
        };
        check(0, Health::Ok);
        note(&diagnostics, START + 10 * SECOND, Outcome::Rejected, "POST /v1/trace → 404");
        check(10, Health::Rejecting);
        note(&diagnostics, START + 5 * SECOND, Outcome::Refused, "POST /v1/traces → 429");
        check(11, Health::BackPressure);
        check(36, Health::Rejecting);
        check(41, Health::Ok);
    }

    #[test]
    fn waiting_ends_with_the_next_event() {
        let diagnostics = Diagnostics::default();
        note(&diagnostics, START, Outcome::Stored, "first");
        let mut context = Context::from_waker(Waker::noop());
        let mut waiting = pin!(diagnostics.event_after(1));
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
        note(&diagnostics, START, Outcome::Stored, "second");
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Ready(()));
    }

    #[test]
    fn counts_are_by_signal() {
        let diagnostics = Diagnostics::default();
        diagnostics.count(Signal::Traces, true, 5, 1);
        diagnostics.count(Signal::Traces, false, 0, 0);
        let counts = diagnostics.counts(Signal::Traces);
        assert_eq!(
            (counts.requests, counts.refused_requests, counts.accepted, counts.rejected),
            (1, 1, 5, 1)
        );
        assert_eq!(diagnostics.counts(Signal::Logs).requests, 0);
    }
}
