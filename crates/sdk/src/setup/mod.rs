//! Sets up traces, metrics and logs.

pub(crate) mod console;
mod delivery;
mod destination;
pub(crate) mod environment;
mod exporters;
mod guard;
pub(crate) mod limits;
mod readings;
pub(crate) mod records;
mod resource;
mod retry;
mod settings;
mod transport;

pub use destination::{Exporter, Protocol};
pub use environment::Warning;
pub use guard::{OnSignal, Telemetry};
pub use limits::Limits;
pub use settings::Propagation;

use crate::histograms::{Histograms, Meters};
use crate::logs::Logs;
use crate::metrics;
use crate::options::{self, Content};
use crate::queue::{Batch, Outlet, Queue};
use crate::recorder::{self, Recorder};
use crate::redaction::Redaction;
use crate::rules::Rules;
use crate::sampling::{self, Sampling};
use crate::tracing_spans::{agent_spans, concerns};
use crate::wire;
use console::Console;
use destination::{Code, Destination};
use environment::Environment;
use guard::Providers;
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::{KeyValue, Value, global};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use readings::Readings;
use regex::Regex;
use settings::Settings;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use thiserror::Error;
use tokio::runtime::Runtime;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// How long what is buffered may take to be sent at the end.
const DEADLINE: Duration = Duration::from_secs(5);

/// Everything from the environment.
///
/// # Errors
/// When an exporter cannot be made of what the environment says.
pub fn init() -> Result<Telemetry, SetupError> {
    builder().build()
}

/// Telemetry that is described in code; what is not described comes from the environment.
#[must_use]
pub fn builder() -> Builder {
    Builder::default()
}

/// Why telemetry cannot be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// An endpoint is no address.
    #[error("the endpoint {0:?} is no address: write http://host:port or https://host:port")]
    Endpoint(String),
    /// A header cannot be sent. Its value may be a secret, and is not told.
    #[error("the header {0:?} has a name or value that cannot be sent")]
    Header(String),
    /// A certificate or key cannot be used.
    #[error("reading the certificate or key {path}: {source}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// TLS cannot be set up: a certificate or key is none.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// A rule of redaction is no regular expression.
    #[error("the redaction rule cannot be used: {0}")]
    Rule(#[from] regex::Error),
    /// The runtime for gRPC cannot be started.
    #[error("the runtime for gRPC cannot be started: {0}")]
    Runtime(std::io::Error),
}

/// What telemetry says of the program, and where it goes. What code says goes before what the environment says.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    attributes: Vec<KeyValue>,
    code: Code,
    sampling: Option<Sampling>,
    limits: Option<Limits>,
    batch: Option<Batch>,
    propagation: Option<Vec<Propagation>>,
    content: Option<Content>,
    old_names: bool,
    redaction: Redacted,
    baggage: Vec<String>,
    json_logs: bool,
    log_filter: Option<String>,
    on_signal: Option<OnSignal>,
    deadline: Option<Duration>,
}

/// What code says of redaction.
#[derive(Debug, Clone, Default)]
struct Redacted {
    off: bool,
    expressions: Vec<String>,
}

impl Builder {
    /// `service.name`.
    #[must_use]
    pub fn service(self, name: impl Into<String>) -> Self {
        self.attribute("service.name", name.into())
    }

    /// `service.version`.
    #[must_use]
    pub fn version(self, version: impl Into<String>) -> Self {
        self.attribute("service.version", version.into())
    }

    /// An attribute of the resource: of all that this program sends.
    #[must_use]
    pub fn attribute(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    /// Where telemetry goes, without a signal's path: `http://localhost:4318`.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.code.endpoint = Some(url.into());
        self
    }

