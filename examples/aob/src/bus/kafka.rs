//! Topics of a Kafka broker. Contexts and ids are in the headers of messages.

use super::{EVENTS, Message, Place};
use crate::error::Error;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OnceCell, oneshot};

/// The header that has a message's id.
const ID: &str = "message-id";
/// How long the broker may take to keep a message.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to say that it is there, or that it knows of who leaves.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks for a broker that is away.
const PAUSE: Duration = Duration::from_millis(500);
/// The broker's own number of partitions, or of copies.
const AS_THE_BROKER_HAS_IT: i32 = -1;

/// The brokers to ask first: `kafka://host:port`, or several with commas between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers(String);

impl FromStr for Servers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}` is no broker; write kafka://host:port");
        let servers = text.strip_prefix("kafka://").ok_or_else(wanted)?.trim_end_matches('/');
        let good = |server: &str| {
            server
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        match servers.split(',').all(good) {
            true => Ok(Self(servers.to_owned())),
            false => Err(wanted()),
        }
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "kafka://{}", self.0)
    }
}

/// The way to the topics of a broker.
pub struct Kafka {
    servers: Servers,
    topics: Arc<Topics>,
    /// For who sends.
    producer: OnceCell<FutureProducer>,
}

impl fmt::Debug for Kafka {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Kafka").field(&self.servers).finish()
    }
}

impl Kafka {
    /// The broker is looked for from here on; it need not be there yet.
    pub fn new(servers: &Servers) -> Result<Self, Error> {
        let topics = Arc::new(Topics::new(servers)?);
        Ok(Self { servers: servers.clone(), topics, producer: OnceCell::new() })
    }

    async fn producer(&self) -> Result<&FutureProducer, Error> {
        let create = async || {
            let mut config = client(&self.servers);
            // A message that the broker has although its answer was lost is not there twice.
            config.set("enable.idempotence", "true").set("linger.ms", "0");
            config.set("message.timeout.ms", PATIENCE.as_millis().to_string());
            config.create().map_err(failed(&self.servers))
        };
        self.producer.get_or_try_init(create).await
    }

    /// Returns once the broker has the message.
    pub async fn send(&self, message: &Message) -> Result<Place, Error> {
        self.topics.exist().await?;
        let mut carried = vec![(ID.to_owned(), message.id.clone().into_bytes())];
        clew_sdk::inject(&message.context, &mut carried);
        let headers = carried.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(value) })
        });
        let record = FutureRecord::to(EVENTS).key(&message.key).payload(&message.body).headers(headers);
        let kept = self.producer().await?.send(record, PATIENCE).await;
        let kept = kept.map_err(|(error, _)| failed(&self.servers)(error))?;
        Ok(Place::Offset { partition: kept.partition, offset: kept.offset })
    }

    /// Whether the broker answers.
    pub async fn reached(&self) -> Result<(), Error> {
        self.topics.create().await
    }

    /// A member of the consumer's group.
    pub fn reader(&self, consumer: &'static str) -> Result<Reader, Error> {
        let mut config = client(&self.servers);
        config.set("group.id", consumer).set("auto.offset.reset", "earliest");
        // What is worked off is noted by `done`, and told to the broker once a second and at the end.
        config.set("enable.auto.offset.store", "false").set("auto.commit.interval.ms", "1000");
        // A member that was killed is missed after this.
        config.set("session.timeout.ms", "10000");
        config.set("topic.metadata.refresh.interval.ms", "1000");
        let consumer = config.create().map_err(failed(&self.servers))?;
        Ok(Reader {
            servers: self.servers.clone(),
            consumer,
            topics: self.topics.clone(),
            is_subscribed: false,
            is_lost: false,
        })
    }
}

/// The topics, created when they are not there.
struct Topics {
    servers: Servers,
    admin: AdminClient<DefaultClientContext>,
    existing: OnceCell<()>,
}

impl Topics {
    fn new(servers: &Servers) -> Result<Self, Error> {
        let admin = client(servers).create().map_err(failed(servers))?;
        Ok(Self { servers: servers.clone(), admin, existing: OnceCell::new() })
    }

    /// As `create`, but only once.
    async fn exist(&self) -> Result<(), Error> {
        self.existing.get_or_try_init(|| self.create()).await.copied()
    }

    async fn create(&self) -> Result<(), Error> {
        let copies = TopicReplication::Fixed(AS_THE_BROKER_HAS_IT);
        let topic = NewTopic::new(EVENTS, AS_THE_BROKER_HAS_IT, copies);
        let options = AdminOptions::new().request_timeout(Some(SHORT_PATIENCE));
        let options = options.operation_timeout(Some(SHORT_PATIENCE));
        let created = self.admin.create_topics([&topic], &options).await.map_err(failed(&self.servers))?;
        for result in created {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => (),
                Err((_, code)) => return Err(failed(&self.servers)(KafkaError::AdminOp(code))),
            }
        }
        Ok(())
    }
}

/// A member of a group of consumers.
pub struct Reader {
    servers: Servers,
    consumer: StreamConsumer,
    topics: Arc<Topics>,
    is_subscribed: bool,
    /// The broker is away, and that was told.
    is_lost: bool,
}

impl fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Reader").field(&self.servers).finish()
    }
}

impl Reader {
    /// The next message, once there is one. A broker that is away is waited for.
    pub async fn next(&mut self) -> Result<(Message, Place), Error> {
        loop {
            match self.read().await {
                Ok(read) => {
                    if std::mem::take(&mut self.is_lost) {
                        tracing::info!(broker = %self.servers, "the broker is back");
                    }
                    return Ok(read);
                }
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) => {
                    if !std::mem::replace(&mut self.is_lost, true) {
                        tracing::warn!(%error, "no messages for now");
                    }
                    // Once it is subscribed, the client looks for the broker by itself, and tells of each attempt.
                    if !self.is_subscribed {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        }
    }

    /// The next message, if it is here already. What is not remains with the broker.
    pub async fn waiting(&mut self) -> Result<Option<(Message, Place)>, Error> {
        if !self.is_subscribed {
            return Ok(None);
        }
        match tokio::time::timeout(Duration::ZERO, self.read()).await {
            Ok(Ok(read)) => Ok(Some(read)),
            Ok(Err(error)) if is_fatal(&error) => Err(error),
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }

    /// All messages of the partition up to this one are worked off.
    pub fn done(&self, partition: i32, offset: i64) -> Result<(), Error> {
        match self.consumer.store_offset(EVENTS, partition, offset) {
            // Another member has the partition now, and works on it again.
            Err(KafkaError::StoreOffset(RDKafkaErrorCode::State)) | Ok(()) => Ok(()),
            Err(error) => Err(failed(&self.servers)(error)),
        }
    }

    /// Leaves the group, so that others have its partitions at once. A broker that is away is not waited for: it will miss it.
    pub async fn close(self) {
        let (leaving, left) = oneshot::channel::<()>();
        // To leave blocks a thread for as long as the broker does not answer; the process ends without it.
        std::thread::spawn(move || {
            drop(self.consumer);
            drop(leaving);
        });
        let _ = tokio::time::timeout(SHORT_PATIENCE, left).await;
    }

    async fn read(&mut self) -> Result<(Message, Place), Error> {
        if !self.is_subscribed {
            self.topics.exist().await?;
            self.consumer.subscribe(&[EVENTS]).map_err(failed(&self.servers))?;
            self.is_subscribed = true;
        }
        let message = self.consumer.recv().await.map_err(failed(&self.servers))?.detach();
        Ok((message_of(&message), Place::Offset { partition: message.partition(), offset: message.offset() }))
    }
}

fn client(servers: &Servers) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &servers.0).set("client.id", "aob");
    // A broker that is back is found again at once.
    config.set("reconnect.backoff.max.ms", "1000");
    config
}

fn failed(servers: &Servers) -> impl FnOnce(KafkaError) -> Error {
    move |source| Error::Broker { servers: servers.to_string(), source }
}

fn is_fatal(error: &Error) -> bool {
    matches!(error, Error::Broker { source: KafkaError::MessageConsumptionFatal(_), .. })
}

fn message_of(message: &OwnedMessage) -> Message {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let pairs = headers.filter_map(|header| Some((header.key, std::str::from_utf8(header.value?).ok()?)));
    let pairs: Vec<(&str, &str)> = pairs.collect();
    let id = pairs.iter().find(|(key, _)| *key == ID).map(|(_, id)| (*id).to_owned());
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    Message {
        id: id.unwrap_or_default(),
        key: text(message.key()),
        body: text(message.payload()),
        context: clew_sdk::extract_pairs(pairs),
    }
}

#[cfg(test)]
mod tests {
    use super::Servers;

    #[test]
    fn brokers_are_named() {
        let check = |text: &str, expect: bool| {
            let read = text.parse::<Servers>();
            assert_eq!(
                read.as_ref().ok().map(ToString::to_string),
                expect.then(|| text.to_owned()),
                "{text}"
            );
        };
        check("kafka://127.0.0.1:9092", true);
        check("kafka://one:9092,two:9092", true);
        check("kafka://[::1]:9092", true);
        check("kafka://", false);
        check("kafka://host", false);
        check("kafka://one:9092,", false);
        check("kafka://one:many", false);
        check("127.0.0.1:9092", false);
    }
}
