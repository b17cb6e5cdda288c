//! The spans of a trace as they are read, batch by batch: of each what skeletons, summaries and runs are made of, some
//! hundred bytes, and nothing of its texts but their places in tables.

use crate::account::{self, Node, Read};
use crate::admission::Question;
use crate::findings::broken_chain;
use crate::prices::PriceTable;
use crate::row::{SpanBatch, SpanRow};
use crate::skeleton::Texts;
use crate::summary::first_input;
use crate::trace::{Rank, Visitor};
use arrow::array::RecordBatch;
use model::{SpanId, Timestamp, otlp, schema};
use query::result::{SkeletonRow, flag};
use query::run::Call;
use semconv::{Meaning, NodeKind};
use std::collections::{BTreeMap, HashMap};
use std::mem::size_of;
use std::sync::Arc;
use storage::Extent;
use tokio::sync::OwnedSemaphorePermit;

/// Calls of which a run tells everything; of others it knows what is added up.
pub const CALLS: usize = 10_000;
/// The first inputs that are remembered: of these, spans may have been sent again.
const INPUTS: usize = 64;
/// What putting spans in order takes beside themselves, for each.
const ARRANGING: u64 = 110;
/// What adding up what they used takes, for each; that is over when the spans are put in order.
const ADDING_UP: u64 = 174;

/// What is wanted of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// Its spans alone.
    Spans,
    /// What they used together, too.
    Totals,
    /// And each call of a model.
    Calls,
}

/// One span.
pub struct Outlined {
    pub row: SkeletonRow,
    pub parent: Option<SpanId>,
    /// Places in tables.
    pub conversation: u32,
    pub model: u32,
    /// Why its message had no context.
    pub broken: Option<&'static str>,
    /// In the order read.
    number: u64,
    pending: bool,
    used: Option<Box<Used>>,
}

/// What a span says that it used.
struct Used {
    call: Call,
    response: Option<String>,
}

impl Outlined {
    const fn rank(&self) -> Rank {
        (if self.pending { None } else { Some(self.row.end.0) }, self.number)
    }
}

/// Tables of texts.
pub struct Tables {
    pub names: Texts,
    pub services: Texts,
    pub agents: Texts,
    pub subjects: Texts,
    pub conversations: Texts,
    pub models: Texts,
}

impl Tables {
    fn new() -> Self {
        Self {
            names: Texts::new(),
            services: Texts::new(),
            agents: Texts::new(),
            subjects: Texts::new(),
            conversations: Texts::new(),
            models: Texts::new(),
        }
    }

    const fn bytes(&self) -> u64 {
        self.names.bytes()
            + self.services.bytes()
            + self.agents.bytes()
            + self.subjects.bytes()
            + self.conversations.bytes()
            + self.models.bytes()
    }
}

/// The spans of a trace. Once [settled](Self::settle), each once.
pub struct Outline {
    pub spans: Vec<Outlined>,
    pub tables: Tables,
    /// The first of what users put in, by the start of the span and its number.
    inputs: BTreeMap<(Timestamp, u64), String>,
    wants: Wants,
    prices: Arc<PriceTable>,
    question: Arc<Question>,
    number: u64,
    calls: usize,
    noted: u64,
    room: Option<OwnedSemaphorePermit>,
}

impl Outline {
    pub fn new(wants: Wants, prices: &Arc<PriceTable>, question: &Arc<Question>) -> Self {
        Self {
            spans: Vec::new(),
            tables: Tables::new(),
            inputs: BTreeMap::new(),
            wants,
            prices: Arc::clone(prices),
            question: Arc::clone(question),
            number: 0,
            calls: 0,
            noted: 0,
            room: None,
        }
    }

    const fn of_each(&self) -> u64 {
        let later = match self.wants {
            Wants::Spans => ARRANGING,
            Wants::Totals | Wants::Calls => ADDING_UP,
        };
        size_of::<Outlined>() as u64 + later
    }

    fn read(&mut self, span: &SpanRow<'_>) -> Option<Outlined> {
        let (columns, row) = (span.columns(), span.row);
        self.number += 1;
        let sent_id = SpanId(columns.id(schema::SPAN_ID, row)?);
        let stands_for = span.stands_for();
        let sent = (sent_id, columns.id(schema::PARENT_SPAN_ID, row).map(SpanId));
        let (span_id, parent) = stands_for.unwrap_or(sent);
        let start = Timestamp(columns.uint64(schema::START, row).unwrap_or_default());
        let call = account::call(span, span_id, start, &self.prices);
        let end = if stands_for.is_none() { columns.uint64(schema::END, row) } else { None };
        let drawn =
            SkeletonRow { span_id, start, end: Timestamp(end.unwrap_or_default()), ..SkeletonRow::default() };
        let (conversation, model) = match self.wants {
            Wants::Totals => (
                self.tables.conversations.add(&span.meaning(Meaning::Conversation).unwrap_or_default()),
                self.tables.models.add(&span.meaning(Meaning::Model).unwrap_or_default()),
            ),
            Wants::Spans | Wants::Calls => (0, 0),
        };
        Some(Outlined {
            row: self.draw(span, call.as_ref(), drawn),
            parent,
            conversation,
            model,
            broken: if self.wants == Wants::Calls { broken_chain(span) } else { None },
            number: self.number,
            pending: stands_for.is_some(),
            used: call.filter(|_| self.wants != Wants::Spans).map(|call| self.used(span, call)),
        })
    }

