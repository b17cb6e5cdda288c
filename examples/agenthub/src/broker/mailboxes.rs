//! Which events wait for which agent, and which it is working on.
//! An event that an agent has, and does not acknowledge before its connection ends, waits for it again.

use crate::event::Event;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Events that may be kept for one agent; more are refused until it has worked some off.
const CAPACITY: usize = 10_000;

/// Why an event was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is kept already: sending again changes nothing.
    Known,
    /// The agent has too many.
    Full,
}

/// The mailboxes of all agents.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    boxes: HashMap<String, Mailbox>,
    subscriptions: u64,
}

#[derive(Debug, Default)]
struct Mailbox {
    /// Of all events here, and of those that are on their way to the disk.
    ids: HashSet<String>,
    waiting: VecDeque<Event>,
    /// Events that a subscription has, by their ids.
    handed_out: HashMap<String, (u64, Event)>,
    changed: Arc<Notify>,
}

impl Mailboxes {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves no mailbox half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for an event that is about to be kept on disk.
    pub(crate) fn reserve(&self, event: &Event) -> Result<(), Refused> {
        let mut state = self.state();
        let mailbox = state.boxes.entry(event.to_agent.clone()).or_default();
        if mailbox.ids.contains(&event.event_id) {
            return Err(Refused::Known);
        }
        if mailbox.ids.len() >= CAPACITY {
            return Err(Refused::Full);
        }
        mailbox.ids.insert(event.event_id.clone());
        Ok(())
    }

    /// Gives the place back: the event could not be kept.
    pub(crate) fn release(&self, event: &Event) {
        if let Some(mailbox) = self.state().boxes.get_mut(&event.to_agent) {
            mailbox.ids.remove(&event.event_id);
        }
    }

    /// The event is on disk, and may be handed out.
    pub(crate) fn put(&self, event: Event) {
        let mut state = self.state();
        let mailbox = state.boxes.entry(event.to_agent.clone()).or_default();
        mailbox.ids.insert(event.event_id.clone());
        mailbox.waiting.push_back(event);
        mailbox.changed.notify_waiters();
    }

    /// Whether this event is kept for the agent; then it is forgotten. It may wait again: the agent's connection, or this
    /// broker, may have been lost while the agent worked on it.
    pub(crate) fn acknowledge(&self, agent: &str, event_id: &str) -> bool {
        let mut state = self.state();
        let Some(mailbox) = state.boxes.get_mut(agent) else { return false };
        let known = mailbox.ids.remove(event_id);
        if mailbox.handed_out.remove(event_id).is_none() {
            mailbox.waiting.retain(|event| event.event_id != event_id);
        }
        mailbox.changed.notify_waiters();
        known
    }

    /// How many events are kept for each agent.
    pub(crate) fn sizes(&self) -> Vec<(String, usize)> {
        self.state().boxes.iter().map(|(agent, mailbox)| (agent.clone(), mailbox.ids.len())).collect()
    }

    /// Lets an agent have its events, so many at a time.
    pub(crate) fn subscribe(self: &Arc<Self>, agent: &str, in_flight: usize) -> Subscription {
        let mut state = self.state();
        state.subscriptions += 1;
        let number = state.subscriptions;
        let changed = Arc::clone(&state.boxes.entry(agent.to_owned()).or_default().changed);
        drop(state);
        Subscription { mailboxes: Arc::clone(self), agent: agent.to_owned(), number, in_flight, changed }
    }
}

/// An agent that takes its events. What it has not acknowledged when this is dropped waits for it again.
#[derive(Debug)]
pub(crate) struct Subscription {
    mailboxes: Arc<Mailboxes>,
    agent: String,
    number: u64,
    in_flight: usize,
    changed: Arc<Notify>,
}

impl Subscription {
    /// The next event, once there is one.
    pub(crate) async fn next(&self) -> Event {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(event) = self.take() {
                return event;
            }
            changed.await;
        }
    }

    fn take(&self) -> Option<Event> {
        let mut state = self.mailboxes.state();
        let mailbox = state.boxes.get_mut(&self.agent)?;
        let mine = mailbox.handed_out.values().filter(|(number, _)| *number == self.number).count();
        if mine >= self.in_flight {
            return None;
        }
        let event = mailbox.waiting.pop_front()?;
        mailbox.handed_out.insert(event.event_id.clone(), (self.number, event.clone()));
        Some(event)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.mailboxes.state();
        let Some(mailbox) = state.boxes.get_mut(&self.agent) else { return };
        let mine = mailbox.handed_out.extract_if(|_, (number, _)| *number == self.number);
        for (_, (_, mut event)) in mine.collect::<Vec<_>>() {
            event.redeliveries += 1;
            mailbox.waiting.push_front(event);
        }
        mailbox.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
