//! Sends export requests over several connections, as fast as they are answered or as asked.

use super::{Latencies, Template, Workload};
use crate::failure::Failure;
use anyhow::Context;
use indicatif::ProgressBar;
use model::Timestamp;
use reqwest::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Templates take up to about this much memory.
const TEMPLATES: u64 = 64;
/// A request that is refused is sent again at most so often.
const TRIES: u32 = 20;

/// What to send, and how.
#[derive(Debug, Clone)]
pub struct Load {
    pub url: String,
    pub workload: Workload,
    pub spans: u64,
    pub spans_per_request: u64,
    pub connections: u64,
    /// Spans a second; as fast as possible without.
    pub rate: Option<f64>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Sent {
    pub requests: u64,
    /// Acknowledged.
    pub spans: u64,
    /// Spans that were refused for good.
    pub rejected: u64,
    /// Answers that asked to come again later.
    pub retries: u64,
    pub wire_bytes: u64,
    pub latencies: Latencies,
    pub elapsed: Duration,
    /// Why spans were refused, the first time.
    pub reason: Option<String>,
}

/// What all connections share.
struct Sharing {
    load: Load,
    templates: Vec<Template>,
    http: reqwest::Client,
    next: AtomicU64,
    handed_out: AtomicU64,
    bar: ProgressBar,
    begin: Instant,
}

impl Load {
    /// Sends all of it. Requests are made before the clock starts.
    pub async fn send(self, bar: ProgressBar) -> Result<Sent, Failure> {
        let count = self.spans.div_ceil(self.spans_per_request).clamp(1, TEMPLATES);
        let first = |number: u64| number * self.spans_per_request;
        let templates: Vec<Template> = (0..count)
            .map(|number| {
                Template::new(&self.workload, first(number), self.spans_per_request.min(self.spans))
            })
            .collect();
        let connections = self.connections.max(1);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build();
        let sharing = Arc::new(Sharing {
            http: http.context("setting up the HTTP client")?,
            load: self,
            templates,
            next: AtomicU64::new(0),
            handed_out: AtomicU64::new(0),
            bar,
            begin: Instant::now(),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            tasks.spawn(connection(Arc::clone(&sharing)));
        }
        let mut total = Sent::default();
        while let Some(sent) = tasks.join_next().await {
            total.add(sent.context("a connection ended")??);
        }
        total.elapsed = sharing.begin.elapsed();
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
        self.wire_bytes += other.wire_bytes;
        self.latencies.extend(other.latencies);
        self.reason = self.reason.take().or(other.reason);
    }
}

/// One connection: the next request is sent when the one before is answered.
async fn connection(sharing: Arc<Sharing>) -> Result<Sent, Failure> {
    let mut sent = Sent::default();
    loop {
        let number = sharing.next.fetch_add(1, Ordering::Relaxed);
        let place = usize::try_from(number % sharing.templates.len() as u64).unwrap_or(0);
        let Some(template) = sharing.templates.get(place) else { return Ok(sent) };
        let before = sharing.handed_out.fetch_add(template.spans, Ordering::Relaxed);
        if before >= sharing.load.spans {
            return Ok(sent);
        }
        if let Some(rate) = sharing.load.rate {
            #[expect(clippy::cast_precision_loss, reason = "a pace")]
            let due = sharing.begin + Duration::from_secs_f64(before as f64 / rate);
            tokio::time::sleep_until(due).await;
        }
        // Seeds of runs differ, and so do their ids.
        let salt = sharing.load.workload.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number;
        let wire = bytes::Bytes::from(template.request(salt, Timestamp::now()));
        sent.requests += 1;
        sent.wire_bytes += wire.len() as u64;
        deliver(&sharing, wire, template.spans, &mut sent).await?;
        sharing.bar.inc(template.spans);
    }
}

/// Sends until it is taken, or refused for good.
async fn deliver(sharing: &Sharing, wire: bytes::Bytes, spans: u64, sent: &mut Sent) -> Result<(), Failure> {
    for _ in 0..TRIES {
        let started = Instant::now();
        let request = sharing.http.post(&sharing.load.url).header("content-type", "application/x-protobuf");
        let answer = request.body(wire.clone()).send().await;
        let answer = answer.map_err(|error| {
            Failure::Unreachable(format!("sending to {} failed: {error:#}", sharing.load.url))
        })?;
        let status = answer.status();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let after =
                answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            sent.retries += 1;
            tokio::time::sleep(Duration::from_secs(after.unwrap_or(1).min(30))).await;
            continue;
        }
        let body = answer.bytes().await.context("reading an answer")?;
        sent.latencies.add(started.elapsed());
        let rejected = if status.is_success() { rejected(&body).min(spans) } else { spans };
        if rejected > 0 {
            let text = String::from_utf8_lossy(&body);
            sent.reason.get_or_insert_with(|| format!("{status}: {}", crate::terminal::harmless(&text)));
        }
        sent.spans += spans - rejected;
        sent.rejected += rejected;
        return Ok(());
    }
    sent.reason.get_or_insert_with(|| "the server kept asking to come again later".to_owned());
    sent.rejected += spans;
    Ok(())
}

/// `ExportTraceServiceResponse.partial_success.rejected_spans`.
fn rejected(body: &[u8]) -> u64 {
    let Some((&[0x0a, _, 0x08], rest)) = body.split_first_chunk::<3>() else { return 0 };
    let mut value = 0;
    for (place, byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::rejected;
    use model::otlp::response::encode_response;

    #[test]
    fn partial_success_is_read() {
        for count in [0, 1, 127, 128, 300, 70_000] {
            assert_eq!(rejected(&encode_response(count, "why")), count, "{count}");
        }
        assert_eq!(rejected(&encode_response(0, "only a warning")), 0);
        assert_eq!(rejected(b""), 0);
    }
}