    fn draw(&mut self, span: &SpanRow<'_>, call: Option<&Call>, row: SkeletonRow) -> SkeletonRow {
        let (columns, place) = (span.columns(), span.row);
        let kind = span.kind();
        let mut flags = 0;
        if let Some(events) = columns.bytes(schema::EVENTS, place) {
            flags |= flag::EVENTS;
            if otlp::events(events).iter().any(|event| event.name == "exception") {
                flags |= flag::EXCEPTION;
            }
        }
        if columns.bytes(schema::LINKS, place).is_some() {
            flags |= flag::LINKS;
        }
        if row.end.0 == 0 {
            flags |= flag::RUNNING;
        }
        if span.has_meaning(Meaning::InputMessages) {
            flags |= flag::CONTENT;
            self.note_input(span, row.start);
        }
        let subject = kind.subject().and_then(|meaning| span.meaning(meaning)).unwrap_or_default();
        let tokens = call.map_or(0, |call| call.usage.total());
        #[expect(clippy::cast_possible_truncation, reason = "dollars need no more digits than f32 has")]
        let cost = call.and_then(account::cost).map_or(f32::NAN, |cost| cost as f32);
        SkeletonRow {
            name: self.tables.names.add(columns.text(schema::NAME, place).unwrap_or_default()),
            service: self.tables.services.add(columns.text(schema::SERVICE, place).unwrap_or_default()),
            agent: self.tables.agents.add(&span.meaning(Meaning::Agent).unwrap_or_default()),
            subject: self.tables.subjects.add(&subject),
            kind: kind as u8,
            status: u8::try_from(columns.int32(schema::STATUS_CODE, place)).unwrap_or(0),
            flags,
            tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
            cost,
            ..row
        }
    }

    /// Of the calls beyond those that are told, what is added up is enough.
    fn used(&mut self, span: &SpanRow<'_>, mut call: Call) -> Box<Used> {
        self.calls += 1;
        if self.wants == Wants::Totals || self.calls > CALLS {
            call.provider = None;
            if let Some(bill) = &mut call.bill {
                (bill.price, bill.version, bill.lines) = (String::new(), String::new(), Vec::new());
            }
        }
        Box::new(Used { call, response: span.meaning(Meaning::ResponseId).map(String::from) })
    }

    fn note_input(&mut self, span: &SpanRow<'_>, start: Timestamp) {
        let is_early = self.inputs.len() < INPUTS
            || self.inputs.last_key_value().is_some_and(|((last, _), _)| start < *last);
        if self.wants != Wants::Totals || !is_early {
            return;
        }
        let text = span.meaning(Meaning::InputMessages).and_then(|content| first_input(&content));
        if let Some(text) = text {
            self.inputs.insert((start, self.number), text);
            if self.inputs.len() > INPUTS {
                self.inputs.pop_last();
            }
        }
    }

    /// Keeps the row that counts of each span; whether others were there.
    pub fn settle(&mut self) -> bool {
        let before = self.spans.len();
        let mut best: HashMap<SpanId, Rank> = HashMap::with_capacity(before);
        for span in &self.spans {
            let rank = span.rank();
            best.entry(span.row.span_id).and_modify(|known| *known = rank.max(*known)).or_insert(rank);
        }
        if best.len() < before {
            self.spans.retain(|span| best.get(&span.row.span_id) == Some(&span.rank()));
        }
        self.spans.len() < before
    }

    pub fn sort_by_start(&mut self) {
        self.spans.sort_unstable_by_key(|span| (span.row.start, span.number));
    }

    /// The first input of a span that counts; they must be in the order of their start.
    pub fn first_input(&mut self) -> Option<String> {
        let spans = &self.spans;
        let counts = |key: &(Timestamp, u64)| {
            spans.binary_search_by_key(key, |span| (span.row.start, span.number)).is_ok()
        };
        let inputs = std::mem::take(&mut self.inputs);
        inputs.into_iter().find(|(key, _)| counts(key)).map(|(_, text)| text)
    }

    /// What each span says that it used, which is taken out of it.
    pub fn reads(&mut self) -> impl Iterator<Item = Read> + use<'_> {
        let agents = &self.tables.agents;
        self.spans.iter_mut().map(|span| {
            let (call, response) = match span.used.take() {
                Some(used) => (Some(Box::new(used.call)), used.response),
                None => (None, None),
            };
            let row = &span.row;
            let kind = NodeKind::ALL.get(usize::from(row.kind)).copied().unwrap_or_default();
            let agent = if row.agent == 0 { None } else { agents.shared(row.agent) };
            let node = Node { span_id: row.span_id, parent: None, kind, start: row.start, agent, call };
            Read { node, parent: span.parent, response }
        })
    }
}

impl Visitor for Outline {
    fn take(&mut self, batch: &RecordBatch) -> bool {
        let spans = SpanBatch::new(batch);
        let (tables, calls) = (self.tables.bytes(), self.calls);
        let count = batch.num_rows();
        for row in 0..count {
            let read = self.read(&spans.row(row));
            self.spans.extend(read);
        }
        let of_calls = (self.calls - calls) as u64 * (size_of::<Used>() as u64 + 32);
        let more = count as u64 * self.of_each() + self.tables.bytes() - tables + of_calls;
        self.noted += more;
        self.question.note(more);
        self.question.fits()
    }

    fn expects(&self, extent: Extent) -> u64 {
        extent.rows * self.of_each()
    }

    fn reserves(&self) -> bool {
        true
    }

    fn hold(&mut self, room: OwnedSemaphorePermit) {
        self.room = Some(room);
    }
}

impl Drop for Outline {
    fn drop(&mut self) {
        self.question.give_back(self.noted);
    }
}
