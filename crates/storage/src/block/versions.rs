//! Looks for spans in a block: which of them it has, and when each ended there.

use super::order::Keys;
use super::source::Source;
use super::{Block, span_keys};
use crate::error::Error;
use crate::superseded::SpanKey;
use arrow::record_batch::RecordBatch;
use model::{Signal, SpanId, TraceId, schema};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

/// To look one trace up takes about as long as to read the keys of so many rows.
const ROWS_PER_LOOKUP: u64 = 1_500;
/// To ask bloom filters for one trace, which are wrong now and then, takes about as long as to read so many trace ids.
const ROWS_PER_FILTER: u64 = 20;

/// Memory for the traces of blocks that were sealed or looked through last.
const TRACES_BYTES: u64 = 32 << 20;

/// The traces of these blocks in order, by [`Block::number`].
static TRACES: LazyLock<Cache<u64, Arc<[u128]>, Weight>> =
    LazyLock::new(|| Cache::with_weighter(256, TRACES_BYTES, Weight));

#[derive(Clone)]
struct Weight;

impl Weighter<u64, Arc<[u128]>> for Weight {
    fn weight(&self, _: &u64, traces: &Arc<[u128]>) -> u64 {
        size_of_val::<[u128]>(traces) as u64 + 64
    }
}

/// Spans of one trace, in order.
type OfTrace<'s> = &'s [SpanKey];

impl Block {
    /// Those of these spans, in order, that the block has, and when they ended there. For threads that may wait.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub(crate) fn versions(&self, wanted: &[SpanKey]) -> Result<Vec<(SpanKey, u64)>, Error> {
        let wanted: Vec<OfTrace<'_>> = wanted.chunk_by(|left, right| left.0 == right.0).collect();
        let there = self.having_some_of(wanted)?;
        if there.len() as u64 * ROWS_PER_LOOKUP > self.statistics.rows {
            return self.read_through(&there);
        }
        let columns = [schema::TRACE_ID, schema::SPAN_ID, schema::END].map(str::to_owned);
        let mut versions = Vec::new();
        for spans in there {
            let trace = trace_of(spans);
            let ids: HashSet<SpanId> = spans.iter().map(|(_, span)| SpanId(span.to_be_bytes())).collect();
            let mut take = |rows: RecordBatch| {
                versions.extend(span_keys(&rows).iter().map(|key| ((key.group, key.span), key.end)));
                true
            };
            let shape = (Some(columns.as_slice()), Some(&Arc::new(ids)));
            self.opened()?.trace(trace, self.traces()?.groups(trace), shape, &mut take)?;
        }
        Ok(versions)
    }

    /// All its spans, and when they ended, in the order of traces.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub(crate) fn keys(&self) -> Result<Vec<(SpanKey, u64)>, Error> {
        let keys = Keys::new(Signal::Traces, std::iter::empty());
        let rows = Source::open(self)?.keys(Signal::Traces, &keys)?;
        rows.map(|row| row.map(|row| ((row.group, row.span), row.end))).collect()
    }

    /// Those of the traces, in order, that the block has, or may have.
    fn having_some_of<'s>(&self, mut wanted: Vec<OfTrace<'s>>) -> Result<Vec<OfTrace<'s>>, Error> {
        let known = match TRACES.get(&self.number) {
            None if wanted.len() as u64 * ROWS_PER_FILTER > self.statistics.rows => Some(self.read_traces()?),
            known => known,
        };
        match known {
            Some(traces) => {
                let mut rest = traces.iter().peekable();
                wanted.retain(|spans| {
                    let trace = spans.first().map_or(0, |(trace, _)| *trace);
                    while rest.next_if(|other| **other < trace).is_some() {}
                    rest.peek().is_some_and(|other| **other == trace)
                });
            }
            None => {
                let traces = self.traces()?;
                wanted.retain(|spans| !traces.groups(trace_of(spans)).is_empty());
            }
        }
        Ok(wanted)
    }

    fn read_traces(&self) -> Result<Arc<[u128]>, Error> {
        let mut traces: Vec<u128> = Vec::new();
        for rows in Source::open(self)?.columns(&[schema::TRACE_ID]) {
            traces.extend(span_keys(&rows?).iter().map(|key| key.group));
            traces.dedup();
        }
        let traces: Arc<[u128]> = traces.into();
        TRACES.insert(self.number, Arc::clone(&traces));
        Ok(traces)
    }

    /// Keeps the traces of a new block at hand: the next one is of about the same time.
    pub(crate) fn remember_traces(&self, traces: Vec<u128>) {
        TRACES.insert(self.number, traces.into());
    }

    /// Looks for spans by reading the keys of all rows.
    fn read_through(&self, wanted: &[OfTrace<'_>]) -> Result<Vec<(SpanKey, u64)>, Error> {
        let keys = Keys::new(Signal::Traces, std::iter::empty());
        let mut versions = Vec::new();
        // Both are in the order of traces.
        let mut rest = wanted.iter().copied().peekable();
        for row in Source::open(self)?.keys(Signal::Traces, &keys)? {
            let row = row?;
            let is_before = |spans: &OfTrace<'_>| spans.first().is_some_and(|(trace, _)| *trace < row.group);
            while rest.next_if(is_before).is_some() {}
            let Some(spans) = rest.peek() else { break };
            let key = (row.group, row.span);
            if spans.binary_search(&key).is_ok() {
                versions.push((key, row.end));
            }
        }
        Ok(versions)
    }
}

/// Forgets what was kept of a block that is gone.
pub(super) fn forget(number: u64) {
    TRACES.remove(&number);
}

fn trace_of(spans: OfTrace<'_>) -> TraceId {
    TraceId(spans.first().map_or(0, |(trace, _)| *trace).to_be_bytes())
}
