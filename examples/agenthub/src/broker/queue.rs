//! The events that the broker has taken and that nobody has acknowledged, kept where a restart does not lose them.

mod file;
mod jetstream;

use crate::error::Error;
use crate::event::Event;
use file::FileQueue;
use jetstream::JetStreamQueue;
use std::io;
use std::path::PathBuf;
use tokio::task;

/// Where the events are kept.
#[derive(Debug)]
pub(crate) enum Place {
    /// In a file of this directory.
    Directory(PathBuf),
    /// In the NATS server at this address.
    JetStream(String),
}

/// The way to where the events are kept.
#[derive(Debug)]
pub(crate) enum Queue {
    File(FileQueue),
    JetStream(Box<JetStreamQueue>),
}

impl Queue {
    /// Opens the queue, and gives the events that it still holds, oldest first.
    pub(crate) async fn open(place: Place) -> Result<(Self, Vec<Event>), Error> {
        match place {
            Place::Directory(directory) => {
                // Reading a long file takes a while.
                let opened = task::spawn_blocking(move || FileQueue::open(&directory)).await;
                let (queue, events) = opened.map_err(io::Error::from)??;
                Ok((Self::File(queue), events))
            }
            Place::JetStream(url) => {
                let (queue, events) = JetStreamQueue::open(&url).await?;
                Ok((Self::JetStream(Box::new(queue)), events))
            }
        }
    }

    /// Returns once the event is kept.
    pub(crate) async fn keep(&self, event: Event) -> io::Result<()> {
        match self {
            Self::File(queue) => queue.keep(event).await,
            // What a call of NATS needs while it is under way is some 20 kB.
            Self::JetStream(queue) => Box::pin(queue.keep(event)).await,
        }
    }

    /// Returns once the event is not kept any more.
    pub(crate) async fn acknowledge(&self, event_id: String) -> io::Result<()> {
        match self {
            Self::File(queue) => queue.acknowledge(event_id).await,
            Self::JetStream(queue) => Box::pin(queue.acknowledge(&event_id)).await,
        }
    }
}