    /// How it is sent.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.code.protocol = Some(protocol);
        self
    }

    /// A header of each request to the receiver: the key of a service, say. Never written anywhere else.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.code.headers.push((name.into(), value.into()));
        self
    }

    /// Whether requests are compressed.
    #[must_use]
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.code.gzip = Some(gzip);
        self
    }

    /// How long one request may take, with all its retries; 10 s unless told otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.code.timeout = Some(timeout);
        self
    }

    /// A file with the certificates that the receiver's is checked by, in PEM.
    #[must_use]
    pub fn certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.code.certificate = Some(path.into());
        self
    }

    /// What becomes of all three signals.
    #[must_use]
    pub fn exporter(mut self, exporter: Exporter) -> Self {
        self.code.exporter = Some(exporter);
        self
    }

    /// Which traces are recorded; all unless told otherwise. See [`crate::sampling`].
    #[must_use]
    pub fn sampler(mut self, sampling: impl Into<Sampling>) -> Self {
        self.sampling = Some(sampling.into());
        self
    }

    /// How much a span may hold.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// How spans are batched.
    #[must_use]
    pub fn batch(mut self, batch: Batch) -> Self {
        self.batch = Some(batch);
        self
    }

    /// How contexts are written into headers and read from them.
    #[must_use]
    pub fn propagation(mut self, forms: impl IntoIterator<Item = Propagation>) -> Self {
        self.propagation = Some(forms.into_iter().collect());
        self
    }

    /// Whether what people, models and tools say is recorded: not unless it is asked for.
    #[must_use]
    pub fn capture_content(mut self, content: Content) -> Self {
        self.content = Some(content);
        self
    }

    /// Whether names that attributes had before stand beside the current ones, for receivers that only know those.
    #[must_use]
    pub fn old_names(mut self, old_names: bool) -> Self {
        self.old_names = old_names;
        self
    }

    /// Whether secrets and personal data are taken out of what is sent; they are unless told otherwise.
    #[must_use]
    pub fn redaction(mut self, redaction: bool) -> Self {
        self.redaction.off = !redaction;
        self
    }

    /// A regular expression; what it matches is taken out of all values, beside what is taken out anyway.
    #[must_use]
    pub fn redact(mut self, expression: impl Into<String>) -> Self {
        self.redaction.expressions.push(expression.into());
        self
    }

    /// A key of baggage that becomes an attribute of every span below: exact, or the beginning of several (`tenant.*`).
    #[must_use]
    pub fn baggage_attribute(mut self, key: impl Into<String>) -> Self {
        self.baggage.push(key.into());
        self
    }

    /// Whether events of `tracing` are written to the standard output, too, as lines of JSON.
    #[must_use]
    pub fn json_logs(mut self, json_logs: bool) -> Self {
        self.json_logs = json_logs;
        self
    }

    /// Which events of `tracing` become log records, as in `RUST_LOG`: `info` unless told otherwise.
    #[must_use]
    pub fn log_filter(mut self, directives: impl Into<String>) -> Self {
        self.log_filter = Some(directives.into());
        self
    }

    /// What a SIGTERM or SIGINT does once what is buffered is sent. Unless told otherwise it ends the program; within a
    /// Tokio runtime, the program has five seconds to end in its own way before that.
    #[must_use]
    pub fn on_signal(mut self, on_signal: OnSignal) -> Self {
        self.on_signal = Some(on_signal);
        self
    }

    /// How long what is buffered may take to be sent at the end; 5 s unless told otherwise.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets all up: traces, metrics, log records of `tracing` events, and how contexts travel.
    ///
    /// # Errors
    /// When an exporter cannot be made of what code and environment say.
    pub fn build(self) -> Result<Telemetry, SetupError> {
        self.build_in(Environment::process())
    }

    fn build_in(self, mut environment: Environment) -> Result<Telemetry, SetupError> {
        let settings = Settings::of(&self, &mut environment)?;
        let rules = Arc::new(self.rules(&settings)?);
        let runtime = runtime(&settings)?;
        let entered = runtime.as_ref().map(Runtime::enter);
        let traces = traces(&settings, Arc::clone(&rules))?;
        let histograms = histograms(&settings);
        let metrics = readings(&settings, histograms.as_ref())?;
        let logs = records(&settings)?;
        drop(entered);
        let traces = recorder::set(traces);
        match &histograms {
            Some(all) => global::set_meter_provider(Meters::new(metrics.clone(), Arc::clone(all))),
            None => global::set_meter_provider(metrics.clone()),
        }
        let forms = settings.propagation.iter().map(|form| form.propagator());
        global::set_text_map_propagator(TextMapCompositePropagator::new(forms.collect()));
        options::set(settings.content, self.old_names);
        metrics::register(histograms.as_deref(), settings.sampling.ratio);
        let layer = Logs::new(&logs, self.json_logs, settings.service(), settings.log_limits, rules);
        let log_layer = layer.clone();
        let filter = EnvFilter::builder().parse_lossy(&settings.log_filter);
        // A program that has a subscriber of its own keeps it.
        let _ = tracing_subscriber::registry()
            .with(agent_spans().with_filter(filter_fn(concerns)))
            .with(layer.with_filter(filter))
            .try_init();
        for warning in &environment.warnings {
            tracing::warn!(target: "clew_sdk", "{warning}");
        }
        let (deadline, ended) = (self.deadline.unwrap_or(DEADLINE), AtomicBool::new(false));
        let providers = Arc::new(Providers { traces, metrics, logs, deadline, ended });
        if !settings.disabled {
            guard::watch(&providers, self.on_signal.unwrap_or_else(usual_end));
        }
        Ok(Telemetry { providers, runtime, warnings: environment.warnings, log_layer })
    }

    fn rules(&self, settings: &Settings) -> Result<Rules, SetupError> {
        let own = self.redaction.expressions.iter().map(|rule| Regex::new(rule)).collect::<Result<_, _>>()?;
        let redaction = Redaction { off: self.redaction.off, own };
        Ok(Rules { value_length: settings.limits.value_length, redaction, baggage: self.baggage.clone() })
    }
}

