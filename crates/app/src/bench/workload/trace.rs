//! One run of an agent, grown to a given number of spans: a request comes in, the agent takes steps, and each step
//! calls a model, tools and what lies behind them.

use super::attributes;
use super::cast::{Cast, Part, TABLES, TOOLS, pick, text};
use super::conversation::Conversation;
use crate::demo::Random;
use model::span::{Event, Status};
use model::{Attribute, Span, SpanId, Timestamp, TraceId};

/// A span, and the number of the process that sends it.
#[derive(Debug)]
pub struct Made {
    pub process: usize,
    pub span: Span,
}

const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const MILLISECOND: u64 = 1_000_000;

const FAULTS: [(&str, &str); 4] = [
    ("TimeoutError", "no answer within the deadline"),
    ("RateLimitError", "too many requests; try again later"),
    ("ConnectionResetError", "the peer closed the connection"),
    ("ValidationError", "the arguments do not match the schema"),
];

pub struct Growing<'a> {
    cast: &'a Cast,
    conversation: &'a mut Conversation,
    pub random: &'a mut Random,
    pub ids: &'a mut Random,
    trace_id: TraceId,
    /// Which process of each service takes part.
    instance: usize,
    /// Nanoseconds since the trace began.
    clock: u64,
    left: usize,
    made: Vec<Made>,
}

/// The spans of one trace in the order in which they ended, the last of them at `end`.
pub fn grow(
    cast: &Cast,
    conversation: &mut Conversation,
    (random, ids): (&mut Random, &mut Random),
    size: usize,
    end: Timestamp,
) -> Vec<Made> {
    let trace_id = TraceId(ids.id());
    let instance = usize::try_from(random.between(0, 3)).unwrap_or(0);
    let made = Vec::with_capacity(size);
    let mut growing =
        Growing { cast, conversation, random, ids, trace_id, instance, clock: 0, left: size, made };
    growing.run();
    let start = end.0.saturating_sub(growing.clock);
    let mut made = growing.made;
    for Made { span, .. } in &mut made {
        span.start.0 += start;
        span.end.0 += start;
        span.events.iter_mut().for_each(|event| event.time.0 += start);
    }
    // Children end before their parents, which began earlier and so stand before them.
    made.reverse();
    made.sort_by_key(|made| made.span.end);
    made
}

