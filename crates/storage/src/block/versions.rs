//! Looks for spans in a block: which of them it has, and when each ended there.

use super::order::Keys;
use super::source::Source;
use super::{Block, span_keys};
use crate::error::Error;
use crate::superseded::SpanKey;
use arrow::record_batch::RecordBatch;
use model::{Signal, SpanId, TraceId, schema};
use std::collections::HashSet;
use std::sync::Arc;

/// To look one trace up takes about as long as to read the ids of so many rows.
const ROWS_PER_LOOKUP: u64 = 1_500;

impl Block {
    /// Those of these spans, in order, that the block has, and when they ended there. For threads that may wait.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub(crate) fn versions(&self, wanted: &[SpanKey]) -> Result<Vec<(SpanKey, u64)>, Error> {
        let traces = self.traces()?;
        let by_trace = wanted.chunk_by(|left, right| left.0 == right.0);
        let there: Vec<(&[SpanKey], Vec<usize>)> = by_trace
            .filter_map(|spans| {
                let groups = traces.groups(TraceId(spans.first()?.0.to_be_bytes()));
                (!groups.is_empty()).then_some((spans, groups))
            })
            .collect();
        if there.len() as u64 * ROWS_PER_LOOKUP > self.statistics.rows {
            return self.read_through(wanted);
        }
        let columns = [schema::TRACE_ID, schema::SPAN_ID, schema::END].map(str::to_owned);
        let mut versions = Vec::new();
        for (spans, groups) in there {
            let Some((trace, _)) = spans.first() else { continue };
            let ids: HashSet<SpanId> = spans.iter().map(|(_, span)| SpanId(span.to_be_bytes())).collect();
            let mut take = |rows: RecordBatch| {
                versions.extend(span_keys(&rows).iter().map(|key| ((key.group, key.span), key.end)));
                true
            };
            let shape = (Some(columns.as_slice()), Some(&Arc::new(ids)));
            self.opened()?.trace(TraceId(trace.to_be_bytes()), groups, shape, &mut take)?;
        }
        Ok(versions)
    }

    /// Likewise, by reading the ids of all its rows.
    fn read_through(&self, wanted: &[SpanKey]) -> Result<Vec<(SpanKey, u64)>, Error> {
        let keys = Keys::new(Signal::Traces, std::iter::empty());
        let mut versions = Vec::new();
        // Both are in the order of traces.
        let mut rest = wanted;
        for row in Source::open(self)?.keys(Signal::Traces, &keys)? {
            let row = row?;
            while rest.first().is_some_and(|(trace, _)| *trace < row.group) {
                rest = rest.get(1..).unwrap_or_default();
            }
            let Some((trace, _)) = rest.first() else { break };
            let of_trace = || rest.get(..rest.partition_point(|(trace, _)| *trace == row.group));
            let key = (row.group, row.span);
            if *trace == row.group && of_trace().is_some_and(|spans| spans.binary_search(&key).is_ok()) {
                versions.push((key, row.end));
            }
        }
        Ok(versions)
    }
}
