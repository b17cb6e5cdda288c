//! A queue in a file of JSON lines.
//! A line is an event, or says that one is done with. Lines that come at the same time share one fsync.

use crate::error::Error;
use crate::event::Event;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// The file within the broker's directory.
const FILE: &str = "queue.jsonl";
/// The next one while it is being written.
const NEW_FILE: &str = "queue.jsonl.new";
/// Locked by the broker that uses the directory.
const LOCK: &str = "queue.lock";
/// Lines that may wait for the disk.
const WAITING: usize = 1024;
/// A file of more lines than this is written anew once most of them are not needed any more.
const MANY: usize = 10_000;

/// A line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Event(Box<Event>),
    Acknowledged(String),
}

/// A line on its way to the disk, and who waits for it to be there.
struct Order {
    line: Line,
    done: oneshot::Sender<io::Result<()>>,
}

/// The way to the file. Clones lead to the same one.
#[derive(Debug, Clone)]
pub(crate) struct FileQueue {
    orders: mpsc::Sender<Order>,
}

impl FileQueue {
    /// Opens the queue of a directory, and gives the events that it still holds, oldest first.
    pub(crate) fn open(directory: &Path) -> Result<(Self, Vec<Event>), Error> {
        let path = directory.join(FILE);
        let failed = |source| Error::Queue { path: path.clone(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        let lock = File::create(directory.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::QueueTaken { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let kept = Kept::read(&path)?;
        let events = kept.in_order().cloned().collect();
        let file = kept.write_anew(directory).map_err(failed)?;
        let journal = Journal { directory: directory.to_owned(), file, lines: 0, kept, _lock: lock };
        let (orders, receiver) = mpsc::channel(WAITING);
        let thread = thread::Builder::new().name("queue".to_owned());
        thread.spawn(move || journal.serve(receiver)).map_err(failed)?;
        Ok((Self { orders }, events))
    }

    /// Returns once the event is on disk.
    pub(crate) async fn keep(&self, event: Event) -> io::Result<()> {
        self.write(Line::Event(Box::new(event))).await
    }

    /// Returns once it is on disk that the event is done with.
    pub(crate) async fn acknowledge(&self, event_id: String) -> io::Result<()> {
        self.write(Line::Acknowledged(event_id)).await
    }

    async fn write(&self, line: Line) -> io::Result<()> {
        let (done, is_done) = oneshot::channel();
        let gone = || io::Error::other("the queue's thread has ended");
        self.orders.send(Order { line, done }).await.map_err(|_| gone())?;
        is_done.await.map_err(|_| gone())?
    }
}

/// The events that are not acknowledged, by their ids, with their places in the order.
#[derive(Debug, Default)]
struct Kept {
    events: HashMap<String, (u64, Event)>,
    next: u64,
}

impl Kept {
    /// What a file says. A last line without its end was never promised to anyone.
    fn read(path: &Path) -> Result<Self, Error> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|source| Error::Queue { path: path.to_owned(), source })?,
        };
        let mut kept = Self::default();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let Some(line) = line.strip_suffix('\n') else { break };
            let damaged = |source| Error::QueueDamaged { path: path.to_owned(), line: index + 1, source };
            kept.apply(serde_json::from_str(line).map_err(damaged)?);
        }
        Ok(kept)
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::Event(event) => {
                self.events.insert(event.event_id.clone(), (self.next, *event));
                self.next += 1;
            }
            Line::Acknowledged(id) => {
                self.events.remove(&id);
            }
        }
    }

    fn in_order(&self) -> impl Iterator<Item = &Event> {
        let mut events: Vec<_> = self.events.values().collect();
        events.sort_unstable_by_key(|(place, _)| *place);
        events.into_iter().map(|(_, event)| event)
    }

    /// Puts a file with only these in the old one's place, at once or not at all.
    fn write_anew(&self, directory: &Path) -> io::Result<File> {
        let (path, new) = (directory.join(FILE), directory.join(NEW_FILE));
        let mut bytes = Vec::new();
        for event in self.in_order() {
            bytes.extend(encoded(&Line::Event(Box::new(event.clone())))?);
        }
        let mut file = File::create(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(directory)?.sync_all()?;
        OpenOptions::new().append(true).open(&path)
    }
}

/// The file as it grows. The lock keeps other brokers out for as long as this lives.
struct Journal {
    directory: PathBuf,
    file: File,
    lines: usize,
    kept: Kept,
    _lock: File,
}

impl Journal {
    /// Until all who could order something are gone.
    fn serve(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut together = Vec::new();
        while orders.blocking_recv_many(&mut together, WAITING) > 0 {
            let (lines, waiting): (Vec<_>, Vec<_>) =
                together.drain(..).map(|order| (order.line, order.done)).unzip();
            let result = self.append(lines).map_err(|error| {
                tracing::error!(%error, "the queue cannot be written");
                error.kind()
            });
            for done in waiting {
                // Whoever does not wait any more has no use for the answer.
                let _ = done.send(result.map_err(io::Error::from));
            }
        }
    }

    fn append(&mut self, lines: Vec<Line>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for line in &lines {
            bytes.extend(encoded(line)?);
        }
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        self.lines += lines.len();
        lines.into_iter().for_each(|line| self.kept.apply(line));
        if self.lines > MANY && self.lines > 4 * self.kept.events.len() {
            self.file = self.kept.write_anew(&self.directory)?;
            self.lines = self.kept.events.len();
        }
        Ok(())
    }
}

fn encoded(line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests;
