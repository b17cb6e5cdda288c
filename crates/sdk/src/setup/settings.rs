//! All that code and environment say, put together once.

use super::destination::{self, Destination, LOGS, METRICS, TRACES};
use super::environment::Environment;
use super::limits::{Limits, LogLimits};
use super::{Builder, SetupError, resource};
use crate::histograms::Filter;
use crate::options::Content;
use crate::propagation::{B3, Jaeger};
use crate::queue::Batch;
use crate::sampling::{self, Sampling};
use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use std::time::Duration;

/// How contexts are written into headers and read from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Propagation {
    /// W3C's `traceparent` and `tracestate`.
    TraceContext,
    /// W3C's `baggage`.
    Baggage,
    /// Zipkin's single header, `b3`.
    B3,
    /// Zipkin's headers `x-b3-…`.
    B3Multiple,
    /// Jaeger's `uber-trace-id`.
    Jaeger,
}

impl Propagation {
    pub(super) fn propagator(self) -> Box<dyn TextMapPropagator + Send + Sync> {
        match self {
            Self::TraceContext => Box::new(TraceContextPropagator::new()),
            Self::Baggage => Box::new(BaggagePropagator::new()),
            Self::B3 => Box::new(B3::Single),
            Self::B3Multiple => Box::new(B3::Multiple),
            Self::Jaeger => Box::new(Jaeger),
        }
    }
}

/// All that code and environment say.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) disabled: bool,
    pub(super) resource: Vec<KeyValue>,
    pub(super) traces: Destination,
    pub(super) metrics: Destination,
    pub(super) logs: Destination,
    pub(super) sampling: Sampling,
    pub(super) propagation: Vec<Propagation>,
    pub(super) limits: Limits,
    pub(super) log_limits: LogLimits,
    pub(super) batch: Batch,
    pub(super) metric_interval: Duration,
    pub(super) temporality: Temporality,
    pub(super) exemplars: Filter,
    pub(super) content: Content,
    pub(super) log_filter: String,
}

impl Settings {
    pub(super) fn of(builder: &Builder, environment: &mut Environment) -> Result<Self, SetupError> {
        let code = &builder.code;
        let mut traces = Destination::of(TRACES, code, environment)?;
        let batch = builder.batch.unwrap_or_else(|| batch(environment));
        // The time that one batch may take bounds each of its requests.
        traces.timeout = traces.timeout.min(batch.timeout);
        let said = sampling(environment);
        let propagation = propagation(environment);
        let limits = Limits::of(environment);
        let content = content(environment);
        let log_filter = environment.first(&["RUST_LOG", "OTEL_LOG_LEVEL"]).map(|(_, value)| value);
        let log_filter = log_filter.unwrap_or_else(|| "info".to_owned());
        Ok(Self {
            disabled: environment.flag("OTEL_SDK_DISABLED"),
            resource: resource::attributes(&builder.attributes, environment),
            traces,
            metrics: Destination::of(METRICS, code, environment)?,
            logs: Destination::of(LOGS, code, environment)?,
            sampling: builder.sampling.clone().unwrap_or(said),
            propagation: builder.propagation.clone().unwrap_or(propagation),
            limits: builder.limits.unwrap_or(limits),
            log_limits: Limits::of_logs(environment),
            batch,
            metric_interval: environment
                .milliseconds(&["OTEL_METRIC_EXPORT_INTERVAL"], Duration::from_secs(60)),
            temporality: destination::temporality(environment),
            exemplars: exemplars(environment),
            content: builder.content.unwrap_or(content),
            log_filter: builder.log_filter.clone().unwrap_or(log_filter),
        })
    }

    pub(super) fn service(&self) -> String {
        let name = self.resource.iter().find(|attribute| attribute.key.as_str() == "service.name");
        name.map(|attribute| attribute.value.to_string()).unwrap_or_default()
    }
}

