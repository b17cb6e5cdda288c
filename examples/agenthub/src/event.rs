//! What travels between agents: a task or its result, with the context of whoever sent it.

use crate::protocol;
use crate::spans;
use crate::structure;
use clew_sdk::Start;
use clew_sdk::opentelemetry::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The type of events that answer a task.
pub(crate) const RESULT: &str = "task_result";

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
        clew_sdk::inject_metadata(context, &mut self.metadata);
    }

    /// The context that it came with; none when it has no trace.
    pub(crate) fn context(&self) -> Option<Context> {
        clew_sdk::extract_metadata(&self.metadata)
    }

    /// A span below the context that it came with. Without one a trace begins, and says that it should have gone on.
    pub(crate) fn continued_by(&self, service: &'static str, name: &'static str) -> Start {
        match self.context() {
            Some(context) => spans::below(&context, service, name),
            None => spans::below(&Context::new(), service, name).set("messaging.context.missing", true),
        }
    }

    /// The event that answers this one: its result, or the type and message of the error.
    pub(crate) fn answered_by(
        &self,
        status: &'static str,
        outcome: Result<Map<String, Value>, (&'static str, String)>,
        context: &Context,
    ) -> Self {
        let said = match outcome {
            Ok(result) => vec![("result", Value::Object(result))],
            Err((error_type, message)) => {
                vec![("error_type", error_type.into()), ("error_message", message.into())]
            }
        };
        let said = said.into_iter().chain([("status", Value::from(status))]);
        let mut answer = Self {
            event_id: format!("{}.result", self.event_id),
            task_id: self.task_id.clone(),
            event_type: RESULT.to_owned(),
            from_agent: self.to_agent.clone(),
            to_agent: self.from_agent.clone(),
            deadline: 0,
            redeliveries: 0,
            payload: said.map(|(key, value)| (key.to_owned(), value)).collect(),
            metadata: Map::new(),
        };
        answer.carry(context);
        answer
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
