//! The broker's three calls.

use super::router::Router;
use crate::event::Event;
use crate::metrics::Metrics;
use crate::protocol::agent_hub_server::AgentHub;
use crate::protocol::{
    AcknowledgeRequest, AcknowledgeResponse, AgentEvent, PublishResponse, SubscribeRequest,
};
use futures::stream::{self, BoxStream, StreamExt};
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
    pub(crate) router: Router,
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: CancellationToken,
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
        let routed = self.router.route(event).await;
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
        let subscription = self.router.mailboxes.subscribe(&agent_id, in_flight);
        let events = stream::unfold((self.router.clone(), subscription), |(router, subscription)| async {
            let event = router.next(&subscription).await;
            Some((Ok(event.into()), (router, subscription)))
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
        self.router.acknowledge(&agent_id, event_id).await?;
        Ok(Response::new(AcknowledgeResponse {}))
    }
}
