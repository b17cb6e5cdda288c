//! A queue in a stream of NATS' `JetStream`, one message per event. Its headers have the event's context, too, so that
//! others who read the stream find it where they look for it.

use crate::error::Error;
use crate::event::Event;
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::stream::{Config, StorageType, Stream};
use async_nats::jetstream::{self, Context};
use futures::{StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The stream's name, and what the subjects within it begin with.
const STREAM: &str = "AGENTHUB";
const SUBJECT: &str = "agenthub.events";
/// Events that it may hold.
const CAPACITY: i64 = 100_000;

/// The way to the stream.
#[derive(Debug)]
pub(crate) struct JetStreamQueue {
    context: Context,
    stream: Stream,
    /// Where in the stream each event is.
    places: Arc<Mutex<HashMap<String, u64>>>,
}

impl JetStreamQueue {
    /// Opens the stream of a server, and gives the events that it still holds, oldest first.
    pub(crate) async fn open(url: &str) -> Result<(Self, Vec<Event>), Error> {
        let failed = |message: String| Error::JetStream { url: url.to_owned(), message };
        let client = async_nats::connect(url).await.map_err(|error| failed(error.to_string()))?;
        let context = jetstream::new(client);
        let config = Config {
            name: STREAM.to_owned(),
            subjects: vec![format!("{SUBJECT}.*")],
            storage: StorageType::File,
            max_messages: CAPACITY,
            // A full queue refuses; it does not forget what it has promised to keep.
            discard: jetstream::stream::DiscardPolicy::New,
            ..Config::default()
        };
        let stream = context.get_or_create_stream(config).await.map_err(|error| failed(error.to_string()))?;
        let kept = read(&stream).await.map_err(|error| failed(error.to_string()))?;
        let (places, events) =
            kept.into_iter().map(|(place, event)| ((event.event_id.clone(), place), event)).unzip();
        Ok((Self { context, stream, places: Arc::new(Mutex::new(places)) }, events))
    }

    fn places(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        // A panic elsewhere leaves no entry half made.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn keep(&self, event: Event) -> io::Result<()> {
        let payload = serde_json::to_vec(&event)?;
        let subject = format!("{SUBJECT}.{}", token(&event.to_agent));
        let sent = self.context.publish_with_headers(subject, headers(&event), payload.into()).await;
        let kept = sent.map_err(io::Error::other)?.await.map_err(io::Error::other)?;
        self.places().insert(event.event_id, kept.sequence);
        Ok(())
    }

    pub(super) async fn acknowledge(&self, event_id: &str) -> io::Result<()> {
        let Some(place) = self.places().remove(event_id) else { return Ok(()) };
        self.stream.delete_message(place).await.map_err(io::Error::other)?;
        Ok(())
    }
}

/// All messages of the stream, with their places.
async fn read(stream: &Stream) -> Result<Vec<(u64, Event)>, Box<dyn std::error::Error + Send + Sync>> {
    let messages = stream.get_info().await?.state.messages;
    let count = usize::try_from(messages)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let consumer = stream.create_consumer(OrderedConfig::default()).await?;
    let messages: Vec<_> = consumer.messages().await?.take(count).try_collect().await?;
    let events = messages.iter().map(|message| {
        let place = message.info()?.stream_sequence;
        Ok((place, serde_json::from_slice(&message.payload)?))
    });
    events.collect()
}

/// The event's context, in headers of the message.
fn headers(event: &Event) -> HeaderMap {
    let mut pairs: Vec<(String, String)> = Vec::new();
    if let Some(context) = event.context() {
        clew_sdk::inject(&context, &mut pairs);
    }
    let mut headers = HeaderMap::new();
    pairs.iter().for_each(|(name, value)| headers.insert(name.as_str(), value.as_str()));
    headers
}

/// What stands for an agent's name in a subject, where dots, spaces and stars have meanings.
fn token(agent: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    agent.chars().map(|character| if plain(character) { character } else { '_' }).collect()
}
