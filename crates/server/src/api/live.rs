//! What happens now, as server-sent events: traces that changed, counts, what the receivers met.

use super::{status, traces};
use crate::api::State;
use crate::error::ApiError;
use crate::tenant::Tenant;
use axum::extract::State as From;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::HeaderMap;
use model::{Kind, TenantId, TraceId};
use query::result::Change;
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// The most listeners at once.
const LISTENERS: usize = 64;
/// The most traces of one event; of more, only the number is told.
const TRACES: usize = 50;
/// The most traces that are remembered between two events.
const KEPT: usize = 10_000;
/// However long summing up took, traces are told after this.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Events of a kind are at most this frequent.
const TICK: Duration = Duration::from_millis(250);

/// Room for listeners.
pub struct Listeners(Arc<Semaphore>);

impl Default for Listeners {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LISTENERS)))
    }
}

pub async fn events(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    let place = Arc::clone(&state.live.0).try_acquire_owned().map_err(|_| {
        ApiError::new(Kind::Unavailable, format!("{LISTENERS} pages are listening already; close one"))
    })?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let newest = state.ports.application.receiver_events(0).last().map_or(0, |event| event.number);
    // A number that is yet to come was given before a restart; then all of this run is news.
    let seen_event = last.map_or(newest, |last: u64| if last > newest { 0 } else { last });
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = Feed {
        changes: state.ports.engine.changes(),
        seen_event,
        state,
        tenant,
        ticks,
        tick: 0,
        changed: BTreeSet::new(),
        // Nobody noted what changed while the listener was away.
        untold: usize::from(last.is_some()),
        last_status: Value::Null,
        waiting: VecDeque::new(),
        rests_until: Instant::now(),
        _place: place,
    };
    let events = stream::unfold(feed, |mut feed| async {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// One listener.
struct Feed {
    state: State,
    tenant: TenantId,
    changes: BoxStream<'static, Option<Arc<Change>>>,
    ticks: Interval,
    tick: u64,
    changed: BTreeSet<TraceId>,
    /// Changes of traces that are not in `changed`: too many, or missed.
    untold: usize,
    seen_event: u64,
    last_status: Value,
    waiting: VecDeque<Event>,
    /// Traces are not told before: what took long is not done again at once.
    rests_until: Instant,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            // Ticks come first: however many changes there are, they are told in time.
            tokio::select! {
                biased;
                _ = self.ticks.tick() => self.look().await,
                change = self.changes.next() => self.note(change?.as_deref()),
            }
        }
    }

    /// A listener that was too slow has missed changes; it is told that there is more.
    fn note(&mut self, change: Option<&Change>) {
        let Some(change) = change else {
            self.untold += 1;
            return;
        };
        if change.tenant != self.tenant {
            return;
        }
        for trace in &change.traces {
            if self.changed.len() < KEPT {
                self.changed.insert(*trace);
            } else if !self.changed.contains(trace) {
                self.untold += 1;
            }
        }
    }

    async fn look(&mut self) {
        self.tick += 1;
        self.receiver_events();
        if (!self.changed.is_empty() || self.untold > 0) && Instant::now() >= self.rests_until {
            let started = Instant::now();
            self.traces().await;
            // However many listen and however large traces are, most of the time is left to others.
            let listeners = LISTENERS - self.state.live.0.available_permits().min(LISTENERS);
            let share = u32::try_from(8 * listeners).unwrap_or(u32::MAX);
            let now = Instant::now();
            self.rests_until = now + now.duration_since(started).saturating_mul(share).min(LONGEST_REST);
        }
        if self.tick % 4 == 1 {
            self.status().await;
        }
    }

    fn receiver_events(&mut self) {
        let events = self.state.ports.application.receiver_events(self.seen_event);
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        // Only the last events are kept: a listener that is too slow is told how many it missed.
        let missed = first.number.saturating_sub(self.seen_event + 1);
        self.seen_event = last.number;
        let views: Vec<_> = events.iter().map(status::event_view).collect();
        self.push("receiver.event", &json!({"events": views, "missed": missed}));
    }

    async fn traces(&mut self) {
        let changed: Vec<TraceId> = std::mem::take(&mut self.changed).into_iter().collect();
        let told = changed.get(..TRACES).unwrap_or(&changed);
        let mut more = std::mem::take(&mut self.untold) + changed.len() - told.len();
        let summaries = self.state.engine().summaries(&self.tenant, told).await;
        let summaries = summaries.unwrap_or_else(|error| {
            tracing::warn!(%error, "live traces could not be summed up");
            more += told.len();
            Vec::new().into()
        });
        let traces: Vec<_> = summaries.items.iter().map(traces::summary_view).collect();
        self.push("trace.upsert", &json!({"traces": traces, "more": more}));
    }

    async fn status(&mut self) {
        let Ok(status) = status::view(&self.state, &self.tenant).await else { return };
        if status != self.last_status {
            self.push("stats", &status);
            self.last_status = status;
        }
    }

    fn push(&mut self, name: &str, data: &Value) {
        self.waiting
            .push_back(Event::default().event(name).id(self.seen_event.to_string()).data(data.to_string()));
    }
}
