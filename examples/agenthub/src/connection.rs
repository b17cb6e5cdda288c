//! An agent's way to the broker. It is looked for again whenever it is lost.

use crate::error::Error;
use crate::event::Event;
use crate::health::Condition;
use crate::metrics::Metrics;
use crate::protocol::agent_hub_client::AgentHubClient;
use crate::protocol::{AcknowledgeRequest, SubscribeRequest};
use clew_sdk::grpc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

/// Pauses between attempts: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long one call may take.
const CALL: Duration = Duration::from_secs(5);

/// The way to the broker. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    client: AgentHubClient<Channel>,
    condition: watch::Sender<Condition>,
    metrics: Metrics,
}

impl Broker {
    /// Connects once something is asked.
    pub(crate) fn new(url: &str, metrics: Metrics) -> Result<Self, Error> {
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(Error::Address)?;
        let channel = endpoint.connect_timeout(CALL).tcp_nodelay(true).connect_lazy();
        let (condition, _) = watch::channel(Condition::default());
        Ok(Self { client: AgentHubClient::new(channel), condition, metrics })
    }

    /// Whether there is a subscription.
    pub(crate) fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    /// Returns once the broker keeps the event; tries again for so long.
    pub(crate) async fn publish(&self, event: Event, within: Duration) -> Result<(), Status> {
        let (event_type, destination) = (event.event_type.clone(), event.to_agent.clone());
        self.insist(within, || {
            let (mut client, event) = (self.client.clone(), event.clone());
            call("agenthub.AgentHub/PublishMessage", event.into(), async move |request| {
                client.publish_message(request).await
            })
        })
        .await?;
        self.metrics.published(&event_type, &destination);
        Ok(())
    }

    /// Returns once the broker does not keep the event any more; tries again for so long.
    pub(crate) async fn acknowledge(&self, event: &Event, within: Duration) -> Result<(), Status> {
        self.insist(within, || {
            let mut client = self.client.clone();
            let (agent_id, event_id) = (event.to_agent.clone(), event.event_id.clone());
            let message = AcknowledgeRequest { agent_id, event_id };
            call("agenthub.AgentHub/AcknowledgeMessage", message, async move |request| {
                client.acknowledge_message(request).await
            })
        })
        .await
    }

    async fn insist<F>(&self, within: Duration, attempt: impl Fn() -> F) -> Result<(), Status>
    where
        F: Future<Output = Result<(), Status>>,
    {
        let end = time::Instant::now() + within;
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(status) = attempt().await else { return Ok(()) };
            self.metrics.connection_failed();
            if status.code() == Code::InvalidArgument || time::Instant::now() + pause > end {
                return Err(status);
            }
            tracing::warn!(code = ?status.code(), "the broker did not answer, trying again");
            time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Brings the agent's events, so many at a time, for as long as they are received.
    pub(crate) async fn subscribe(&self, agent: &str, in_flight: u32, events: mpsc::Sender<Event>) {
        let mut pause = FIRST_PAUSE;
        while !events.is_closed() {
            match self.follow(agent, in_flight, &events).await {
                Ok(()) => pause = FIRST_PAUSE,
                Err(status) => tracing::debug!(code = ?status.code(), "no subscription"),
            }
            if *self.condition.borrow() == Condition::Up {
                self.condition.send_replace(Condition::Lost);
                tracing::warn!("the broker is lost, looking for it again");
                pause = FIRST_PAUSE;
            }
            self.metrics.connection_failed();
            time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn follow(&self, agent: &str, in_flight: u32, events: &mpsc::Sender<Event>) -> Result<(), Status> {
        let request = SubscribeRequest { agent_id: agent.to_owned(), in_flight };
        let mut stream = self.client.clone().subscribe_to_messages(request).await?.into_inner();
        self.condition.send_replace(Condition::Up);
        tracing::info!(agent, "subscribed");
        while let Some(event) = stream.message().await? {
            if events.send(event.into()).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// One call, below the span that is active, with a bound on its time.
async fn call<Q, A>(
    method: &'static str,
    message: Q,
    send: impl AsyncFnOnce(Request<Q>) -> Result<Response<A>, Status>,
) -> Result<(), Status> {
    let called = grpc::call(method, message, async |mut request| {
        request.set_timeout(CALL);
        send(request).await
    });
    // What a call needs while it is under way is some 30 kB.
    Box::pin(called).await.map(|_| ())
}
