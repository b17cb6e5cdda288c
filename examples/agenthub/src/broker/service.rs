//! The broker's three calls.

use super::SERVICE;
use super::mailboxes::{Mailboxes, Refused, Subscription};
use super::queue::Queue;
use crate::event::{Event, RESULT};
use crate::metrics::Metrics;
use crate::protocol::agent_hub_server::AgentHub;
use crate::protocol::{
    AcknowledgeRequest, AcknowledgeResponse, AgentEvent, PublishResponse, SubscribeRequest,
};
use crate::spans;
use clew_sdk::Span;
use clew_sdk::opentelemetry::Context;
use clew_sdk::opentelemetry::trace::{SpanKind, TraceContextExt};
use futures::stream::{self, BoxStream, StreamExt};
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// Events that a subscriber may have at a time when it does not say.
const IN_FLIGHT: u32 = 16;
/// And when it asks for too many.
const MOST_IN_FLIGHT: u32 = 1_000;

/// What the calls work on.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) queue: Queue,
    pub(crate) mailboxes: Arc<Mailboxes>,
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: CancellationToken,
}

impl Service {
    /// Keeps the event with the routing's span as its context: whoever takes it, and whenever, goes on from there.
    async fn route(&self, mut event: Event, span: &Span) -> Result<(), Status> {
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

#[tonic::async_trait]
impl AgentHub for Service {
    type SubscribeToMessagesStream = BoxStream<'static, Result<AgentEvent, Status>>;

    async fn publish_message(
        &self,
        request: Request<AgentEvent>,
    ) -> Result<Response<PublishResponse>, Status> {
        let event = Event::from(request.into_inner());
        if event.event_id.is_empty() || event.to_agent.is_empty() {
            return Err(Status::invalid_argument("an event needs an event_id and routing.to_agent"));
        }
        let began = Instant::now();
        let (event_type, source) = (event.event_type.clone(), event.from_agent.clone());
        let span = routing(&event);
        let routed = span.clone().run(async {
            let routed = self.route(event, &span).await;
            match &routed {
                Ok(()) => span.succeed(),
                Err(status) => span.fail(format!("{:?}", status.code()), status.message().to_owned()),
            }
            routed
        });
        let routed = routed.await;
        let error = routed.as_ref().err().map(|status| format!("{:?}", status.code()));
        self.metrics.processed(&event_type, &source, began.elapsed(), error.as_deref());
        routed.map(|()| Response::new(PublishResponse {}))
    }

    async fn subscribe_to_messages(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeToMessagesStream>, Status> {
        let SubscribeRequest { agent_id, in_flight } = request.into_inner();
        if agent_id.is_empty() {
            return Err(Status::invalid_argument("a subscription needs an agent_id"));
        }
        let in_flight = if in_flight == 0 { IN_FLIGHT } else { in_flight.min(MOST_IN_FLIGHT) };
        tracing::info!(agent = agent_id, in_flight, "an agent subscribed");
        let in_flight = usize::try_from(in_flight).unwrap_or(usize::MAX);
        let subscription = self.mailboxes.subscribe(&agent_id, in_flight);
        let events = stream::unfold(subscription, |subscription: Subscription| async {
            let event = subscription.next().await;
            Some((Ok(event.into()), subscription))
        });
        // Without this, an open subscription would hold up the broker's end.
        let until_shutdown = self.shutdown.clone().cancelled_owned();
        Ok(Response::new(events.take_until(until_shutdown).boxed()))
    }

    async fn acknowledge_message(
        &self,
        request: Request<AcknowledgeRequest>,
    ) -> Result<Response<AcknowledgeResponse>, Status> {
        let AcknowledgeRequest { agent_id, event_id } = request.into_inner();
        if self.mailboxes.acknowledge(&agent_id, &event_id) {
            let written = self.queue.acknowledge(event_id).await;
            written.map_err(|error| Status::unavailable(format!("the queue cannot be written: {error}")))?;
        }
        Ok(Response::new(AcknowledgeResponse {}))
    }
}
