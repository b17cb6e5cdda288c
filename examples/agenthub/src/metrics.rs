//! What each process counts of itself. Every instrument is there twice: for OTLP, and for `/metrics`.

use crate::error::Error;
use clew_sdk::opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider};
use clew_sdk::opentelemetry::{KeyValue, global};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bounds of durations, in seconds.
const BOUNDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The instruments of one process.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    meters: [Meter; 2],
    instruments: Arc<[Instruments; 2]>,
    _scraped: SdkMeterProvider,
}

#[derive(Debug)]
struct Instruments {
    published: Counter<u64>,
    processed: Counter<u64>,
    errors: Counter<u64>,
    connection_errors: Counter<u64>,
    duration: Histogram<f64>,
}

impl Instruments {
    fn new(meter: &Meter) -> Self {
        let counter = |name, description| meter.u64_counter(name).with_description(description).build();
        Self {
            published: counter("events_published_total", "Events sent on"),
            processed: counter("events_processed_total", "Events worked on"),
            errors: counter("event_errors_total", "Events whose work failed"),
            connection_errors: counter(
                "message_broker_connection_errors_total",
                "Attempts to speak to the broker that failed",
            ),
            duration: meter
                .f64_histogram("event_processing_duration_seconds")
                .with_description("How long the work on an event took, in seconds")
                .with_boundaries(BOUNDS.to_vec())
                .build(),
        }
    }
}

/// A value that is looked up whenever it is asked for, with its labels.
type Reading = (f64, Vec<KeyValue>);

impl Metrics {
    /// The instruments of this service, with those about the process itself.
    pub(crate) fn new(service: &'static str) -> Result<Self, Error> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone());
        let exporter =
            exporter.without_target_info().without_counter_suffixes().scope_info_enabled(false).build();
        let exporter = exporter.map_err(|error| Error::Metrics(error.to_string()))?;
        let scraped = SdkMeterProvider::builder().with_reader(exporter).build();
        let meters = [global::meter(service), scraped.meter(service)];
        let instruments = Arc::new([Instruments::new(&meters[0]), Instruments::new(&meters[1])]);
        let metrics = Self { registry, meters, instruments, _scraped: scraped };
        metrics.watch_process();
        watch_spans(&metrics.meters[1]);
        Ok(metrics)
    }

    /// An event was sent on.
    pub(crate) fn published(&self, event_type: &str, destination: &str) {
        let labels = [label("event_type", event_type), label("destination", destination)];
        self.instruments.iter().for_each(|each| each.published.add(1, &labels));
    }

    /// An event was worked on; an error has its type.
    pub(crate) fn processed(&self, event_type: &str, source: &str, took: Duration, error: Option<&str>) {
        let of = [label("event_type", event_type), label("source", source)];
        let [event_type, source] = of.clone();
        let success = label("success", if error.is_none() { "true" } else { "false" });
        let with_success = [event_type.clone(), source.clone(), success];
        let with_error = error.map(|error| [event_type, source, label("error", error)]);
        for each in self.instruments.iter() {
            each.processed.add(1, &with_success);
            each.duration.record(took.as_secs_f64(), &of);
            if let Some(labels) = &with_error {
                each.errors.add(1, labels);
            }
        }
    }

    /// The broker could not be spoken to.
    pub(crate) fn connection_failed(&self) {
        self.instruments.iter().for_each(|each| each.connection_errors.add(1, &[]));
    }

    /// A value that goes up and down, looked up when it is asked for.
    pub(crate) fn gauge(
        &self,
        name: &'static str,
        description: &'static str,
        read: impl Fn() -> Vec<Reading> + Clone + Send + Sync + 'static,
    ) {
        for meter in &self.meters {
            let read = read.clone();
            let gauge = meter.f64_observable_gauge(name).with_description(description);
            gauge
                .with_callback(move |seen| {
                    read().iter().for_each(|(value, labels)| seen.observe(*value, labels));
                })
                .build();
        }
    }

    fn watch_process(&self) {
        let started = Instant::now();
        self.gauge("service_uptime_seconds", "Seconds since the start", move || {
            vec![(started.elapsed().as_secs_f64(), Vec::new())]
        });
        self.gauge("process_resident_memory_bytes", "Memory that the process has", || {
            resident_memory().map(|bytes| (bytes, Vec::new())).into_iter().collect()
        });
    }

    /// All of it, as Prometheus reads it.
    pub(crate) fn text(&self) -> Result<String, Error> {
        let families = self.registry.gather();
        TextEncoder::new().encode_to_string(&families).map_err(|error| Error::Metrics(error.to_string()))
    }
}

/// What became of spans. Over OTLP, the SDK says so itself.
fn watch_spans(meter: &Meter) {
    let spans =
        meter.u64_observable_counter("trace_spans_total").with_description("Spans by what became of them");
    spans
        .with_callback(|seen| {
            let counts = clew_sdk::counts();
            let states = [
                ("created", counts.created),
                ("ended", counts.ended),
                ("exported", counts.exported),
                ("dropped", counts.dropped),
            ];
            for (state, count) in states {
                seen.observe(count, &[KeyValue::new("state", state)]);
            }
        })
        .build();
}

fn label(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, value.to_owned())
}

/// From Linux's account of this process; elsewhere there is none.
fn resident_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0)
}
