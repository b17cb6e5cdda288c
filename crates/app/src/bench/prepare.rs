//! Makes the requests of a load before its clock starts, as far as memory allows; the rest is made while it is sent,
//! by threads of their own.

use super::workload::{Request, Stream, Workload};
use crate::failure::Failure;
use anyhow::Context;
use model::Timestamp;
use tokio::sync::{Mutex, mpsc};

/// A load is made in so many parts, whatever machine makes it and however many connections send it, so that the same
/// seed sends the same everywhere.
const PARTS: u64 = 4;
/// Requests take at most this much memory, and a quarter of what is free.
const MOST_MEMORY: u64 = 2 << 30;
/// Where the free memory is not known.
const SOME_MEMORY: u64 = 256 << 20;

/// Requests that are made, and those that are being made.
pub struct Requests(Mutex<mpsc::Receiver<Request>>);

/// How a load is cut.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    pub spans: u64,
    pub spans_per_request: u64,
    /// Spans a second; as fast as possible without.
    pub rate: Option<f64>,
}

impl Requests {
    /// Waits until all are made, or as many as are held in memory.
    pub async fn prepare(workload: Workload, cut: Cut) -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::channel(held(workload, cut));
        let (full, mut is_full) = mpsc::channel::<()>(1);
        for part in 0..PARTS {
            let spans = share(cut.spans, part);
            let stream = Stream::new(workload, part, spans);
            let (sender, full) = (sender.clone(), full.clone());
            let per_request = usize::try_from(cut.spans_per_request).unwrap_or(usize::MAX);
            let thread = std::thread::Builder::new().name(format!("bench-{part}"));
            let started = thread.spawn(move || make(stream, per_request, &sender, &full));
            started.context("starting a thread that makes requests")?;
        }
        drop(full);
        // A message when there is no room for more, nothing when all are made.
        is_full.recv().await;
        Ok(Self(Mutex::new(receiver)))
    }

    pub async fn next(&self) -> Option<Request> {
        self.0.lock().await.recv().await
    }

    /// How many are waiting to be sent.
    pub async fn made(&self) -> u64 {
        self.0.lock().await.len() as u64
    }
}

/// Ends when all is made, or nobody sends any more.
fn make(
    mut stream: Stream,
    spans_per_request: usize,
    requests: &mpsc::Sender<Request>,
    full: &mpsc::Sender<()>,
) {
    while let Some(request) = stream.request(spans_per_request, Timestamp::now()) {
        let sent = match requests.try_send(request) {
            Err(mpsc::error::TrySendError::Full(request)) => {
                // Told already is told enough.
                let _ = full.try_send(());
                requests.blocking_send(request).is_ok()
            }
            other => other.is_ok(),
        };
        if !sent {
            return;
        }
    }
}

/// The spans of a part, which are together all spans.
fn share(spans: u64, part: u64) -> u64 {
    spans / PARTS + u64::from(part < spans % PARTS)
}

/// How many requests are held: with a rate only those of the next second, so that their times are true when sent.
fn held(workload: Workload, cut: Cut) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "never negative, and far below 2^53"
    )]
    let requests = match cut.rate {
        Some(rate) => rate as u64 / cut.spans_per_request,
        None => memory() / (cut.spans_per_request * (1_000 + (workload.content * 3_000.0) as u64)),
    };
    usize::try_from(requests.clamp(8, 1 << 20)).unwrap_or(8)
}

fn memory() -> u64 {
    let information = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    available(&information).map_or(SOME_MEMORY, |bytes| (bytes / 4).min(MOST_MEMORY))
}

fn available(information: &str) -> Option<u64> {
    super::process::memory(information, "MemAvailable:")
}

#[cfg(test)]
mod tests {
    use super::{Cut, PARTS, Requests, available, share};
    use crate::bench::Workload;

    #[test]
    fn parts_are_together_the_whole() {
        for spans in [0, 1, 3, 4, 2_000, 1_000_003] {
            assert_eq!((0..PARTS).map(|part| share(spans, part)).sum::<u64>(), spans);
        }
        assert_eq!(available("MemFree: 1 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(available(""), None);
    }

    #[tokio::test]
    async fn all_is_made_whether_or_not_it_is_held_at_once() {
        for rate in [None, Some(1.0)] {
            let cut = Cut { spans: 1_001, spans_per_request: 20, rate };
            let workload = Workload { seed: 1, run: 1, content: 0.1 };
            let requests = Requests::prepare(workload, cut).await.unwrap();
            let mut spans = 0;
            while let Some(request) = requests.next().await {
                spans += request.spans;
            }
            assert_eq!(spans, 1_001);
        }
    }
}
