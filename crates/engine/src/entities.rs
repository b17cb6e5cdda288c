//! What agents, models, tools, conversations, users, policies and workflows did: spans are read newest first, put
//! together by trace, so that what was used is counted once, and then given to whom they speak of.

use crate::account::{self, Accounts, Read};
use crate::admission::Question;
use crate::prices::PriceTable;
use crate::row::{SpanBatch, SpanRow, asked_keys};
use crate::scan::{Scanner, Wanted, blocks, sources};
use arrow::array::RecordBatch;
use model::schema::{self, ColumnType, attribute_column};
use model::{Signal, SpanId, Timestamp, TraceId};
use query::result::{EntitiesResult, Entity, EntityPart};
use query::{EntitiesRequest, EntityKind, Error};
use semconv::{Meaning, NodeKind};
use std::collections::{HashMap, HashSet};
use std::mem::size_of;
use std::sync::Arc;
use storage::Snapshot;

/// The newest spans that are looked at; each takes some hundred bytes.
const MOST_SPANS: usize = 400_000;
/// What a span takes until all are added up.
const SPAN_BYTES: u64 = 2 * size_of::<Spoken>() as u64 + size_of::<query::run::Call>() as u64;
/// Parts of a series.
const PARTS: u64 = 60;

/// A span and whom it speaks of.
struct Spoken {
    read: Read,
    end: Timestamp,
    failed: bool,
    name: Option<String>,
    decision: Option<String>,
}

type Traces = HashMap<TraceId, HashMap<SpanId, Spoken>>;

pub async fn list(
    (scanner, question): (&Scanner, &Arc<Question>),
    snapshot: &Snapshot,
    prices: &PriceTable,
    request: &EntitiesRequest,
) -> Result<EntitiesResult, Error> {
    let wanted = Wanted { signal: Signal::Traces, filter: &request.filter, range: request.range };
    let columns = columns();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut traces = Traces::new();
    let (mut count, mut complete) = (0, true);
    let sources = sources(snapshot, request.range);
    for (number, source) in sources.iter().enumerate() {
        if count >= MOST_SPANS {
            complete = false;
            break;
        }
        let take = |batch: &RecordBatch| {
            count += batch.num_rows();
            question.note(batch.num_rows() as u64 * SPAN_BYTES);
            gather(batch, request.kind, prices, &mut traces);
        };
        if let Err(error) = scanner.each(question, source, wanted, (&columns, take)).await {
            question.pass_over(source, error)?;
        }
        question.searching(Signal::Traces, blocks(&sources[..=number]));
    }
    let (kind, name) = (request.kind, request.name.clone());
    let mut entities = question.compute(move || sum_up(traces, kind, name.as_deref())).await?;
    entities.sort_by(|left, right| right.spans.cmp(&left.spans).then_with(|| left.name.cmp(&right.name)));
    let looked_at_all = complete;
    complete &= entities.len() <= request.limit && question.unread() == 0;
    entities.truncate(request.limit);
    let incomplete = question.incomplete().or_else(|| {
        let why =
            || format!("only the newest {count} spans were looked at; narrow the time range or the filter");
        (!looked_at_all).then(why)
    });
    Ok(EntitiesResult { entities, complete, incomplete })
}

