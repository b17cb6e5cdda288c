//! Makes one block of several, or of one without a trace that is to be deleted.
//!
//! The blocks are read twice: first only what rows are sorted by, which decides from which block each next row comes
//! and which are left out; then everything, a few rows of each block at a time.

use super::manifest::Origin;
use super::order::{Keys, RowKey, drop_resent};
use super::source::{Rows, Source};
use super::write::{Contents, RARE, Writer};
use super::{Coverage, Description};
use crate::error::Error;
use crate::layout::{Layout, Nulls};
use crate::snapshot::Block;
use crate::superseded::SpanKeys;
use crate::tables::TableKey;
use arrow::compute::interleave_record_batch;
use arrow::record_batch::RecordBatch;
use model::{Signal, TraceId};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// No more blocks than this become one.
pub(crate) const MOST_BLOCKS: usize = 16;

/// The block that the next row comes from.
#[derive(Debug, Clone, Copy)]
struct Pick {
    source: u8,
    /// Whether the row is written: not when it was resent, or is to be deleted.
    kept: bool,
}

/// Writes the rows of these blocks, oldest first, as one block to `path`, without those of a trace and those that do not
/// count. `None` when no row is left. Statistics keep the time when the youngest block was sealed. Ends with
/// [`Error::Closed`] once `stopping` says so, and leaves nothing then.
pub(crate) fn rewrite(
    path: &Path,
    key: &TableKey,
    parts: &[(Arc<Block>, Option<Arc<SpanKeys>>)],
    without: Option<TraceId>,
    stopping: &dyn Fn() -> bool,
) -> Result<Option<Description>, Error> {
    let signal = key.signal;
    let blocks: Vec<Arc<Block>> = parts.iter().map(|(block, _)| Arc::clone(block)).collect();
    let superseded: Vec<_> = parts.iter().map(|(_, superseded)| superseded.as_deref()).collect();
    let sources: Vec<Source> = blocks.iter().map(|block| Source::open(block)).collect::<Result<_, _>>()?;
    let keys = Keys::new(signal, blocks.iter().map(|block| block.statistics()));
    let (picks, traces) = Picker::new((signal, &superseded), without).run(&sources, &keys)?;
    let rows = picks.iter().filter(|pick| pick.kept).count() as u64;
    if rows == 0 {
        return Ok(None);
    }
    let parts: Vec<_> = sources.iter().map(Source::part).collect();
    let layout = Layout::plan(signal, &parts, rows / RARE);
    let received = blocks.iter().map(|block| block.statistics().first).min().unwrap_or_default();
    let mut out = Out {
        writer: Writer::create(path, signal, &layout, (rows, traces))?,
        contents: Contents::new(signal, received, rows),
    };
    copy(&sources, &layout, &picks, (&mut out, stopping))?;
    out.writer.finish(&origin(key, &blocks), out.contents).map(Some)
}

/// Writes the rows of a damaged block that can still be read to `path`. `None` when there are none.
pub(crate) fn salvage(path: &Path, key: &TableKey, block: &Arc<Block>) -> Result<Option<Description>, Error> {
    // Without its footer, nothing of a Parquet file can be read.
    let Ok(source) = Source::open(block) else { return Ok(None) };
    let statistics = block.statistics();
    let rows = statistics.rows;
    let layout = Layout::plan(key.signal, &[source.part()], rows / RARE);
    let mut out = Out {
        writer: Writer::create(path, key.signal, &layout, (rows, rows))?,
        contents: Contents::new(key.signal, statistics.first, rows),
    };
    let (mut nulls, mut kept) = (Nulls::default(), 0);
    for batch in source.readable_rows() {
        let rows = layout.arrange(&batch, &mut nulls)?;
        kept += rows.num_rows();
        for piece in out.contents.add(&rows) {
            out.writer.write(&piece)?;
        }
    }
    if kept == 0 {
        return Ok(None);
    }
    out.writer.finish(&origin(key, std::slice::from_ref(block)), out.contents).map(Some)
}

/// What a block that is made of these says of where it came from.
fn origin(key: &TableKey, blocks: &[Arc<Block>]) -> Origin {
    let generation = blocks.iter().map(|block| block.generation()).max().unwrap_or(0);
    Origin {
        key: key.clone(),
        coverage: Coverage::united(blocks.iter().map(|block| block.coverage())),
        generation: generation.saturating_add(1),
        sources: blocks.iter().map(|block| block.file_name()).collect(),
        sealed: blocks.iter().map(|block| block.statistics().sealed).max().unwrap_or_default(),
    }
}

/// Where the rows go.
struct Out {
    writer: Writer,
    contents: Contents,
}

/// Decides on the rows.
struct Picker<'a> {
    signal: Signal,
    /// Of each source, the rows that do not count.
    superseded: &'a [Option<&'a SpanKeys>],
    without: Option<u128>,
    picks: Vec<Pick>,
    traces: u64,
}

