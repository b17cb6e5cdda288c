//! Sends export requests over several connections, as fast as they are answered or as asked.

use super::prepare::{Cut, Requests};
use super::workload::{Request, Workload};
use super::{Latencies, Process};
use crate::failure::Failure;
use crate::terminal::harmless;
use anyhow::Context;
use indicatif::ProgressBar;
use reqwest::{Response, StatusCode, Url};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A request that the server puts off is sent again at most so often.
const TRIES: u32 = 20;
/// A connection that breaks is tried again at most so often.
const BREAKS: u32 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What to send, and how.
#[derive(Debug, Clone)]
pub struct Load {
    pub url: Url,
    pub workload: Workload,
    pub cut: Cut,
    pub connections: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Sent {
    pub requests: u64,
    /// Acknowledged.
    pub spans: u64,
    /// Spans that the server refused for good.
    pub rejected: u64,
    /// Answers that asked to come again later.
    pub retries: u64,
    /// Connections that broke before an answer.
    pub breaks: u64,
    pub wire_bytes: u64,
    /// Spans in those bytes, whatever became of them.
    pub handed_out: u64,
    pub latencies: Latencies,
    pub elapsed: Duration,
    /// For how long connections had nothing to send, because it was not made yet.
    pub starved: Duration,
    /// What this program used meanwhile.
    pub own_processor: Option<Duration>,
    /// Why spans were refused or lost, the first time.
    pub reason: Option<String>,
}

/// What all connections share.
struct Sharing {
    load: Load,
    requests: Requests,
    http: reqwest::Client,
    /// Spans whose turn came.
    handed_out: AtomicU64,
    /// Nothing was taken yet and something was refused, or the server is gone: more of the same is of no use.
    hopeless: AtomicBool,
    taken: AtomicBool,
    bar: ProgressBar,
    begin: Instant,
}

/// How a request ended that was sent as often as need be.
enum End {
    /// So many of its spans were refused.
    Taken(u64),
    Refused,
    Lost,
}

impl Load {
    /// Sends all of it. Requests are made before the clock starts, as far as memory allows.
    pub async fn send(self, requests: Requests, bar: ProgressBar) -> Result<Sent, Failure> {
        let connections = self.connections;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build();
        let own = Process::own();
        let used = own.usage();
        let sharing = Arc::new(Sharing {
            http: http.context("setting up the HTTP client")?,
            load: self,
            requests,
            handed_out: AtomicU64::new(0),
            hopeless: AtomicBool::new(false),
            taken: AtomicBool::new(false),
            bar,
            begin: Instant::now(),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            tasks.spawn(connection(Arc::clone(&sharing)));
        }
        let mut total = Sent::default();
        while let Some(sent) = tasks.join_next().await {
            total.add(sent.context("a connection ended")?);
        }
        total.elapsed = sharing.begin.elapsed();
        total.own_processor = used.zip(own.usage()).map(|(before, after)| after.since(before));
        sharing.bar.finish_and_clear();
        Ok(total)
    }
}

impl Sent {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.spans += other.spans;
        self.rejected += other.rejected;
        self.retries += other.retries;
        self.breaks += other.breaks;
        self.wire_bytes += other.wire_bytes;
        self.handed_out += other.handed_out;
        self.latencies.extend(other.latencies);
        self.starved += other.starved;
        self.reason = self.reason.take().or(other.reason);
    }

    fn because(&mut self, reason: impl FnOnce() -> String) {
        self.reason.get_or_insert_with(reason);
    }
}

/// One connection: the next request is sent when the one before is answered.
async fn connection(sharing: Arc<Sharing>) -> Sent {
    let mut sent = Sent::default();
    while !sharing.hopeless.load(Ordering::Relaxed) {
        let waiting = Instant::now();
        let Some(request) = sharing.requests.next().await else { break };
        sent.starved += waiting.elapsed();
        let due = sharing.turn(&request).await;
        sent.requests += 1;
        sent.wire_bytes += request.wire.len() as u64;
        sent.handed_out += request.spans;
        match deliver(&sharing, &request, due, &mut sent).await {
            End::Taken(rejected) => {
                sharing.taken.store(true, Ordering::Relaxed);
                sent.spans += request.spans - rejected;
                sent.rejected += rejected;
            }
            End::Refused => {
                sent.rejected += request.spans;
                if !sharing.taken.load(Ordering::Relaxed) {
                    sharing.hopeless.store(true, Ordering::Relaxed);
                }
            }
            End::Lost => sharing.hopeless.store(true, Ordering::Relaxed),
        }
        sharing.bar.inc(request.spans);
    }
    sent
}

impl Sharing {
    /// Waits until it is the request's turn, when there is a rate. The time from which its latency counts: a server
    /// that falls behind delays those that come after, and that shall be seen.
    async fn turn(&self, request: &Request) -> Instant {
        let before = self.handed_out.fetch_add(request.spans, Ordering::Relaxed);
        let Some(rate) = self.load.cut.rate else { return Instant::now() };
        #[expect(clippy::cast_precision_loss, reason = "a pace")]
        let due = self.begin + Duration::from_secs_f64(before as f64 / rate);
        tokio::time::sleep_until(due).await;
        due
    }