/// What is read of a span.
fn columns() -> Vec<String> {
    let meanings = [Meaning::User, Meaning::PolicyDecision];
    let keys = meanings.into_iter().flat_map(Meaning::needed_keys).chain(asked_keys());
    let typed = keys.flat_map(|key| ColumnType::ALL.map(|column_type| attribute_column(key, column_type)));
    let fixed = [
        schema::TRACE_ID,
        schema::SPAN_ID,
        schema::PARENT_SPAN_ID,
        schema::KIND,
        schema::START,
        schema::END,
        schema::STATUS_CODE,
        schema::ATTRIBUTES_TAIL,
    ];
    let mut columns: Vec<String> = fixed.map(str::to_owned).into_iter().chain(typed).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

fn gather(batch: &RecordBatch, kind: EntityKind, prices: &PriceTable, traces: &mut Traces) {
    let spans = SpanBatch::new(batch);
    for row in 0..batch.num_rows() {
        let span = spans.row(row);
        let Some(trace) = spans.columns.id(schema::TRACE_ID, row).map(TraceId) else { continue };
        let pending = span.stands_for().is_some();
        let end = if pending { None } else { spans.columns.uint64(schema::END, row) };
        let spoken = Spoken {
            read: account::read(&span, prices),
            end: Timestamp(end.unwrap_or_default()),
            failed: spans.columns.int32(schema::STATUS_CODE, row) == 2,
            name: named(&span, kind),
            decision: if kind == EntityKind::Policy { decision(&span) } else { None },
        };
        let known = traces.entry(trace).or_default();
        // A span that was sent again counts as it ended last.
        match known.get(&spoken.read.node.span_id) {
            Some(other) if other.end >= spoken.end => {}
            _ => drop(known.insert(spoken.read.node.span_id, spoken)),
        }
    }
}

fn named(span: &SpanRow<'_>, kind: EntityKind) -> Option<String> {
    let meaning = match kind {
        EntityKind::Agent => Meaning::Agent,
        EntityKind::Model => Meaning::Model,
        EntityKind::Tool => Meaning::Tool,
        EntityKind::Conversation => Meaning::Conversation,
        EntityKind::User => Meaning::User,
        EntityKind::Policy => Meaning::Policy,
        EntityKind::Workflow => Meaning::Workflow,
    };
    span.meaning(meaning).map(String::from)
}

fn decision(span: &SpanRow<'_>) -> Option<String> {
    let said = span.meaning(Meaning::PolicyDecision).map(String::from);
    said.or_else(|| {
        span.flag(Meaning::PolicyDecision).map(|allowed| if allowed { "allow" } else { "deny" }.to_owned())
    })
}

/// Whether a span of this kind is an act of the entity itself, and not one that is done for it.
fn is_own(kind: EntityKind, node: NodeKind) -> bool {
    match kind {
        EntityKind::Agent => node == NodeKind::Agent,
        EntityKind::Model => node.is_inference(),
        // A server of MCP may be all that tells of a tool.
        EntityKind::Tool => matches!(node, NodeKind::Tool | NodeKind::Mcp),
        EntityKind::Policy => matches!(node, NodeKind::Policy | NodeKind::Guardrail),
        EntityKind::Workflow => node == NodeKind::Workflow,
        EntityKind::Conversation | EntityKind::User => true,
    }
}

/// The span of something that happened, as it is added up.
struct Event<'e> {
    start: Timestamp,
    end: Timestamp,
    failed: bool,
    decision: Option<&'e str>,
}

fn sum_up(traces: Traces, kind: EntityKind, only: Option<&str>) -> Vec<Entity> {
    let mut entities: HashMap<String, Entity> = HashMap::new();
    let span_of_time = extent(&traces);
    for spans in traces.into_values() {
        let (reads, told): (Vec<_>, Vec<_>) = spans.into_values().map(split).unzip();
        let accounts = Accounts::new(reads.into_iter());
        let names = names(&accounts, &told, kind);
        let repeats = repeats(&accounts, &names, kind);
        let mut here = HashSet::new();
        for (((node, told), name), repeats) in accounts.nodes.iter().zip(&told).zip(&names).zip(repeats) {
            let Some(name) = name.as_deref().filter(|name| only.is_none_or(|only| only == *name)) else {
                continue;
            };
            let call = node.call.as_deref().filter(|call| call.counted == query::run::Counted::Yes);
            let own =
                is_own(kind, node.kind) && !repeats && (told.name.is_some() || kind != EntityKind::Agent);
            if !own && call.is_none() {
                continue;
            }
            let entity = entities.entry(name.to_owned()).or_insert_with(|| new(name, only, span_of_time));
            entity.traces += u64::from(here.insert(name.to_owned()));
            let event = Event {
                start: node.start,
                end: told.end,
                failed: told.failed,
                decision: told.decision.as_deref(),
            };
            add(entity, &event, own, call);
        }
    }
    entities.into_values().collect()
}