impl<'a> Picker<'a> {
    fn new((signal, superseded): (Signal, &'a [Option<&'a SpanKeys>]), without: Option<TraceId>) -> Self {
        let without = without.map(|trace| u128::from_be_bytes(trace.0));
        Self { signal, superseded, without, picks: Vec::new(), traces: 0 }
    }

    fn run(mut self, sources: &[Source], keys: &Keys) -> Result<(Vec<Pick>, u64), Error> {
        let streams = sources.iter().map(|source| source.keys(self.signal, keys));
        let mut streams: Vec<_> = streams.collect::<Result<_, _>>()?;
        let mut heads = BinaryHeap::new();
        let mut next = |number: usize| -> Result<_, Error> {
            let key = streams.get_mut(number).and_then(Iterator::next).transpose()?;
            Ok(key.map(|key| Reverse((key.group, key.time, number, key.span, key.end))))
        };
        for number in 0..sources.len() {
            heads.extend(next(number)?);
        }
        let mut group: Vec<(RowKey, (usize, usize))> = Vec::new();
        while let Some(Reverse((trace, time, number, span, end))) = heads.pop() {
            if group.first().is_some_and(|(key, _)| key.group != trace) {
                self.decide(&mut group);
            }
            group.push((RowKey { group: trace, time, span, end }, (number, group.len())));
            heads.extend(next(number)?);
        }
        self.decide(&mut group);
        Ok((self.picks, self.traces))
    }

    /// Decides on the rows of one trace, or name.
    fn decide(&mut self, group: &mut Vec<(RowKey, (usize, usize))>) {
        let Some((first, _)) = group.first() else { return };
        // Log records without a trace are in the last group; nobody can ask to delete that one.
        let without_trace = self.signal == Signal::Logs && first.group == u128::MAX;
        let gone = self.without == Some(first.group) && !without_trace;
        self.traces += u64::from(!gone);
        let sources: Vec<usize> = group.iter().map(|(_, (source, _))| *source).collect();
        let all = group.len();
        if self.signal == Signal::Traces {
            let of = |source: usize| self.superseded.get(source).copied().flatten();
            let counts =
                |key: &RowKey, source| of(source).is_none_or(|keys| !keys.contains((key.group, key.span)));
            group.retain(|(key, (source, _))| counts(key, *source));
            drop_resent(group);
        }
        let kept: Option<HashSet<usize>> =
            (group.len() < all).then(|| group.iter().map(|(_, (_, place))| *place).collect());
        self.picks.extend(sources.into_iter().enumerate().map(|(place, source)| Pick {
            source: u8::try_from(source).unwrap_or(u8::MAX),
            kept: !gone && kept.as_ref().is_none_or(|kept| kept.contains(&place)),
        }));
        group.clear();
    }
}

/// The rows of a block at hand, and how many of them are done.
struct Feed {
    rows: Rows,
    batch: RecordBatch,
    done: usize,
}

fn copy(
    sources: &[Source],
    layout: &Layout,
    picks: &[Pick],
    (out, stopping): (&mut Out, &dyn Fn() -> bool),
) -> Result<(), Error> {
    let mut nulls = Nulls::default();
    let mut feeds = Vec::new();
    for source in sources {
        let batch = RecordBatch::new_empty(Arc::clone(&layout.schema));
        feeds.push(Feed { rows: source.rows(), batch, done: 0 });
    }
    let mut places = Vec::new();
    for pick in picks {
        let number = usize::from(pick.source);
        if feeds.get(number).is_some_and(|feed| feed.done == feed.batch.num_rows()) {
            flush(&feeds, &mut places, out)?;
            if stopping() {
                return Err(Error::Closed);
            }
        }
        let Some(feed) = feeds.get_mut(number) else { continue };
        if feed.done == feed.batch.num_rows() {
            feed.refill(layout, &mut nulls)?;
        }
        if pick.kept {
            places.push((number, feed.done));
        }
        feed.done += 1;
    }
    flush(&feeds, &mut places, out)
}

impl Feed {
    fn refill(&mut self, layout: &Layout, nulls: &mut Nulls) -> Result<(), Error> {
        let batch = self.rows.next().transpose()?;
        let batch = batch.ok_or_else(|| self.rows.fault(&"it has fewer rows than ids"))?;
        self.batch = layout.arrange(&batch, nulls)?;
        self.done = 0;
        Ok(())
    }
}

fn flush(feeds: &[Feed], places: &mut Vec<(usize, usize)>, out: &mut Out) -> Result<(), Error> {
    if !places.is_empty() {
        let batches: Vec<&RecordBatch> = feeds.iter().map(|feed| &feed.batch).collect();
        let rows = interleave_record_batch(&batches, places)?;
        for piece in out.contents.add(&rows) {
            out.writer.write(&piece)?;
        }
        places.clear();
    }
    Ok(())
}
