//! What is measured of calls of models, and of telemetry itself.

use crate::counts::{Counts, counts};
use opentelemetry::metrics::{Histogram, Meter};
use opentelemetry::{KeyValue, global};
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
/// Seconds to the first token.
const FIRST: [f64; 16] =
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The instruments of calls of models.
pub(crate) struct Instruments {
    pub(crate) duration: Histogram<f64>,
    pub(crate) tokens: Histogram<u64>,
    pub(crate) first_token: Histogram<f64>,
}

/// Those of the telemetry that was set up last.
static INSTRUMENTS: RwLock<Option<Arc<Instruments>>> = RwLock::new(None);

pub(crate) fn instruments() -> Option<Arc<Instruments>> {
    INSTRUMENTS.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Makes the instruments, on the meters that are in force now.
pub(crate) fn register(configured: Option<f64>) {
    let meter = global::meter("clew-sdk");
    let seconds = |name: &'static str, what: &'static str, bounds: &[f64]| {
        meter
            .f64_histogram(name)
            .with_unit("s")
            .with_description(what)
            .with_boundaries(bounds.to_vec())
            .build()
    };
    let instruments = Instruments {
        duration: seconds("gen_ai.client.operation.duration", "How long calls of models took.", &SECONDS),
        tokens: meter
            .u64_histogram("gen_ai.client.token.usage")
            .with_unit("{token}")
            .with_description("How many tokens calls of models used.")
            .with_boundaries(TOKENS.to_vec())
            .build(),
        first_token: seconds(
            "gen_ai.client.operation.time_to_first_chunk",
            "How long until models began to answer.",
            &FIRST,
        ),
    };
    *INSTRUMENTS.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(instruments));
    observe(&meter, configured);
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