fn new(name: &str, only: Option<&str>, (first, last): (u64, u64)) -> Entity {
    let length = ((last - first) / PARTS + 1).max(1);
    let part = |number| EntityPart { start: Timestamp(first + number * length), ..EntityPart::default() };
    let series = if only.is_some() { (0..PARTS).map(part).collect() } else { Vec::new() };
    Entity { name: name.to_owned(), first: Timestamp(u64::MAX), series, ..Entity::default() }
}

fn add(entity: &mut Entity, event: &Event<'_>, own: bool, call: Option<&query::run::Call>) {
    entity.first = entity.first.min(event.start);
    entity.last = entity.last.max(event.start);
    let place = entity.series.partition_point(|part| part.start <= event.start).checked_sub(1);
    let part = place.and_then(|place| entity.series.get_mut(place));
    let mut unheard = EntityPart::default();
    let part = part.unwrap_or(&mut unheard);
    if own {
        entity.spans += 1;
        part.spans += 1;
        entity.errors += u64::from(event.failed);
        part.errors += u64::from(event.failed);
        if event.end >= event.start {
            let duration = event.end.0 - event.start.0;
            entity.durations.add(duration);
            part.durations.add(duration);
        }
    }
    if let Some(call) = call {
        account::add(&mut entity.account, call);
        account::add(&mut part.account, call);
    }
    if let Some(decision) = event.decision {
        match entity.decisions.iter_mut().find(|(known, _)| known == decision) {
            Some((_, count)) => *count += 1,
            None => entity.decisions.push((decision.to_owned(), 1)),
        }
    }
}

/// What is known of a span besides its place in the trace.
struct Told {
    end: Timestamp,
    failed: bool,
    name: Option<String>,
    decision: Option<String>,
}

fn split(spoken: Spoken) -> (Read, Told) {
    let Spoken { read, end, failed, name, decision } = spoken;
    (read, Told { end, failed, name, decision })
}

/// Whom each span belongs to: whom it names or, where that is passed on, whom its nearest ancestor does; conversations
/// and users those that anything in the trace names.
fn names(accounts: &Accounts, told: &[Told], kind: EntityKind) -> Vec<Option<String>> {
    let own = |place: usize| told.get(place).and_then(|told| told.name.clone());
    let names = match kind {
        EntityKind::Model | EntityKind::Tool | EntityKind::Policy => (0..told.len()).map(own).collect(),
        _ => accounts.inherited(own),
    };
    let whole_trace = matches!(kind, EntityKind::Conversation | EntityKind::User);
    let any = told.iter().find_map(|told| told.name.clone()).filter(|_| whole_trace);
    names.into_iter().map(|name: Option<String>| name.or_else(|| any.clone())).collect()
}

/// Which spans tell of the same call of a tool as one above them: the server's beside the client's.
fn repeats(accounts: &Accounts, names: &[Option<String>], kind: EntityKind) -> Vec<bool> {
    if kind != EntityKind::Tool {
        return vec![false; names.len()];
    }
    let nearest = accounts.inherited(|place| names[place].clone());
    let above = |node: &account::Node| nearest[node.parent?].as_ref();
    accounts
        .nodes
        .iter()
        .zip(names)
        .map(|(node, name)| name.is_some() && above(node) == name.as_ref())
        .collect()
}

/// From the first start to the last.
fn extent(traces: &Traces) -> (u64, u64) {
    let starts = || traces.values().flat_map(HashMap::values).map(|spoken| spoken.read.node.start.0);
    (starts().min().unwrap_or(0), starts().max().unwrap_or(0))
}
