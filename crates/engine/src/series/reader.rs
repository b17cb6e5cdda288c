//! Sorts rows into streams. What a row belongs to is told by the bytes of its cells; labels are made once a stream.

use super::cells::Cells;
use super::labels::{LabelMap, ResourceLabels, scope_labels};
use super::matching::Matching;
use super::names::Metric;
use super::stream::{Origin, Points, Stream};
use super::totals::Growth;
use arrow::array::RecordBatch;
use model::metric::MetricKind;
use model::otlp;
use model::otlp::columns::Columns;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What tells one stream from another.
#[derive(PartialEq, Eq, Hash)]
struct Identity {
    context: Context,
    labels: LabelMap,
}

/// What a row has beside its attributes, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Context {
    resource: u32,
    scope: u32,
    name: u32,
    unit: u32,
    kind: u8,
    delta: bool,
    monotonic: bool,
}

/// What is kept of rows.
#[derive(Debug, Clone, Copy)]
pub enum Keeps {
    Points,
    Exemplars,
    /// Only which series there are.
    Outlines,
}

/// Reads the rows that a selector wants.
pub struct Reader<'q> {
    matching: &'q Matching,
    keeps: Keeps,
    /// How many samples may still be read.
    left: &'q mut u64,
    resources: Numbered<Arc<ResourceLabels>>,
    scopes: Numbered<Arc<LabelMap>>,
    texts: Numbered<Arc<str>>,
    /// The streams of the rows of this source, by the bytes of their cells; nothing for those that are not wanted.
    known: FastMap<Vec<u8>, Option<usize>>,
    index: FastMap<Identity, usize>,
    pub streams: Vec<Stream>,
}

/// A stream takes as much memory as so many samples: its labels, and where to find it.
const STREAM: u64 = 50;

impl<'q> Reader<'q> {
    pub fn new(matching: &'q Matching, keeps: Keeps, left: &'q mut u64) -> Self {
        Self {
            matching,
            keeps,
            left,
            resources: Numbered::default(),
            scopes: Numbered::default(),
            texts: Numbered::default(),
            known: FastMap::default(),
            index: FastMap::default(),
            streams: Vec::new(),
        }
    }

    /// How many samples may still be read.
    pub const fn left(&self) -> u64 {
        *self.left
    }

    /// Begins with another source: the same cells may stand for something else there.
    pub fn begin_source(&mut self) {
        self.known.clear();
    }

    /// Reads rows; answers whether there is room for more.
    pub fn read(&mut self, batch: &RecordBatch) -> bool {
        let cells = Cells::new(batch);
        let (mut last, mut key) = (Lasts::default(), Vec::new());
        for row in 0..batch.num_rows() {
            let Some(number) = self.stream(batch, &cells, (&mut last, &mut key), row) else { continue };
            let Some(stream) = self.streams.get_mut(number) else { continue };
            stream.note(cells.time(row));
            let samples = match self.keeps {
                Keeps::Points => stream.add(&cells, row),
                Keeps::Exemplars => stream.add_exemplars(&cells, row),
                Keeps::Outlines => stream.outline(&cells, row),
            };
            let Some(left) = self.left.checked_sub(samples).filter(|left| *left > 0) else { return false };
            *self.left = left;
        }
        true
    }

    /// The stream that a row belongs to; nothing when it is not wanted.
    fn stream<'a>(
        &mut self,
        batch: &RecordBatch,
        cells: &Cells<'a>,
        (last, key): (&mut Lasts<'a>, &mut Vec<u8>),
        row: usize,
    ) -> Option<usize> {
        let context = self.context(cells, last, row);
        key.clear();
        for number in [context.resource, context.scope, context.name, context.unit] {
            key.extend_from_slice(&number.to_le_bytes());
        }
        key.extend([context.kind, u8::from(context.delta), u8::from(context.monotonic)]);
        cells.put_attributes(row, key);
        if let Some(known) = self.known.get(key.as_slice()) {
            return *known;
        }
        let number = self.new_stream(batch, cells, context, row);
        self.known.insert(key.clone(), number);
        number
    }