/// Programs with a runtime often wait for signals themselves.
fn usual_end() -> OnSignal {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => OnSignal::EndAfter(DEADLINE),
        Err(_) => OnSignal::End,
    }
}

/// gRPC needs a runtime that lives as long as telemetry does, and is not blocked by whoever waits for a flush.
fn runtime(settings: &Settings) -> Result<Option<Runtime>, SetupError> {
    let grpc = |to: &Destination| to.exporter == Exporter::Otlp && to.protocol == Protocol::Grpc;
    if settings.disabled || ![&settings.traces, &settings.metrics, &settings.logs].into_iter().any(grpc) {
        return Ok(None);
    }
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let builder = builder.worker_threads(1).thread_name("clew-grpc").enable_all();
    builder.build().map(Some).map_err(SetupError::Runtime)
}

fn traces(settings: &Settings, rules: Arc<Rules>) -> Result<Recorder, SetupError> {
    let to = &settings.traces;
    let outlet: Option<Box<dyn Outlet>> = match to.exporter {
        _ if settings.disabled => None,
        Exporter::Otlp => Some(exporters::spans(to)?),
        Exporter::Console => Some(Box::new(Console)),
        Exporter::None => None,
    };
    let resource = wire::resource(&resource::resource(settings.resource.clone()));
    let queue = outlet.map(|outlet| Queue::new(outlet, resource, settings.batch, rules));
    let sampling = if settings.disabled { sampling::never() } else { settings.sampling.clone() };
    Ok(Recorder::new(sampling, settings.limits, queue, settings.disabled))
}

/// The program's histograms, if anybody is told of them.
fn histograms(settings: &Settings) -> Option<Arc<Histograms>> {
    let told = !settings.disabled && settings.metrics.exporter != Exporter::None;
    told.then(|| Arc::new(Histograms::new(settings.exemplars)))
}

fn readings(
    settings: &Settings,
    histograms: Option<&Arc<Histograms>>,
) -> Result<SdkMeterProvider, SetupError> {
    let builder = SdkMeterProvider::builder().with_resource(resource::resource(settings.resource.clone()));
    let Some(histograms) = histograms.cloned() else { return Ok(builder.build()) };
    let (to, interval) = (&settings.metrics, settings.metric_interval);
    if to.exporter == Exporter::Console {
        let readings = Readings { to: Console, histograms, temporality: Temporality::Cumulative };
        return Ok(builder
            .with_reader(PeriodicReader::builder(readings).with_interval(interval).build())
            .build());
    }
    let exporter = exporters::metrics(to, histograms, settings.temporality)?;
    Ok(builder.with_reader(PeriodicReader::builder(exporter).with_interval(interval).build()).build())
}

fn records(settings: &Settings) -> Result<SdkLoggerProvider, SetupError> {
    let builder = SdkLoggerProvider::builder().with_resource(resource::resource(settings.resource.clone()));
    let to = &settings.logs;
    Ok(match to.exporter {
        _ if settings.disabled => builder.build(),
        Exporter::Otlp => builder.with_batch_exporter(exporters::logs(to)?).build(),
        Exporter::Console => builder.with_batch_exporter(Console).build(),
        Exporter::None => builder.build(),
    })
}

#[cfg(test)]
mod tests;
