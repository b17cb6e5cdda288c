//! What is measured of calls of models, and of telemetry itself.

use crate::counts::{Counts, counts};
use crate::histograms::{Description, Filter, Histogram, Histograms, Origin, real};
use opentelemetry::metrics::Meter;
use opentelemetry::{InstrumentationScope, KeyValue, global};
use std::sync::{Arc, PoisonError, RwLock};

/// Seconds, as the GenAI conventions advise.
const SECONDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// Tokens, as the GenAI conventions advise.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// The unit of tokens.
const TOKEN: &str = "{token}";
/// Seconds to the first token.
const FIRST: [f64; 16] =
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The instruments of calls of models.
pub(crate) struct Instruments {
    duration: Arc<Histogram>,
    tokens: Arc<Histogram>,
    first_token: Arc<Histogram>,
    filter: Filter,
}

/// What a call of a model that ended measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Seconds.
    pub(crate) took: f64,
    /// Seconds until the first token, of a streamed answer.
    pub(crate) first: Option<f64>,
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
}

impl Instruments {
    fn of(histograms: &Histograms) -> Self {
        let scope = InstrumentationScope::builder("clew-sdk").build();
        let histogram =
            |name: &'static str, description: &'static str, bounds: &[f64], unit: &'static str| {
                let (name, description) = (name.into(), description.into());
                let (bounds, whole) = (bounds.to_vec(), unit == TOKEN);
                histograms.get(&scope, Description { name, description, unit: unit.into(), bounds, whole })
            };
        Self {
            duration: histogram(
                "gen_ai.client.operation.duration",
                "How long calls of models took.",
                &SECONDS,
                "s",
            ),
            tokens: histogram(
                "gen_ai.client.token.usage",
                "How many tokens calls of models used.",
                &TOKENS,
                TOKEN,
            ),
            first_token: histogram(
                "gen_ai.client.operation.time_to_first_chunk",
                "How long until models began to answer.",
                &FIRST,
                "s",
            ),
            filter: histograms.filter,
        }
    }

    /// Records a call of a model. What it is told apart by is sorted by key, each of which is there once.
    pub(crate) fn record(&self, mut about: Vec<KeyValue>, measured: Measured, origin: Origin) {
        let witness = self.filter.witness(origin);
        self.duration.record(measured.took, &about, witness);
        if let Some(first) = measured.first {
            self.first_token.record(first, &about, witness);
        }
        about.retain(|attribute| attribute.key.as_str() != "error.type");
        for (kind, tokens) in [("input", measured.input), ("output", measured.output)] {
            if let Some(tokens) = tokens {
                tell_apart(&mut about, KeyValue::new("gen_ai.token.type", kind));
                self.tokens.record(real(tokens), &about, witness);
            }
        }
    }
}

/// Sets what measurements are told apart by, sorted by key.
pub(crate) fn tell_apart(about: &mut Vec<KeyValue>, attribute: KeyValue) {
    let place = about.partition_point(|had| had.key < attribute.key);
    match about.get_mut(place) {
        Some(had) if had.key == attribute.key => *had = attribute,
        _ => about.insert(place, attribute),
    }
}

/// Those of the telemetry that was set up last.
static INSTRUMENTS: RwLock<Option<Arc<Instruments>>> = RwLock::new(None);

pub(crate) fn instruments() -> Option<Arc<Instruments>> {
    INSTRUMENTS.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Makes the instruments, if anybody is told of histograms, and those of what is counted, on the meters that are in force.
pub(crate) fn register(histograms: Option<&Histograms>, configured: Option<f64>) {
    let instruments = histograms.map(|histograms| Arc::new(Instruments::of(histograms)));
    *INSTRUMENTS.write().unwrap_or_else(PoisonError::into_inner) = instruments;
    observe(&global::meter("clew-sdk"), configured);
}

/// What is read from counts whenever metrics are sent.
fn observe(meter: &Meter, configured: Option<f64>) {
    let spans = meter.u64_observable_counter("clew.traces.spans").with_unit("{span}");
    let spans = spans.with_description("What became of spans, by state.");
    let _spans = spans
        .with_callback(|observer| {
            let Counts { created, ended, exported, dropped, .. } = counts();
            let states =
                [("created", created), ("ended", ended), ("exported", exported), ("dropped", dropped)];
            for (state, count) in states {
                observer.observe(count, &[KeyValue::new("state", state)]);
            }
        })
        .build();
    let roots = meter.u64_observable_counter("clew.traces.roots").with_unit("{trace}");
    let _roots = roots
        .with_description("Traces that were begun here, by whether they are recorded.")
        .with_callback(|observer| {
            let Counts { roots_started, roots_sampled, .. } = counts();
            observer.observe(roots_sampled, &[KeyValue::new("sampled", true)]);
            observer.observe(roots_started.saturating_sub(roots_sampled), &[KeyValue::new("sampled", false)]);
        })
        .build();
    let ratio = meter.f64_observable_gauge("clew.traces.sampling.ratio").with_unit("1");
    let _ratio = ratio
        .with_description("The share of traces that is recorded: what was configured, and what came of it.")
        .with_callback(move |observer| {
            if let Some(share) = configured {
                observer.observe(share, &[KeyValue::new("kind", "configured")]);
            }
            if let Some(share) = counts().sampled_share() {
                observer.observe(share, &[KeyValue::new("kind", "actual")]);
            }
        })
        .build();
}

impl Counts {
    /// Of the traces that were begun here, the share that is recorded.
    #[must_use]
    pub fn sampled_share(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits than it has")]
        (self.roots_started > 0).then(|| self.roots_sampled as f64 / self.roots_started as f64)
    }
}
