//! How many requests there are, how long they take and how they end, as metrics.

use clew_sdk::opentelemetry::metrics::{Counter, Histogram, UpDownCounter};
use clew_sdk::opentelemetry::{KeyValue, global};
use std::time::Instant;

/// In seconds: answers of models take from milliseconds to a minute.
const BOUNDARIES: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// The instruments; made once.
#[derive(Debug)]
pub struct Requests {
    total: Counter<u64>,
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
    chat_total: Counter<u64>,
    chat_duration: Histogram<f64>,
}

impl Default for Requests {
    fn default() -> Self {
        let (application, chat) = (global::meter("myapp"), global::meter("ai-chat-service"));
        let total = application.u64_counter("myapp.requests.total").with_unit("1");
        let duration = application.f64_histogram("myapp.request.duration").with_unit("s");
        let active = application.i64_up_down_counter("myapp.requests.active");
        let chat_duration = chat.f64_histogram("chat.request.duration");
        Self {
            total: total.with_description("Total number of requests").build(),
            duration: duration
                .with_description("Request duration in seconds")
                .with_boundaries(BOUNDARIES.to_vec())
                .build(),
            active: active.with_description("Number of active requests").build(),
            chat_total: chat.u64_counter("chat.requests.total").build(),
            chat_duration: chat_duration.with_boundaries(BOUNDARIES.to_vec()).build(),
        }
    }
}

impl Requests {
    /// A request begins. It is active until this is dropped, also when the client goes away.
    pub fn begin(&self, endpoint: &'static str) -> Active<'_> {
        self.active.add(1, &[]);
        Active { requests: self, endpoint, began: Instant::now() }
    }
}

/// A request that is under way.
pub struct Active<'a> {
    requests: &'a Requests,
    endpoint: &'static str,
    began: Instant,
}

impl Active<'_> {
    /// It ended like this: `success` or `error`.
    pub fn ended(&self, status: &'static str) {
        let seconds = self.began.elapsed().as_secs_f64();
        let (status, endpoint) = (KeyValue::new("status", status), KeyValue::new("endpoint", self.endpoint));
        self.requests.total.add(1, &[status.clone(), endpoint.clone()]);
        self.requests.duration.record(seconds, std::slice::from_ref(&endpoint));
        if self.endpoint == "/chat" {
            self.requests.chat_total.add(1, std::slice::from_ref(&status));
            self.requests.chat_duration.record(seconds, &[status]);
        }
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.requests.active.add(-1, &[]);
    }
}