fn batch(environment: &mut Environment) -> Batch {
    let default = Batch::default();
    let queue = environment.number(&["OTEL_BSP_MAX_QUEUE_SIZE"], default.queue).max(1);
    let mut size = environment.number(&["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"], default.size).max(1);
    if size > queue {
        let allowed = "at most OTEL_BSP_MAX_QUEUE_SIZE";
        environment.warn("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &size.to_string(), allowed, queue);
        size = queue;
    }
    let delay = environment.milliseconds(&["OTEL_BSP_SCHEDULE_DELAY"], default.delay);
    let timeout = environment.milliseconds(&["OTEL_BSP_EXPORT_TIMEOUT"], default.timeout);
    Batch { queue, size, delay, timeout }
}

const SAMPLERS: &str = "always_on, always_off, traceidratio, consistent_probability, rate_limited, each also with \
                        parentbased_ before it";

fn sampling(environment: &mut Environment) -> Sampling {
    let usual = || sampling::parent_based(sampling::always());
    let Some(name) = environment.text("OTEL_TRACES_SAMPLER") else { return usual() };
    let word = name.to_ascii_lowercase();
    let (parent_based, kind) =
        word.strip_prefix("parentbased_").map_or((false, word.as_str()), |rest| (true, rest));
    let root = match kind {
        "always_on" => sampling::always(),
        "always_off" => sampling::never(),
        "traceidratio" => sampling::ratio(share(environment)),
        "consistent_probability" => sampling::consistent(share(environment)),
        "rate_limited" => sampling::rate_limited(environment.number(&["OTEL_TRACES_SAMPLER_ARG"], 100)),
        _ => {
            environment.warn("OTEL_TRACES_SAMPLER", &name, SAMPLERS, "parentbased_always_on");
            return usual();
        }
    };
    if parent_based { sampling::parent_based(root) } else { root }
}

fn share(environment: &mut Environment) -> f64 {
    let name = "OTEL_TRACES_SAMPLER_ARG";
    let Some(value) = environment.text(name) else { return 1.0 };
    match value.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => share,
        _ => {
            environment.warn(name, &value, "a number from 0 to 1", "1.0");
            1.0
        }
    }
}

/// Whose measurements may become exemplars.
fn exemplars(environment: &mut Environment) -> Filter {
    let default = ("trace_based", Filter::TraceBased);
    let choices = [default, ("always_on", Filter::AlwaysOn), ("always_off", Filter::AlwaysOff)];
    environment.choice(&["OTEL_METRICS_EXEMPLAR_FILTER"], &choices, default)
}

const PROPAGATORS: [(&str, Propagation); 5] = [
    ("tracecontext", Propagation::TraceContext),
    ("baggage", Propagation::Baggage),
    ("b3", Propagation::B3),
    ("b3multi", Propagation::B3Multiple),
    ("jaeger", Propagation::Jaeger),
];

fn propagation(environment: &mut Environment) -> Vec<Propagation> {
    let name = "OTEL_PROPAGATORS";
    let default = vec![Propagation::TraceContext, Propagation::Baggage];
    let Some(text) = environment.text(name) else { return default };
    if text.eq_ignore_ascii_case("none") {
        return Vec::new();
    }
    let mut chosen = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let found = PROPAGATORS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
        match found {
            Some((_, propagation)) if chosen.contains(propagation) => {}
            Some((_, propagation)) => chosen.push(*propagation),
            None => {
                let allowed = "tracecontext, baggage, b3, b3multi, jaeger, none";
                environment.warn(name, word, allowed, "the others");
            }
        }
    }
    if chosen.is_empty() { default } else { chosen }
}

fn content(environment: &mut Environment) -> Content {
    let name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
    // The newer words say where content goes; here it goes onto spans.
    let on = Content::On;
    let choices = [
        ("true", on),
        ("span_only", on),
        ("span_and_event", on),
        ("false", Content::Off),
        ("no_content", Content::Off),
    ];
    environment.choice(&[name], &choices, ("false", Content::Off))
}
