//! What the spans of a trace used and cost, each call counted once.
//!
//! Only calls of models count. Agents, workflows and steps repeat what those below them used; where none below says
//! anything, the topmost agent counts. Of calls within each other (a framework's and its provider's client) the inner one
//! counts, and of calls with the same response id the first.

use crate::outline::Outline;
use crate::prices::PriceTable;
use crate::row::SpanRow;
use model::{SpanId, Timestamp, otlp, schema};
use query::run::{Account, Bill, Call, Counted};
use semconv::{Meaning, NodeKind, usage};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// One span of a trace.
pub struct Node {
    pub span_id: SpanId,
    /// Place of the parent, when it is there and not below this one.
    pub parent: Option<usize>,
    pub kind: NodeKind,
    pub start: Timestamp,
    pub agent: Option<Arc<str>>,
    /// When the span says what it used.
    pub call: Option<Box<Call>>,
}

/// All spans of a trace, with what they used.
pub struct Accounts {
    pub nodes: Vec<Node>,
}

impl Accounts {
    /// Takes what was used out of an outline, and decides which count.
    pub fn of(outline: &mut Outline) -> Self {
        Self::new(outline.reads())
    }

    /// Decides which of the spans of one trace count.
    pub fn new(spans: impl Iterator<Item = Read>) -> Self {
        let count = spans.size_hint().0;
        let mut nodes = Vec::with_capacity(count);
        let mut parents = Vec::with_capacity(count);
        let mut responses = Vec::with_capacity(count);
        for Read { node, parent, response } in spans {
            nodes.push(node);
            parents.push(parent);
            responses.push(response);
        }
        link(&mut nodes, &parents);
        let mut accounts = Self { nodes };
        accounts.inherit_agents();
        accounts.decide(&responses);
        accounts
    }

    /// The calls that count.
    pub fn counted(&self) -> impl Iterator<Item = (&Node, &Call)> {
        let calls = self.nodes.iter().filter_map(|node| Some((node, node.call.as_deref()?)));
        calls.filter(|(_, call)| call.counted == Counted::Yes)
    }

    /// What all of them used and cost.
    pub fn total(&self) -> Account {
        let mut total = Account::default();
        self.counted().for_each(|(_, call)| add(&mut total, call));
        total
    }

    /// A span without an agent works for its nearest ancestor's.
    fn inherit_agents(&mut self) {
        let agents = self.inherited(|place| self.nodes[place].agent.clone());
        for (node, agent) in self.nodes.iter_mut().zip(agents) {
            node.agent = agent;
        }
    }

    /// What each span has of its own or, where it has none, its nearest ancestor that has. In one walk, however deep
    /// spans are.
    pub fn inherited<T: Clone>(&self, own: impl Fn(usize) -> Option<T>) -> Vec<Option<T>> {
        let mut all: Vec<Option<T>> = vec![None; self.nodes.len()];
        for place in self.parents_first() {
            all[place] = own(place).or_else(|| all[self.nodes[place].parent?].clone());
        }
        all
    }

    /// All places, each after that of its parent.
    fn parents_first(&self) -> Vec<usize> {
        let mut seen = vec![false; self.nodes.len()];
        let mut order = Vec::with_capacity(self.nodes.len());
        for start in 0..self.nodes.len() {
            let begin = order.len();
            let mut next = Some(start);
            while let Some(place) = next.filter(|place| !seen[*place]) {
                seen[place] = true;
                order.push(place);
                next = self.nodes[place].parent;
            }
            order[begin..].reverse();
        }
        order
    }

    /// Which spans have a call of a model below them that says what it used.
    fn with_calls_below(&self) -> Vec<bool> {
        let mut below = vec![false; self.nodes.len()];
        for place in (0..self.nodes.len()).filter(|place| {
            let node = &self.nodes[*place];
            node.kind.is_inference() && says(node)
        }) {
            // What is marked has all its ancestors marked.
            let mut above = self.nodes[place].parent;
            while let Some(place) = above.filter(|place| !below[*place]) {
                below[place] = true;
                above = self.nodes[place].parent;
            }
        }
        below
    }

    fn decide(&mut self, responses: &[Option<String>]) {
        let call_below = self.with_calls_below();
        let says_itself = |place: usize| (!call_below[place] && says(&self.nodes[place])).then_some(());
        let told = self.inherited(says_itself);
        let told_above = |place: usize| self.nodes[place].parent.is_some_and(|above| told[above].is_some());
        let mut decided: Vec<Counted> = (0..self.nodes.len())
            .map(|place| match () {
                () if call_below[place] => Counted::RepeatsCallsBelow,
                () if !self.nodes[place].kind.is_inference() && told_above(place) => Counted::RepeatedAbove,
                () => Counted::Yes,
            })
            .collect();
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_key(|place| (self.nodes[*place].start, self.nodes[*place].span_id));
        let mut answered = HashSet::new();
        for place in order {
            if decided[place] == Counted::Yes
                && let Some(response) = &responses[place]
                && !answered.insert(response)
            {
                decided[place] = Counted::SameResponse;
            }
        }
        for (node, counted) in self.nodes.iter_mut().zip(decided) {
            if let Some(call) = &mut node.call {
                call.counted = counted;
            }
        }
    }
}

