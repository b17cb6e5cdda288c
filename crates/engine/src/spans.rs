//! Whole spans of a trace, each once, by their start; of more than an answer may hold, the first.

use crate::admission::Question;
use crate::row::{SpanBatch, tail_may_hold};
use crate::trace::{Asked, Rank, Shape, Visitor, visit};
use crate::weight;
use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Schema;
use model::schema::{self, ColumnType, attribute_column};
use model::{Signal, Span, SpanId, Timestamp, otlp};
use query::Error;
use query::result::{Held, Listed};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use storage::Extent;

/// All spans of a trace, or those named.
pub async fn find(asked: Asked<'_>, only: Option<&[SpanId]>) -> Result<Listed<Span>, Error> {
    let wanted: Option<Arc<HashSet<SpanId>>> = only.map(|ids| Arc::new(ids.iter().copied().collect()));
    let mut found = collect(asked, only, wanted.clone()).await?;
    if let Some(wanted) = wanted
        && found.kept.len() < wanted.len()
        && found.cut.is_none()
        && may_have_pending(asked)
    {
        // A span that is pending stands under another id.
        asked.question.give_back(found.bytes);
        found = collect(asked, None, Some(wanted)).await?;
    }
    let question = asked.question;
    if found.kept.is_empty() {
        question.nothing(if only.is_some() { "the span" } else { "the trace" })?;
    }
    let cut = found.cut.map(|_| {
        let (told, bytes) = (found.kept.len(), question.answer_bytes() >> 20);
        format!("only the first {told} spans are told: an answer has at most {bytes} MiB of them")
    });
    let items = found.kept.into_values().map(|(span, _)| span).collect();
    let held = if question.is_heavy() { Held::new(Arc::clone(question)) } else { Held::default() };
    Ok(Listed { items, incomplete: question.incomplete().or(cut), bytes: found.bytes, held })
}

async fn collect(
    asked: Asked<'_>,
    read: Option<&[SpanId]>,
    only: Option<Arc<HashSet<SpanId>>>,
) -> Result<Collector, Error> {
    let question = Arc::clone(asked.question);
    let most = question.answer_bytes();
    let collector = Collector {
        question,
        only,
        best: HashMap::new(),
        kept: BTreeMap::new(),
        number: 0,
        bytes: 0,
        most,
        cut: None,
    };
    visit(asked, Signal::Traces, Shape { columns: None, spans: read }, collector).await
}

/// Whether a row of this trace may be a pending span: hardly any store has one.
fn may_have_pending(asked: Asked<'_>) -> bool {
    let snapshot = asked.storage.snapshot(asked.tenant, Signal::Traces);
    let [key, _] = crate::row::pending_keys();
    let may = |schema: &Schema| {
        schema.index_of(&attribute_column(key, ColumnType::String)).is_ok() || tail_may_hold(schema, key)
    };
    snapshot.blocks.iter().any(|block| may(block.schema()))
        || snapshot.hot.iter().any(|batch| may(batch.columns.schema_ref()))
}

/// Keeps the spans of batches, the first by start.
struct Collector {
    question: Arc<Question>,
    only: Option<Arc<HashSet<SpanId>>>,
    best: HashMap<SpanId, (Rank, Timestamp)>,
    kept: BTreeMap<(Timestamp, SpanId), (Span, u64)>,
    number: u64,
    bytes: u64,
    most: u64,
    /// What starts then or later was left out.
    cut: Option<Timestamp>,
}

/// A row that is taken: as which span, and what it stands for.
struct Taken {
    id: SpanId,
    rank: Rank,
    /// Of a pending span: the parent of the one that it stands for.
    pending: Option<Option<SpanId>>,
}

impl Collector {
    /// The rows that count so far.
    fn choose(&mut self, batch: &RecordBatch) -> (Vec<u32>, Vec<Taken>) {
        let spans = SpanBatch::new(batch);
        let pending = spans.may_have_pending(batch);
        let (mut rows, mut taken) = (Vec::new(), Vec::new());
        for (row, number) in (0..batch.num_rows()).zip(0u32..) {
            self.number += 1;
            let Some(sent) = spans.columns.id(schema::SPAN_ID, row).map(SpanId) else { continue };
            let stands_for = if pending { spans.row(row).stands_for() } else { None };
            let id = stands_for.map_or(sent, |(running, _)| running);
            let start = Timestamp(spans.columns.uint64(schema::START, row).unwrap_or_default());
            let is_wanted = self.only.as_ref().is_none_or(|only| only.contains(&id));
            if !is_wanted || self.cut.is_some_and(|cut| start >= cut) {
                continue;
            }
            let end =
                stands_for.is_none().then(|| spans.columns.uint64(schema::END, row).unwrap_or_default());
            let rank = (end, self.number);
            if self.best.get(&id).is_none_or(|(known, _)| *known < rank) {
                rows.push(number);
                taken.push(Taken { id, rank, pending: stands_for.map(|(_, parent)| parent) });
            }
        }
        (rows, taken)
    }

    fn keep(&mut self, mut span: Span, taken: &Taken) {
        if let Some(parent) = taken.pending {
            (span.span_id, span.parent_span_id, span.end) = (taken.id, parent, Timestamp(0));
        }
        match self.best.get(&taken.id) {
            Some((known, _)) if *known > taken.rank => return,
            Some((_, start)) => {
                let before = self.kept.remove(&(*start, taken.id));
                self.let_go(before.map_or(0, |(_, bytes)| bytes));
            }
            None => {}
        }
        let bytes = weight::span(&span);
        self.best.insert(taken.id, (taken.rank, span.start));
        self.question.note(bytes);
        self.bytes += bytes;
        self.kept.insert((span.start, taken.id), (span, bytes));
        while self.bytes > self.most && self.kept.len() > 1 {
            let Some(((start, id), (_, bytes))) = self.kept.pop_last() else { break };
            self.best.remove(&id);
            self.let_go(bytes);
            self.cut = Some(start);
        }
    }

    fn let_go(&mut self, bytes: u64) {
        self.bytes -= bytes;
        self.question.give_back(bytes);
    }
}

impl Visitor for Collector {
    fn take(&mut self, batch: &RecordBatch) -> bool {
        let (rows, taken) = self.choose(batch);
        if !rows.is_empty()
            && let Ok(rows) = take_record_batch(batch, &UInt32Array::from(rows))
        {
            // The order of places is that of the rows taken.
            otlp::spans(&rows).into_iter().zip(&taken).for_each(|(span, taken)| self.keep(span, taken));
        }
        self.question.fits()
    }

    fn expects(&self, extent: Extent) -> u64 {
        extent.bytes.min(2 * self.most)
    }
}
