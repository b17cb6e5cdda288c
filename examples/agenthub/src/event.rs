//! What travels between agents: a task or its result, with the context of whoever sent it.

use crate::protocol;
use crate::structure;
use clew_sdk::Start;
use clew_sdk::opentelemetry::trace::TraceContextExt;
use clew_sdk::opentelemetry::{Context, global};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The type of events that answer a task.
pub(crate) const RESULT: &str = "task_result";

/// The key of the metadata under which the context travels.
const TRACE_HEADERS: &str = "trace_headers";

/// A task or a result. Its JSON is what the broker keeps on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) event_id: String,
    pub(crate) task_id: String,
    pub(crate) event_type: String,
    pub(crate) from_agent: String,
    pub(crate) to_agent: String,
    /// Milliseconds since 1970, by when the task must be done; 0 is whenever.
    #[serde(default)]
    pub(crate) deadline: u64,
    /// How often it was handed out before.
    #[serde(default)]
    pub(crate) redeliveries: u32,
    #[serde(default)]
    pub(crate) payload: Map<String, Value>,
    #[serde(default)]
    pub(crate) metadata: Map<String, Value>,
}

impl Event {
    /// Puts a context in, in place of the one that it had.
    pub(crate) fn carry(&mut self, context: &Context) {
        let mut headers = HashMap::new();
        global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut headers));
        let headers = headers.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        self.metadata.insert(TRACE_HEADERS.to_owned(), Value::Object(headers));
    }

    /// The names and values that the context is written in.
    pub(crate) fn trace_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.metadata.get(TRACE_HEADERS).and_then(Value::as_object);
        headers.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    /// The context that it came with.
    pub(crate) fn context(&self) -> Carried {
        let headers = self.trace_headers();
        let headers: HashMap<_, _> =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        // Not below whatever happens to be active here: what it came with, or nothing.
        let none = Context::new();
        let context = global::get_text_map_propagator(|all| all.extract_with_context(&none, &headers));
        if context.span().span_context().is_valid() {
            Carried::Whole(context)
        } else {
            Carried::Missing(context)
        }
    }

    /// Says of a span which event it is about.
    pub(crate) fn describe(&self, start: Start) -> Start {
        start
            .set("event.id", self.event_id.clone())
            .set("event.type", self.event_type.clone())
            .set("task.id", self.task_id.clone())
            .set("a2a.task.id", self.task_id.clone())
            .set("messaging.system", "agenthub")
            .set("messaging.destination.name", self.to_agent.clone())
            .set("messaging.message.id", self.event_id.clone())
    }

    /// How long there still is; nothing when there is no deadline.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (self.deadline > 0).then(|| Duration::from_millis(self.deadline).saturating_sub(now))
    }

    /// The moment that lies so far ahead, as a deadline.
    pub(crate) fn deadline_in(time: Duration) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from((now + time).as_millis()).unwrap_or(u64::MAX)
    }
}

/// The context that an event came with.
pub(crate) enum Carried {
    /// The sender's.
    Whole(Context),
    /// The event had no trace context: whoever goes on from here begins a trace, and says so.
    Missing(Context),
}

impl Carried {
    /// The context to go on from; without a trace, but perhaps with baggage, when that is missing.
    pub(crate) fn context(&self) -> &Context {
        let (Self::Whole(context) | Self::Missing(context)) = self;
        context
    }

    /// Whether there was no trace.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }

    /// Has the span say when it begins a trace that should have gone on.
    pub(crate) fn mark(&self, start: Start) -> Start {
        match self {
            Self::Whole(_) => start,
            Self::Missing(_) => start.set("messaging.context.missing", true),
        }
    }
}

impl From<protocol::AgentEvent> for Event {
    fn from(event: protocol::AgentEvent) -> Self {
        let routing = event.routing.unwrap_or_default();
        Self {
            event_id: event.event_id,
            task_id: event.task_id,
            event_type: event.event_type,
            from_agent: routing.from_agent,
            to_agent: routing.to_agent,
            deadline: event.deadline,
            redeliveries: event.redeliveries,
            payload: structure::to_json(event.payload.unwrap_or_default()),
            metadata: structure::to_json(event.metadata.unwrap_or_default()),
        }
    }
}

impl From<Event> for protocol::AgentEvent {
    fn from(event: Event) -> Self {
        Self {
            event_id: event.event_id,
            task_id: event.task_id,
            event_type: event.event_type,
            routing: Some(protocol::Routing { from_agent: event.from_agent, to_agent: event.to_agent }),
            payload: Some(structure::from_json(event.payload)),
            metadata: Some(structure::from_json(event.metadata)),
            deadline: event.deadline,
            redeliveries: event.redeliveries,
        }
    }
}