impl Growing<'_> {
    fn run(&mut self) {
        let Some(root) = self.open(None, Part::Gateway, "POST /v1/runs", SERVER) else { return };
        self.wait(1, 6);
        if let Some(agent) = self.agent(root) {
            let mut turn = 0;
            while self.left > 0 {
                self.turn(agent, turn, true);
                turn += 1;
            }
            self.close(agent);
        }
        self.wait(1, 4);
        let attributes = attributes::served(self.conversation, self.random);
        self.finish(root, attributes);
    }

    fn agent(&mut self, parent: usize) -> Option<usize> {
        let name = format!("invoke_agent {}", self.conversation.agent);
        let agent = self.open(Some(parent), Part::Agents, &name, INTERNAL)?;
        let attributes = attributes::agent(self.conversation, self.random);
        self.set(agent, attributes);
        self.wait(1, 5);
        Some(agent)
    }

    /// A step: the model decides, and what it asks for is done.
    fn turn(&mut self, agent: usize, number: usize, may_delegate: bool) {
        let name = format!("step {number}");
        let Some(step) = self.open(Some(agent), Part::Agents, &name, INTERNAL) else { return };
        let attributes = attributes::step(self.conversation, number, self.random);
        self.set(step, attributes);
        self.wait(1, 3);
        self.model_call(step, if number == 0 { "user" } else { "tool" });
        if self.random.between(0, 4) == 0 {
            self.retrieval(step);
        }
        for _ in 0..self.random.between(0, 3) {
            self.tool(step);
        }
        if may_delegate && self.random.between(0, 12) == 0 {
            self.delegate(step);
        }
        self.wait(1, 3);
        self.close(step);
    }

    fn delegate(&mut self, parent: usize) {
        let Some(agent) = self.agent(parent) else { return };
        for number in 0..self.random.between(1, 3) {
            self.turn(agent, usize::try_from(number).unwrap_or(0), false);
        }
        self.close(agent);
    }

    fn model_call(&mut self, parent: usize, role: &str) {
        let model = pick(self.random, &super::cast::MODELS);
        let name = format!("chat {}", model.name);
        let Some(call) = self.open(Some(parent), Part::Agents, &name, CLIENT) else { return };
        self.wait(1, 4);
        if self.random.between(0, 5) < 2 {
            self.request(call, "POST", model.host, "/v1/chat/completions");
        }
        self.wait(300, 4_500);
        let said = self.conversation.say(role, self.random);
        let attributes = attributes::model_call(&model, self.conversation, (self.random, self.ids), said);
        self.finish(call, attributes);
    }

    fn tool(&mut self, parent: usize) {
        let tool = pick(self.random, &TOOLS);
        let name = format!("execute_tool {tool}");
        let Some(call) = self.open(Some(parent), Part::Agents, &name, INTERNAL) else { return };
        self.wait(1, 10);
        match self.random.between(0, 10) {
            0..5 => self.request(call, "GET", "tools.internal", &format!("/{tool}")),
            5..7 => self.database(call),
            _ => {}
        }
        self.wait(2, 250);
        let attributes = attributes::tool(tool, self.conversation, (self.random, self.ids));
        self.finish(call, attributes);
    }

    fn retrieval(&mut self, parent: usize) {
        let Some(search) = self.open(Some(parent), Part::Agents, "retrieval knowledge", CLIENT) else {
            return;
        };
        if let Some(embedding) =
            self.open(Some(search), Part::Agents, "embeddings text-embedding-3-small", CLIENT)
        {
            self.wait(15, 90);
            let attributes = attributes::embedding(self.conversation, self.random);
            self.finish(embedding, attributes);
        }
        self.wait(5, 120);
        let attributes = attributes::retrieval(self.conversation, (self.random, self.ids));
        self.finish(search, attributes);
    }

    /// An outgoing request, and sometimes how the other side served it.
    fn request(&mut self, parent: usize, method: &str, host: &str, path: &str) {
        let Some(call) = self.open(Some(parent), Part::Agents, method, CLIENT) else { return };
        self.wait(1, 3);
        if host.ends_with(".internal")
            && self.random.between(0, 3) == 0
            && let Some(served) = self.open(Some(call), Part::Tools, &format!("{method} {path}"), SERVER)
        {
            self.wait(1, 40);
            let attributes = attributes::served(self.conversation, self.random);
            self.finish(served, attributes);
        }
        self.wait(1, 20);
        let attributes = attributes::request(method, host, path, self.random);
        self.finish(call, attributes);
    }

    fn database(&mut self, parent: usize) {
        let table = pick(self.random, &TABLES);
        let Some(query) = self.open(Some(parent), Part::Tools, &format!("SELECT {table}"), CLIENT) else {
            return;
        };
        self.wait(1, 30);
        let attributes = attributes::database(table, self.random);
        self.finish(query, attributes);
    }

    /// `None` when the trace is as large as it should be.
    fn open(&mut self, parent: Option<usize>, part: Part, name: &str, kind: i32) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let (process, of) = self.cast.process(self.conversation.application, part, self.instance);
        let span = Span {
            resource: of.resource.clone(),
            scope: of.scope.clone(),
            trace_id: self.trace_id,
            span_id: SpanId(self.ids.id()),
            parent_span_id: parent.map(|place| self.made[place].span.span_id),
            flags: 0x101,
            name: name.to_owned(),
            kind,
            start: Timestamp(self.clock),
            ..Span::default()
        };
        self.made.push(Made { process, span });
        Some(self.made.len() - 1)
    }

    fn set(&mut self, place: usize, attributes: Vec<Attribute>) {
        self.made[place].span.attributes.extend(attributes);
    }

    /// Ends a span that did one thing, which now and then went wrong.
    fn finish(&mut self, place: usize, attributes: Vec<Attribute>) {
        self.set(place, attributes);
        // Some spans (agents, steps) never fail: with these it is one in fifty of all.
        if self.random.between(0, 1_000) < 28 {
            self.fail(place);
        }
        self.close(place);
    }

    fn fail(&mut self, place: usize) {
        let (kind, message) = pick(self.random, &FAULTS);
        let message = format!("{message} (attempt {})", self.random.between(1, 4));
        let with_stack = self.random.between(0, 2) == 0;
        let event = with_stack.then(|| Event {
            time: Timestamp(self.clock),
            name: "exception".to_owned(),
            attributes: attributes::exception(kind, &message, self.random),
            dropped_attributes: 0,
        });
        let span = &mut self.made[place].span;
        span.attributes.push(text("error.type", kind));
        span.events.extend(event);
        span.status = Status { code: 2, message };
    }

    fn close(&mut self, place: usize) {
        self.made[place].span.end = Timestamp(self.clock);
    }

    /// Time goes by: so many milliseconds, to the nanosecond.
    const fn wait(&mut self, from: u64, to: u64) {
        self.clock += self.random.between(from * MILLISECOND, to * MILLISECOND);
    }
}
