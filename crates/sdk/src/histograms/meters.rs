//! Meters whose histograms are ours; all other instruments are OpenTelemetry's.

use super::{Description, Histogram, Histograms, Origin};
use opentelemetry::metrics::{
    AsyncInstrumentBuilder, Counter, Gauge, Histogram as Instrument, HistogramBuilder, InstrumentBuilder,
    InstrumentProvider, Meter, MeterProvider, ObservableCounter, ObservableGauge, ObservableUpDownCounter,
    SyncInstrument, UpDownCounter,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use std::sync::Arc;

/// Where a histogram's buckets end that says nothing of it, as the specification has it.
const BOUNDS: [f64; 15] = [
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1_000.0, 2_500.0, 5_000.0, 7_500.0,
    10_000.0,
];

/// Gives out meters.
#[derive(Debug)]
pub(crate) struct Meters<P> {
    others: P,
    histograms: Arc<Histograms>,
}

impl<P> Meters<P> {
    pub(crate) fn new(others: P, histograms: Arc<Histograms>) -> Self {
        Self { others, histograms }
    }
}

impl<P: MeterProvider> MeterProvider for Meters<P> {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        let others = self.others.meter_with_scope(scope.clone());
        Meter::new(Arc::new(Instruments { others, scope, histograms: Arc::clone(&self.histograms) }))
    }
}

/// Makes the instruments of one scope.
struct Instruments {
    others: Meter,
    scope: InstrumentationScope,
    histograms: Arc<Histograms>,
}

impl Instruments {
    fn histogram<T>(&self, builder: &HistogramBuilder<'_, T>, whole: bool) -> Option<Arc<Histogram>> {
        let bounds = builder.boundaries.as_deref().unwrap_or(&BOUNDS);
        let ascend =
            bounds.is_sorted_by(|one, next| one < next) && bounds.iter().all(|bound| bound.is_finite());
        let about = Description {
            name: builder.name.clone(),
            description: builder.description.clone().unwrap_or_default(),
            unit: builder.unit.clone().unwrap_or_default(),
            bounds: bounds.to_vec(),
            whole,
        };
        (ascend && may_be_called(&about.name)).then(|| self.histograms.get(&self.scope, about))
    }
}

/// Whether an instrument may have this name: letters, digits, `_`, `.`, `-` and `/`, at most 255, the first a letter.
fn may_be_called(name: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || ['_', '.', '-', '/'].contains(&letter);
    name.len() <= 255
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(allowed)
}

impl SyncInstrument<f64> for Histogram {
    fn measure(&self, measurement: f64, attributes: &[KeyValue]) {
        self.record(measurement, attributes, self.filter.witness(Origin::active()));
    }
}

impl SyncInstrument<u64> for Histogram {
    fn measure(&self, measurement: u64, attributes: &[KeyValue]) {
        self.record(super::real(measurement), attributes, self.filter.witness(Origin::active()));
    }
}

/// Lets the other meter make an instrument.
macro_rules! as_others_make_it {
    ($($kind:ident -> $instrument:ty;)*) => {
        $(fn $kind(&self, builder: InstrumentBuilder<'_, $instrument>) -> $instrument {
            let InstrumentBuilder { name, description, unit, .. } = builder;
            let mut other = self.others.$kind(name);
            (other.description, other.unit) = (description, unit);
            other.build()
        })*
    };
}

/// Lets the other meter make an instrument that is asked for its value.
macro_rules! as_others_ask_it {
    ($($kind:ident -> $instrument:ty, $value:ty;)*) => {
        $(fn $kind(&self, builder: AsyncInstrumentBuilder<'_, $instrument, $value>) -> $instrument {
            let AsyncInstrumentBuilder { name, description, unit, callbacks, .. } = builder;
            let mut other = self.others.$kind(name);
            (other.description, other.unit, other.callbacks) = (description, unit, callbacks);
            other.build()
        })*
    };
}

impl InstrumentProvider for Instruments {
    as_others_make_it! {
        u64_counter -> Counter<u64>;
        f64_counter -> Counter<f64>;
        i64_up_down_counter -> UpDownCounter<i64>;
        f64_up_down_counter -> UpDownCounter<f64>;
        u64_gauge -> Gauge<u64>;
        f64_gauge -> Gauge<f64>;
        i64_gauge -> Gauge<i64>;
    }

    as_others_ask_it! {
        u64_observable_counter -> ObservableCounter<u64>, u64;
        f64_observable_counter -> ObservableCounter<f64>, f64;
        i64_observable_up_down_counter -> ObservableUpDownCounter<i64>, i64;
        f64_observable_up_down_counter -> ObservableUpDownCounter<f64>, f64;
        u64_observable_gauge -> ObservableGauge<u64>, u64;
        i64_observable_gauge -> ObservableGauge<i64>, i64;
        f64_observable_gauge -> ObservableGauge<f64>, f64;
    }

    fn f64_histogram(&self, builder: HistogramBuilder<'_, Instrument<f64>>) -> Instrument<f64> {
        match self.histogram(&builder, false) {
            Some(histogram) => Instrument::new(histogram),
            None => refused(self.others.f64_histogram(builder.name), builder.boundaries).build(),
        }
    }

    fn u64_histogram(&self, builder: HistogramBuilder<'_, Instrument<u64>>) -> Instrument<u64> {
        match self.histogram(&builder, true) {
            Some(histogram) => Instrument::new(histogram),
            None => refused(self.others.u64_histogram(builder.name), builder.boundaries).build(),
        }
    }
}

/// What may not be made: the other meter says so, and gives an instrument that does nothing.
fn refused<T>(builder: HistogramBuilder<'_, T>, bounds: Option<Vec<f64>>) -> HistogramBuilder<'_, T> {
    match bounds {
        Some(bounds) => builder.with_boundaries(bounds),
        None => builder,
    }
}
