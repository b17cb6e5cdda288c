//! The way of an event through the broker: kept, handed out, done with or given up.

use super::SERVICE;
use super::mailboxes::{Mailboxes, Refused, Subscription};
use super::queue::Queue;
use crate::event::{Event, RESULT};
use crate::metrics::Metrics;
use crate::spans;
use clew_sdk::Span;
use clew_sdk::opentelemetry::Context;
use clew_sdk::opentelemetry::trace::{SpanKind, TraceContextExt};
use std::sync::Arc;
use tonic::Status;

/// How often an event that its agent was lost with is handed out again: it may be what ends the agent.
const MOST_REDELIVERIES: u32 = 3;
/// The error's type when it is not any more.
const GIVEN_UP: &str = "too_many_redeliveries";

/// Where events are, on disk and in mailboxes. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Router {
    pub(crate) queue: Arc<Queue>,
    pub(crate) mailboxes: Arc<Mailboxes>,
    pub(crate) metrics: Metrics,
}

impl Router {
    /// Keeps the event, and says in a span how that went.
    pub(crate) async fn route(&self, event: Event) -> Result<(), Status> {
        let span = routing(&event);
        let routed = span.clone().run(async {
            let routed = self.keep(event, &span).await;
            match &routed {
                Ok(()) => span.succeed(),
                Err(status) => span.fail(format!("{:?}", status.code()), status.message().to_owned()),
            }
            routed
        });
        routed.await
    }

    /// Keeps the event with the routing's span as its context: whoever takes it, and whenever, goes on from there.
    async fn keep(&self, mut event: Event, span: &Span) -> Result<(), Status> {
        match self.mailboxes.reserve(&event) {
            Ok(()) => {}
            Err(Refused::Known) => {
                tracing::info!(event_id = event.event_id, "the event is known already");
                return Ok(());
            }
            Err(Refused::Full) => {
                return Err(Status::resource_exhausted(format!("{} has too many events", event.to_agent)));
            }
        }
        event.carry(span.context());
        if let Err(error) = self.queue.keep(event.clone()).await {
            self.mailboxes.release(&event);
            return Err(Status::unavailable(format!("the queue cannot be written: {error}")));
        }
        let (event_id, event_type, to_agent) = (&event.event_id, &event.event_type, &event.to_agent);
        tracing::info!(event_id, event_type, to_agent, "event routed");
        self.metrics.published(event_type, to_agent);
        self.mailboxes.put(event);
        Ok(())
    }

    /// The event is done with, and not kept any more.
    pub(crate) async fn acknowledge(&self, agent: &str, event_id: String) -> Result<(), Status> {
        if !self.mailboxes.acknowledge(agent, &event_id) {
            return Ok(());
        }
        let written = self.queue.acknowledge(event_id).await;
        written.map_err(|error| Status::unavailable(format!("the queue cannot be written: {error}")))
    }

    /// The next event that the agent is to have, but for those that it was lost with too often.
    pub(crate) async fn next(&self, subscription: &Subscription) -> Event {
        loop {
            let event = subscription.next().await;
            if event.redeliveries <= MOST_REDELIVERIES {
                return event;
            }
            // It is seldom, and would make every wait for an event larger by 20 kB.
            Box::pin(self.give_up(event)).await;
        }
    }

    /// Tells whoever sent the event that it will not be done, and keeps it no more.
    async fn give_up(&self, event: Event) {
        let message = format!("{} was lost with it {} times", event.to_agent, event.redeliveries);
        let span = event.describe(event.continued_by(SERVICE, "give_up")).start();
        let giving_up = span.clone().run(async {
            span.fail(GIVEN_UP, message.clone());
            tracing::error!(event_id = event.event_id, redeliveries = event.redeliveries, "event given up");
            if event.event_type != RESULT {
                let answer = event.answered_by("failed", Err((GIVEN_UP, message)), span.context());
                if let Err(status) = self.route(answer).await {
                    tracing::error!(code = ?status.code(), "the sender cannot be told");
                }
            }
            if let Err(status) = self.acknowledge(&event.to_agent, event.event_id.clone()).await {
                tracing::error!(message = status.message(), "an event that was given up is still kept");
            }
        });
        Box::pin(giving_up).await;
    }
}

/// The span of an event's routing, below what the event came with.
fn routing(event: &Event) -> Span {
    let name = if event.event_type == RESULT { "route_result" } else { "route_task" };
    // The call that brought the event is below its context, and nearer.
    let call = Context::current();
    let trace = |context: &Context| context.span().span_context().trace_id();
    let start = match event.context() {
        Some(context) if trace(&context) == trace(&call) => spans::below(&call, SERVICE, name),
        _ => event.continued_by(SERVICE, name),
    };
    let start = event.describe(start.kind(SpanKind::Consumer)).set("messaging.operation", "route");
    start.set("source.agent", event.from_agent.clone()).set("target.agent", event.to_agent.clone()).start()
}
