//! Where events go: topics of messages that other processes read. A file, or a broker of Kafka's.

mod embedded;
mod kafka;

use crate::error::Error;
use crate::settings::Settings;
use clew_sdk::opentelemetry::Context;
use clew_sdk::{Span, Start};
use embedded::Embedded;
use kafka::Kafka;
pub use kafka::Servers;

/// The topic of events.
pub const EVENTS: &str = "aob.events";

/// The way to the topics.
#[derive(Debug)]
pub enum Bus {
    Embedded(Embedded),
    Kafka(Kafka),
}

/// A message, and the context that it is sent in.
#[derive(Debug)]
pub struct Message {
    /// The same when it is sent again.
    pub id: String,
    /// Messages with the same key are read in the order in which they were sent.
    pub key: String,
    pub context: Context,
    pub body: String,
}

/// Where in its topic a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Position(i64),
    Offset { partition: i32, offset: i64 },
}

/// What a consumer reads its messages with.
#[derive(Debug)]
pub enum Reader {
    Embedded(embedded::Reader),
    Kafka(Box<kafka::Reader>),
}

impl Bus {
    /// The one that the settings name. That a broker answers is not needed yet.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        match &settings.bus {
            Some(servers) => Ok(Self::Kafka(Kafka::new(servers)?)),
            None => Ok(Self::Embedded(Embedded::open(&settings.data).await?)),
        }
    }

    /// The span of a message that is about to be sent.
    pub fn publish(&self, message: &Message) -> Start {
        self.described(clew_sdk::publish(self.system(), EVENTS), message)
    }

    /// The span of a message that is about to be worked on.
    pub fn process(&self, message: &Message, place: Place) -> Start {
        let start = self.described(clew_sdk::process(self.system(), EVENTS), message);
        place.attributes().into_iter().fold(start, |start, (key, value)| start.set(key, value))
    }

    /// As `messaging.system` calls it.
    fn system(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "sqlite",
            Self::Kafka(_) => "kafka",
        }
    }

    fn described(&self, start: Start, message: &Message) -> Start {
        let size = i64::try_from(message.body.len()).unwrap_or(i64::MAX);
        let start = start.scope("aob.bus").set("messaging.destination_kind", "topic");
        let start = start.set("messaging.message.id", message.id.clone());
        let start = start.set("messaging.message.body.size", size);
        match self {
            Self::Embedded(_) => start,
            Self::Kafka(_) => start.set("messaging.kafka.message.key", message.key.clone()),
        }
    }

    /// Returns once the message is kept.
    pub async fn send(&self, message: &Message) -> Result<Place, Error> {
        match self {
            Self::Embedded(bus) => bus.send(message).await,
            Self::Kafka(bus) => bus.send(message).await,
        }
    }

    /// Whether messages can be sent.
    pub async fn reached(&self) -> Result<(), Error> {
        match self {
            Self::Embedded(_) => Ok(()),
            Self::Kafka(bus) => bus.reached().await,
        }
    }

    /// What a consumer of this name has not read yet, whichever process reads for it.
    pub fn reader(&self, consumer: &'static str) -> Result<Reader, Error> {
        match self {
            Self::Embedded(bus) => Ok(Reader::Embedded(bus.reader(consumer))),
            Self::Kafka(bus) => Ok(Reader::Kafka(Box::new(bus.reader(consumer)?))),
        }
    }
}

impl Place {
    /// What is known of it once the message is kept.
    pub fn tell(self, span: &Span) {
        for (key, value) in self.attributes() {
            span.set(key, value);
        }
    }

    fn attributes(self) -> Vec<(&'static str, clew_sdk::opentelemetry::Value)> {
        match self {
            Self::Position(_) => Vec::new(),
            Self::Offset { partition, offset } => vec![
                ("messaging.destination.partition.id", partition.to_string().into()),
                ("messaging.kafka.offset", offset.into()),
            ],
        }
    }
}

impl Reader {
    /// The next message, once there is one. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<(Message, Place), Error> {
        match self {
            Self::Embedded(reader) => reader.next().await,
            Self::Kafka(reader) => reader.next().await,
        }
    }

    /// The next message, if there is one already.
    pub async fn waiting(&mut self) -> Result<Option<(Message, Place)>, Error> {
        match self {
            Self::Embedded(reader) => reader.waiting().await,
            Self::Kafka(reader) => reader.waiting().await,
        }
    }

    /// A message is worked off, and all before it: whoever reads next begins behind it.
    pub async fn done(&self, place: Place) -> Result<(), Error> {
        match (self, place) {
            (Self::Embedded(reader), Place::Position(position)) => reader.done(position).await,
            (Self::Kafka(reader), Place::Offset { partition, offset }) => reader.done(partition, offset),
            _ => Ok(()),
        }
    }

    /// Others may read what is left.
    pub async fn close(self) {
        match self {
            Self::Embedded(_) => (),
            Self::Kafka(reader) => reader.close().await,
        }
    }
}