    fn context<'a>(&mut self, cells: &Cells<'a>, last: &mut Lasts<'a>, row: usize) -> Context {
        let resource = |bytes: &[u8]| Arc::new(ResourceLabels::new(&otlp::resource(bytes)));
        let scope = |bytes: &[u8]| Arc::new(scope_labels(&otlp::scope(bytes)));
        let text = |bytes: &[u8]| Arc::from(String::from_utf8_lossy(bytes));
        Context {
            resource: self.resources.number(cells.resource(row), &mut last.resource, resource),
            scope: self.scopes.number(cells.scope(row), &mut last.scope, scope),
            name: self.texts.number(cells.name(row).as_bytes(), &mut last.name, text),
            unit: self.texts.number(cells.unit(row).as_bytes(), &mut last.unit, text),
            kind: cells.kind(row) as u8,
            delta: cells.is_delta(row),
            monotonic: cells.is_monotonic(row),
        }
    }

    fn new_stream(
        &mut self,
        batch: &RecordBatch,
        cells: &Cells<'_>,
        context: Context,
        row: usize,
    ) -> Option<usize> {
        let (kind, monotonic) = (cells.kind(row), cells.is_monotonic(row));
        let metric = Metric { name: cells.name(row), unit: cells.unit(row), kind, monotonic };
        let names = self.matching.names(&metric);
        if names.iter().all(Option::is_none) {
            return None;
        }
        let origin = Origin {
            resource: self.resources.get(context.resource)?,
            scope: self.scopes.get(context.scope)?,
            metric: self.texts.get(context.name)?,
            unit: self.texts.get(context.unit)?,
        };
        let mut labels = origin.resource.with(&Columns::new(batch).attributes(row));
        if !self.matching.complete(&mut labels, &|name| origin.other(name)) {
            return None;
        }
        let growth = growth(&metric, context.delta);
        let (first, last, points) = (u64::MAX, 0, Points::new(kind));
        let number = *self.index.entry(Identity { context, labels: labels.clone() }).or_insert_with(|| {
            *self.left = self.left.saturating_sub(STREAM);
            self.streams.push(Stream {
                names,
                labels,
                growth,
                origin,
                first,
                last,
                points,
                exemplars: Vec::new(),
            });
            self.streams.len() - 1
        });
        Some(number)
    }
}

const fn growth(metric: &Metric<'_>, delta: bool) -> Growth {
    match metric.kind {
        MetricKind::Gauge | MetricKind::Summary => Growth::None,
        _ if delta => Growth::Delta,
        MetricKind::Sum if !metric.monotonic => Growth::None,
        _ => Growth::Total,
    }
}

/// What was seen last, and its number: neighbours share it, and of dictionaries the very bytes.
#[derive(Default)]
struct Lasts<'a> {
    resource: Option<(&'a [u8], u32)>,
    scope: Option<(&'a [u8], u32)>,
    name: Option<(&'a [u8], u32)>,
    unit: Option<(&'a [u8], u32)>,
}

/// Values with numbers.
struct Numbered<T> {
    numbers: FastMap<Box<[u8]>, u32>,
    values: Vec<T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { numbers: FastMap::default(), values: Vec::new() }
    }
}

impl<T: Clone> Numbered<T> {
    fn number<'a>(
        &mut self,
        bytes: &'a [u8],
        last: &mut Option<(&'a [u8], u32)>,
        make: impl FnOnce(&[u8]) -> T,
    ) -> u32 {
        if let Some((_, number)) = last.filter(|(seen, _)| std::ptr::eq(*seen, bytes)) {
            return number;
        }
        let number = self.numbers.get(bytes).copied().unwrap_or_else(|| {
            let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
            self.values.push(make(bytes));
            self.numbers.insert(bytes.into(), number);
            number
        });
        *last = Some((bytes, number));
        number
    }

    fn get(&self, number: u32) -> Option<T> {
        self.values.get(usize::try_from(number).ok()?).cloned()
    }
}
