//! How many requests there are, how long they take and how they end, as metrics.

use crate::failure::Failure;
use clew_sdk::opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider, UpDownCounter};
use clew_sdk::opentelemetry::{KeyValue, global};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};
use std::time::Instant;

/// In seconds: answers of models take from milliseconds to a minute.
const BOUNDARIES: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// How requests go. Every instrument is there twice: for OTLP, and for `/metrics`.
#[derive(Debug)]
pub struct Requests {
    registry: Registry,
    instruments: [Instruments; 2],
    _scraped: SdkMeterProvider,
}

#[derive(Debug)]
struct Instruments {
    total: Counter<u64>,
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
    chat_total: Counter<u64>,
    chat_duration: Histogram<f64>,
}

impl Instruments {
    fn new(application: &Meter, chat: &Meter) -> Self {
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
    /// The instruments; made once.
    pub fn new() -> Result<Self, Failure> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone());
        let exporter =
            exporter.without_target_info().without_counter_suffixes().scope_info_enabled(false).build();
        let exporter = exporter.map_err(|error| Failure::Metrics(error.to_string()))?;
        let scraped = SdkMeterProvider::builder().with_reader(exporter).build();
        let (application, chat) = ("myapp", "ai-chat-service");
        let instruments = [
            Instruments::new(&global::meter(application), &global::meter(chat)),
            Instruments::new(&scraped.meter(application), &scraped.meter(chat)),
        ];
        Ok(Self { registry, instruments, _scraped: scraped })
    }

    /// All of it, as Prometheus reads it.
    pub fn text(&self) -> Result<String, Failure> {
        let families = self.registry.gather();
        TextEncoder::new().encode_to_string(&families).map_err(|error| Failure::Metrics(error.to_string()))
    }

    /// A request begins. It is active until this is dropped, also when the client goes away.
    pub fn begin(&self, endpoint: &'static str) -> Active<'_> {
        self.instruments.iter().for_each(|each| each.active.add(1, &[]));
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
        for each in &self.requests.instruments {
            each.total.add(1, &[status.clone(), endpoint.clone()]);
            each.duration.record(seconds, std::slice::from_ref(&endpoint));
            if self.endpoint == "/chat" {
                each.chat_total.add(1, std::slice::from_ref(&status));
                each.chat_duration.record(seconds, std::slice::from_ref(&status));
            }
        }
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.requests.instruments.iter().for_each(|each| each.active.add(-1, &[]));
    }
}