    async fn post(&self, request: &Request) -> Result<Response, reqwest::Error> {
        let post = self.http.post(self.load.url.clone()).header("content-type", "application/x-protobuf");
        post.body(request.wire.clone()).send().await
    }
}

/// Sends until it is taken, or refused for good, or all patience is at its end.
async fn deliver(sharing: &Sharing, request: &Request, due: Instant, sent: &mut Sent) -> End {
    let (mut tries, mut breaks) = (0, 0);
    let mut started = due;
    loop {
        let answer = match sharing.post(request).await {
            Ok(answer) => read(answer).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(Answer::Taken { rejected, message }) => {
                sent.latencies.add(started.elapsed());
                if rejected > 0 {
                    sent.because(|| format!("some of a request were refused: {}", harmless(&message)));
                }
                return End::Taken(rejected.min(request.spans));
            }
            Ok(Answer::Refused(message)) => {
                sent.because(|| harmless(&message));
                return End::Refused;
            }
            Ok(Answer::Later(wait)) => {
                tries += 1;
                sent.retries += 1;
                if tries >= TRIES {
                    sent.because(|| format!("the server asked {TRIES} times to come again later"));
                    return End::Lost;
                }
                tokio::time::sleep(wait).await;
            }
            // It may have been stored: sending it again changes nothing at a server that keeps to its ids.
            Err(error) => {
                breaks += 1;
                sent.breaks += 1;
                if breaks >= BREAKS {
                    sent.because(|| format!("sending to {} failed: {error:#}", sharing.load.url));
                    return End::Lost;
                }
                tokio::time::sleep(Duration::from_millis(100 << breaks)).await;
            }
        }
        started = Instant::now();
    }
}

/// What a server says to a request.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Taken { rejected: u64, message: String },
    Later(Duration),
    Refused(String),
}

async fn read(answer: Response) -> Result<Answer, reqwest::Error> {
    let status = answer.status();
    let header = |name| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
    let (after, kind) = (header("retry-after"), header("content-type"));
    let body = answer.bytes().await?;
    Ok(understand(status, after.as_deref(), kind.as_deref(), &body))
}

/// The statuses that OTLP says are worth another try are put off; other errors are for good.
fn understand(status: StatusCode, after: Option<&str>, kind: Option<&str>, body: &[u8]) -> Answer {
    match status.as_u16() {
        200..300 => {
            let is_json = kind.is_some_and(|kind| kind.starts_with("application/json"));
            let (rejected, message) = if is_json { in_json(body) } else { in_protobuf(body) };
            Answer::Taken { rejected, message }
        }
        429 | 502 | 503 | 504 => {
            let seconds = after.and_then(|after| after.parse().ok()).unwrap_or(1);
            Answer::Later(Duration::from_secs(seconds).min(LONGEST_WAIT))
        }
        _ => {
            let text = String::from_utf8_lossy(body);
            Answer::Refused(format!("{status}: {}", text.chars().take(500).collect::<String>()))
        }
    }
}

/// An answer that is no protobuf refuses nothing: some servers answer with a word.
fn in_protobuf(body: &[u8]) -> (u64, String) {
    model::otlp::response::decode_response(body).unwrap_or_default()
}

fn in_json(body: &[u8]) -> (u64, String) {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let partial = &answer["partialSuccess"];
    let rejected = &partial["rejectedSpans"];
    let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0);
    (rejected, partial["errorMessage"].as_str().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Answer, understand};
    use model::Signal;
    use model::otlp::response::{encode_response, json_response};
    use reqwest::StatusCode;
    use std::time::Duration;

    #[test]
    fn answers_are_understood() {
        let check = |status: u16, after, kind, body: &[u8], expect| {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(understand(status, after, kind, body), expect);
        };
        let taken = |rejected, message: &str| Answer::Taken { rejected, message: message.to_owned() };
        let long = "why ".repeat(100);
        check(200, None, None, b"", taken(0, ""));
        check(202, None, Some("text/plain"), b"ok", taken(0, ""));
        check(200, None, None, &encode_response(3, &long), taken(3, &long));
        let json = json_response(Signal::Traces, 4, "why");
        check(200, None, Some("application/json; charset=utf-8"), json.as_bytes(), taken(4, "why"));
        check(200, None, Some("application/json"), b"{}", taken(0, ""));
        check(429, Some("2"), None, b"", Answer::Later(Duration::from_secs(2)));
        check(503, None, None, b"", Answer::Later(Duration::from_secs(1)));
        check(503, Some("9999"), None, b"", Answer::Later(Duration::from_secs(30)));
        check(404, None, None, b"no", Answer::Refused("404 Not Found: no".to_owned()));
    }
}
