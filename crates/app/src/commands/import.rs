//! `clew import`: sends files of telemetry to a receiver.

use super::export::items_name;
use crate::client::{Client, Taken};
use crate::command_line::Import;
use crate::failure::Failure;
use crate::files::{self, Request};
use crate::terminal::{Output, count, harmless, tell};
use indicatif::{ProgressBar, ProgressStyle};
use model::batch::Encoding;
use model::{Signal, TenantId, otlp};
use std::time::Duration;

/// A request is sent when it has this many bytes.
const REQUEST_BYTES: usize = 2 << 20;
/// So many faults are told one by one.
const MOST_TOLD: u64 = 20;
/// How often a receiver that is full is asked again; it says how long to wait.
const TRIES: u32 = 60;

pub async fn run(arguments: Import, output: &Output) -> Result<(), Failure> {
    let mut sender = Sender {
        receiver: Client::new(&arguments.receiver.endpoint)?,
        waiting: Vec::new(),
        refused: 0,
        unreadable: 0,
        sent: [0; 3],
        progress: ProgressBar::new_spinner().with_style(
            ProgressStyle::with_template("{spinner} {binary_bytes} sent, {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        ),
    };
    for path in &arguments.files {
        for item in files::read(path)? {
            match item {
                Ok(request) => sender.add(request).await?,
                Err(fault) => {
                    sender.tell(&format!("{}, {}: {}", path.display(), fault.place, fault.reason))?;
                }
            }
        }
    }
    sender.flush().await?;
    sender.end(arguments.files.len(), output)
}

struct Sender {
    receiver: Client,
    /// At most one of each signal.
    waiting: Vec<Request>,
    refused: u64,
    unreadable: u64,
    /// Items, by signal.
    sent: [u64; 3],
    progress: ProgressBar,
}

impl Sender {
    async fn add(&mut self, request: Request) -> Result<(), Failure> {
        let signal = request.signal;
        match self.waiting.iter_mut().find(|waiting| waiting.signal == signal) {
            // Requests one after the other are one request: that is how protobuf appends.
            Some(waiting) => waiting.wire.extend(request.wire),
            None => self.waiting.push(request),
        }
        let full = self.waiting.iter().position(|waiting| waiting.wire.len() >= REQUEST_BYTES);
        match full {
            Some(place) => {
                let request = self.waiting.swap_remove(place);
                self.send(request).await
            }
            None => Ok(()),
        }
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        for request in std::mem::take(&mut self.waiting) {
            self.send(request).await?;
        }
        Ok(())
    }

    async fn send(&mut self, request: Request) -> Result<(), Failure> {
        let path = format!("v1/{}", request.signal);
        for _ in 0..TRIES {
            match self.receiver.try_export(&path, request.wire.clone()).await? {
                Taken::Yes { rejected, message } => {
                    self.sent[request.signal as usize] += items(&request).saturating_sub(rejected);
                    self.progress.inc(request.wire.len() as u64);
                    self.refused += rejected;
                    return if message.is_empty() { Ok(()) } else { self.say(&message) };
                }
                Taken::Later(after) => tokio::time::sleep(after.min(Duration::from_secs(30))).await,
            }
        }
        Err(Failure::Failed(anyhow::anyhow!(
            "the receiver is full; import again later: what was sent twice is stored once"
        )))
    }

    fn tell(&mut self, fault: &str) -> Result<(), Failure> {
        self.unreadable += 1;
        match self.unreadable {
            ..=MOST_TOLD => self.say(fault),
            _ => Ok(()),
        }
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        Ok(self.progress.suspend(|| tell(&harmless(text)))?)
    }

    fn end(self, files: usize, output: &Output) -> Result<(), Failure> {
        self.progress.finish_and_clear();
        let names = Signal::ALL.map(items_name);
        let parts = names.into_iter().zip(self.sent).filter(|(_, items)| *items > 0);
        let parts: Vec<String> = parts.map(|(name, items)| format!("{} {name}", count(items))).collect();
        let sent = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
        output.line(format!("sent {sent} from {files} {}", if files == 1 { "file" } else { "files" }))?;
        if self.unreadable + self.refused > 0 {
            let (unreadable, refused) = (count(self.unreadable), count(self.refused));
            let message = format!(
                "{unreadable} parts could not be read and {refused} items were refused; the rest is stored"
            );
            return Err(Failure::Failed(anyhow::anyhow!(message)));
        }
        Ok(())
    }
}

fn items(request: &Request) -> u64 {
    let wire = request.wire.clone().into();
    let decoded = otlp::decode(TenantId::default(), request.signal, Encoding::Protobuf, wire);
    decoded.map_or(0, |batch| batch.accepted + batch.rejected.count)
}
