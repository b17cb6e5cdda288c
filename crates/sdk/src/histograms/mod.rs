//! Histograms that tell which calls their measurements come from: exemplars. OpenTelemetry's own record none.
//!
//! Source: OpenTelemetry specification, metrics/sdk.md, "Exemplar".

mod exported;
mod meters;
mod series;

pub(crate) use exported::add_to;
pub(crate) use meters::Meters;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, InstrumentationScope, KeyValue, SpanId, TraceId};
use opentelemetry_sdk::metrics::Temporality;
pub(crate) use series::Witness;
use series::{Exemplar, Series, Table};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Which measurements may become exemplars: `OTEL_METRICS_EXEMPLAR_FILTER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Those of spans that are sampled.
    TraceBased,
    AlwaysOn,
    AlwaysOff,
}

impl Filter {
    /// What an exemplar tells of a measurement that is made now, if it may become one.
    pub(crate) fn witness(self, origin: Origin) -> Option<Witness> {
        let eligible = match self {
            Self::TraceBased => origin.sampled,
            Self::AlwaysOn => true,
            Self::AlwaysOff => false,
        };
        eligible.then(|| Witness { time: now(), trace: origin.trace, span: origin.span })
    }
}

/// The span that a measurement is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    trace: TraceId,
    span: SpanId,
    sampled: bool,
}

impl Origin {
    pub(crate) fn of(span: &SpanContext) -> Self {
        Self { trace: span.trace_id(), span: span.span_id(), sampled: span.is_sampled() }
    }

    /// The span that is active on this thread.
    fn active() -> Self {
        Context::map_current(|context| Self::of(context.span().span_context()))
    }
}

/// What a histogram is called, and where its buckets end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Description {
    pub(crate) name: Cow<'static, str>,
    pub(crate) description: Cow<'static, str>,
    pub(crate) unit: Cow<'static, str>,
    /// Upper ends, inclusive, ascending; what is above the last has a bucket of its own.
    pub(crate) bounds: Vec<f64>,
    /// Whether it is given whole numbers.
    pub(crate) whole: bool,
}

/// One histogram.
pub(crate) struct Histogram {
    scope: InstrumentationScope,
    about: Description,
    filter: Filter,
    table: Mutex<Table>,
}

impl fmt::Debug for Histogram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Histogram").field("about", &self.about).finish_non_exhaustive()
    }
}

impl Histogram {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a measurement. What is no finite number is left out, or the sum would be none for ever.
    pub(crate) fn record(&self, value: f64, attributes: &[KeyValue], witness: Option<Witness>) {
        if !value.is_finite() {
            return;
        }
        let exemplar = witness.map(|witness| Exemplar { value, witness });
        let bucket = self.about.bounds.partition_point(|bound| *bound < value);
        let buckets = self.about.bounds.len() + 1;
        // Attributes are a set: their order says nothing, and of those with the same key the last one counts.
        if attributes.is_sorted_by(|one, next| one.key < next.key) {
            self.lock().series(attributes, buckets).add(value, bucket, exemplar);
        } else {
            self.lock().series(&as_set(attributes), buckets).add(value, bucket, exemplar);
        }
    }

    /// What was recorded since the last time, or, if it adds up, since the beginning.
    fn collect(&self, temporality: Temporality) -> Collected {
        let time = now();
        let mut table = self.lock();
        if temporality == Temporality::Cumulative {
            return Collected { since: table.since, time, series: table.copied() };
        }
        let ended = std::mem::replace(&mut *table, Table::new(time));
        drop(table);
        Collected { since: ended.since, time, series: ended.into_series() }
    }
}

fn as_set(attributes: &[KeyValue]) -> Vec<KeyValue> {
    let mut set = attributes.to_vec();
    set.reverse();
    // The sort is stable: the last of those with the same key is the first now, and stays.
    set.sort_by(|one, other| one.key.cmp(&other.key));
    set.dedup_by(|later, first| later.key == first.key);
    set
}

/// All series of a histogram at one moment.
struct Collected {
    /// Nanoseconds since 1970.
    since: u64,
    time: u64,
    series: Vec<(Arc<[KeyValue]>, Series)>,
}

/// A number of things as any other number.
#[expect(
    clippy::cast_precision_loss,
    reason = "up to 2^53 nothing is lost, and sums are no more exact than that"
)]
pub(crate) fn real(whole: u64) -> f64 {
    whole as f64
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// All histograms of the program.
#[derive(Debug)]
pub(crate) struct Histograms {
    pub(crate) filter: Filter,
    all: Mutex<Vec<Arc<Histogram>>>,
}

impl Histograms {
    pub(crate) fn new(filter: Filter) -> Self {
        Self { filter, all: Mutex::new(Vec::new()) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Histogram>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The histogram of this name, unit and type in this scope: the one that is there, or a new one.
    pub(crate) fn get(&self, scope: &InstrumentationScope, about: Description) -> Arc<Histogram> {
        let mut all = self.lock();
        let found = all.iter().find(|had| {
            had.scope == *scope
                && had.about.name.eq_ignore_ascii_case(&about.name)
                && (&had.about.unit, had.about.whole) == (&about.unit, about.whole)
        });
        if let Some(found) = found {
            return Arc::clone(found);
        }
        let table = Mutex::new(Table::new(now()));
        let made = Arc::new(Histogram { scope: scope.clone(), about, filter: self.filter, table });
        all.push(Arc::clone(&made));
        made
    }
}

#[cfg(test)]
mod tests;