/// A span, before it is known what is above it.
pub struct Read {
    pub node: Node,
    pub parent: Option<SpanId>,
    /// The id of the answer, of spans that say what they used.
    pub response: Option<String>,
}

/// Reads a span.
pub fn read(span: &SpanRow<'_>, prices: &PriceTable) -> Read {
    let columns = span.columns();
    let sent = columns.id(schema::SPAN_ID, span.row).map(SpanId).unwrap_or_default();
    let sent_parent = columns.id(schema::PARENT_SPAN_ID, span.row).map(SpanId);
    let (span_id, parent) = span.stands_for().unwrap_or((sent, sent_parent));
    let start = Timestamp(columns.uint64(schema::START, span.row).unwrap_or_default());
    let call = call(span, span_id, start, prices);
    let response = call.as_ref().and_then(|_| span.meaning(Meaning::ResponseId)).map(String::from);
    let agent = span.meaning(Meaning::Agent).map(|agent| Arc::from(&*agent));
    let call = call.map(Box::new);
    Read { node: Node { span_id, parent: None, kind: span.kind(), start, agent, call }, parent, response }
}

fn says(node: &Node) -> bool {
    node.call.as_ref().is_some_and(|call| call.usage.total() > 0)
}

/// Sets the parents, and none where spans go in circles.
fn link(nodes: &mut [Node], parents: &[Option<SpanId>]) {
    let places: HashMap<SpanId, usize> =
        nodes.iter().enumerate().map(|(place, node)| (node.span_id, place)).collect();
    let above: Vec<Option<usize>> =
        parents.iter().map(|parent| places.get(parent.as_ref()?).copied()).collect();
    drop(places);
    // 0: not looked at; otherwise the walk that came by.
    let mut walks = vec![0usize; nodes.len()];
    for start in 0..nodes.len() {
        let mut place = start;
        while walks[place] == 0 {
            walks[place] = start + 1;
            let Some(next) = above[place].filter(|next| walks[*next] != start + 1) else { break };
            nodes[place].parent = Some(next);
            place = next;
        }
    }
}

/// What a span says of what it used, and what that cost; `None` when it says nothing of that.
pub fn call(span: &SpanRow<'_>, span_id: SpanId, start: Timestamp, prices: &PriceTable) -> Option<Call> {
    let used = span.usage()?;
    let provider = span.meaning(Meaning::Provider).and_then(|sent| usage::provider(&sent));
    let answered = span.meaning(Meaning::Model);
    let asked = span.meaning(Meaning::RequestModel);
    let computed = [answered.as_deref(), asked.as_deref()]
        .into_iter()
        .flatten()
        .find_map(|model| prices.cost(provider.as_deref(), model, &used, start));
    let bill = computed.map(|computed| Bill {
        dollars: computed.dollars,
        price: computed.price.id,
        version: computed.price.version.to_owned(),
        lines: computed.lines.iter().map(|line| (line.class, line.tokens, line.rate, line.dollars)).collect(),
    });
    let end =
        span.columns().uint64(schema::END, span.row).filter(|end| *end != 0 && span.stands_for().is_none());
    Some(Call {
        span_id,
        duration: end.map(|end| end.saturating_sub(start.0)),
        time_to_first_token: time_to_first_token(span, start),
        counted: Counted::Yes,
        provider,
        model: answered.map(String::from),
        usage: used,
        reported: span.number(Meaning::Cost),
        bill,
    })
}

/// By an attribute or, failing that, by the event that tells of it.
fn time_to_first_token(span: &SpanRow<'_>, start: Timestamp) -> Option<f64> {
    let said = span.number(Meaning::TimeToFirstToken);
    said.map(|sent| usage::seconds_to_first_token(span, sent)).or_else(|| {
        let events = otlp::events(span.columns().bytes(schema::EVENTS, span.row)?);
        let first = events.iter().filter(|event| usage::FIRST_TOKEN_EVENTS.contains(&event.name.as_str()));
        let first = first.map(|event| event.time).min()?;
        Some(std::time::Duration::from_nanos(first.0.checked_sub(start.0)?).as_secs_f64())
    })
}

/// What a call cost: as reported or, where it is not, by the table of prices.
pub fn cost(call: &Call) -> Option<f64> {
    call.reported.or_else(|| call.bill.as_ref().map(|bill| bill.dollars))
}

/// Adds a call to an account.
pub fn add(account: &mut Account, call: &Call) {
    let computed = call.bill.as_ref().map(|bill| bill.dollars);
    account.calls += 1;
    account.usage.add(&call.usage);
    for (sum, dollars) in [
        (&mut account.cost, cost(call)),
        (&mut account.reported, call.reported),
        (&mut account.computed, computed),
    ] {
        if let Some(dollars) = dollars {
            *sum.get_or_insert(0.0) += dollars;
        }
    }
    let unknown = call.model.as_ref().filter(|_| cost(call).is_none() && call.usage.total() > 0);
    if let Some(model) = unknown.filter(|model| !account.unpriced.contains(model)) {
        account.unpriced.push(model.clone());
    }
}
