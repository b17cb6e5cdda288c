//! What one histogram counted, for each set of attributes.

use foldhash::fast::RandomState;
use opentelemetry::{KeyValue, SpanId, TraceId};
use std::collections::HashMap;
use std::sync::Arc;

/// So many sets of attributes are told apart; the rest is counted together, as the specification has it.
pub(super) const SETS: usize = 2_000;

/// When a measurement was made, and in which span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Witness {
    /// Nanoseconds since 1970.
    pub(super) time: u64,
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
}

/// A measurement that stands for those in its bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Exemplar {
    pub(super) value: f64,
    pub(super) witness: Witness,
}

/// The measurements with one set of attributes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) counts: Box<[u64]>,
    pub(super) sum: f64,
    pub(super) least: f64,
    pub(super) most: f64,
    /// The last of each bucket since they were collected; none are held until there is one.
    pub(super) exemplars: Vec<Option<Exemplar>>,
}

impl Series {
    fn new(buckets: usize) -> Self {
        let counts = vec![0; buckets].into_boxed_slice();
        Self { counts, sum: 0.0, least: f64::INFINITY, most: f64::NEG_INFINITY, exemplars: Vec::new() }
    }

    pub(super) fn add(&mut self, value: f64, bucket: usize, exemplar: Option<Exemplar>) {
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        if exemplar.is_some() {
            if self.exemplars.is_empty() {
                self.exemplars = vec![None; self.counts.len()];
            }
            if let Some(place) = self.exemplars.get_mut(bucket) {
                *place = exemplar;
            }
        }
    }
}

/// All series of a histogram.
pub(super) struct Table {
    /// When counting began; nanoseconds since 1970.
    pub(super) since: u64,
    all: Vec<(Arc<[KeyValue]>, Series)>,
    /// Where in `all` each set of attributes is.
    places: HashMap<Arc<[KeyValue]>, usize, RandomState>,
}

impl Table {
    pub(super) fn new(since: u64) -> Self {
        Self { since, all: Vec::new(), places: HashMap::default() }
    }

    /// The series of these attributes, which are sorted and of different keys.
    pub(super) fn series(&mut self, attributes: &[KeyValue], buckets: usize) -> &mut Series {
        let place = match self.places.get(attributes) {
            Some(place) => *place,
            None if self.all.len() < SETS => self.place(attributes, buckets),
            None => self.place(&[KeyValue::new("otel.metric.overflow", true)], buckets),
        };
        &mut self.all[place].1
    }

    fn place(&mut self, attributes: &[KeyValue], buckets: usize) -> usize {
        if let Some(place) = self.places.get(attributes) {
            return *place;
        }
        let attributes: Arc<[KeyValue]> = attributes.into();
        self.places.insert(Arc::clone(&attributes), self.all.len());
        self.all.push((attributes, Series::new(buckets)));
        self.all.len() - 1
    }

    /// A copy of what was counted. The exemplars are only in the copy then.
    pub(super) fn copied(&mut self) -> Vec<(Arc<[KeyValue]>, Series)> {
        let copied = self.all.iter_mut().map(|(attributes, series)| {
            let exemplars = std::mem::take(&mut series.exemplars);
            (Arc::clone(attributes), Series { exemplars, ..series.clone() })
        });
        copied.collect()
    }

    pub(super) fn into_series(self) -> Vec<(Arc<[KeyValue]>, Series)> {
        self.all
    }
}
