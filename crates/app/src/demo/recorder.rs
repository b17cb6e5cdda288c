//! Records spans and logs on a clock of its own, in the order in which the story is told.

use super::Random;
use model::span::{Event, Link, Status};
use model::value::{Attribute, Resource, Scope, Shared, Value};
use model::{LogRecord, Span, SpanId, Timestamp, TraceId};

/// OTLP's span kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

/// A program that takes part in the story.
#[derive(Debug, Clone)]
pub struct Service {
    pub resource: Shared<Resource>,
    pub scope: Shared<Scope>,
}

impl Service {
    pub fn new(name: &str, version: &str, language: &str, scope: &str) -> Self {
        let attributes = vec![
            text("service.name", name),
            text("service.version", version),
            text("service.namespace", "demo"),
            text("service.instance.id", &format!("{name}-1")),
            text("deployment.environment.name", "demo"),
            text("host.name", &format!("{name}-1.demo.internal")),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.language", language),
        ];
        Self {
            resource: Shared::new(Resource { attributes, ..Resource::default() }),
            scope: Shared::new(Scope {
                name: scope.to_owned(),
                version: "1.0.0".to_owned(),
                ..Scope::default()
            }),
        }
    }
}

/// A span that is being recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open(usize);

/// The run so far. Times are nanoseconds since its start until [`Recorder::finish`].
pub struct Recorder {
    pub random: Random,
    pub trace_id: TraceId,
    clock: u64,
    spans: Vec<Span>,
    logs: Vec<LogRecord>,
}

impl Recorder {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let trace_id = TraceId(random.id());
        Self { random, trace_id, clock: 0, spans: Vec::new(), logs: Vec::new() }
    }

    pub fn open(
        &mut self,
        parent: Option<Open>,
        service: &Service,
        name: impl Into<String>,
        kind: Kind,
    ) -> Open {
        let span = Span {
            resource: Shared::clone(&service.resource),
            scope: Shared::clone(&service.scope),
            trace_id: self.trace_id,
            span_id: SpanId(self.random.id()),
            parent_span_id: parent.map(|parent| self.spans[parent.0].span_id),
            flags: 1,
            name: name.into(),
            kind: kind as i32,
            start: Timestamp(self.clock),
            ..Span::default()
        };
        self.spans.push(span);
        Open(self.spans.len() - 1)
    }

    pub fn close(&mut self, span: Open) {
        self.spans[span.0].end = Timestamp(self.clock);
    }

    pub fn set(&mut self, span: Open, attributes: impl IntoIterator<Item = Attribute>) {
        self.spans[span.0].attributes.extend(attributes);
    }

    /// Ends a span with an error and the exception that says why.
    pub fn fail(&mut self, span: Open, error_type: &str, message: &str) {
        let exception = vec![text("exception.type", error_type), text("exception.message", message)];
        self.event(span, "exception", exception);
        self.set(span, [text("error.type", error_type)]);
        self.spans[span.0].status = Status { code: 2, message: message.to_owned() };
        self.close(span);
    }

    pub fn succeed(&mut self, span: Open) {
        self.spans[span.0].status.code = 1;
        self.close(span);
    }

    pub fn event(&mut self, span: Open, name: &str, attributes: Vec<Attribute>) {
        let event =
            Event { time: Timestamp(self.clock), name: name.to_owned(), attributes, dropped_attributes: 0 };
        self.spans[span.0].events.push(event);
    }

    /// Links a span to another one, as a consumer does to its producer.
    pub fn link(&mut self, span: Open, to: Open) {
        let (trace_id, span_id) = (self.trace_id, self.spans[to.0].span_id);
        self.spans[span.0].links.push(Link { trace_id, span_id, flags: 1, ..Link::default() });
    }

    pub fn log(
        &mut self,
        span: Open,
        severity: (i32, &str),
        message: impl Into<String>,
        attributes: Vec<Attribute>,
    ) {
        let of = &self.spans[span.0];
        let record = LogRecord {
            resource: Shared::clone(&of.resource),
            scope: Shared::clone(&of.scope),
            time: Timestamp(self.clock),
            observed_time: Timestamp(self.clock),
            severity_number: severity.0,
            severity_text: severity.1.to_owned(),
            body: Some(Value::String(message.into())),
            attributes,
            flags: 1,
            trace_id: Some(self.trace_id),
            span_id: Some(of.span_id),
            ..LogRecord::default()
        };
        self.logs.push(record);
    }

    /// Lets time pass: so many milliseconds, and some more.
    pub fn wait(&mut self, milliseconds: u64) {
        let micros = self.random.between(milliseconds * 900, milliseconds * 1_200 + 1);
        self.clock += micros * 1_000;
    }

    /// Tells two parts of the story that happen at the same time.
    pub fn both<A, B>(
        &mut self,
        one: impl FnOnce(&mut Self) -> A,
        other: impl FnOnce(&mut Self) -> B,
    ) -> (A, B) {
        let start = self.clock;
        let first = one(self);
        let end = std::mem::replace(&mut self.clock, start + 400_000);
        let second = other(self);
        self.clock = self.clock.max(end);
        (first, second)
    }

    pub fn id_of(&self, span: Open) -> SpanId {
        self.spans[span.0].span_id
    }

    /// How long it took so far.
    pub const fn elapsed(&self) -> u64 {
        self.clock
    }

    /// The spans and logs, moved in time so that the run begins at `start`.
    pub fn finish(mut self, start: Timestamp) -> (Vec<Span>, Vec<LogRecord>) {
        let shift = |time: &mut Timestamp| time.0 += start.0;
        for span in &mut self.spans {
            shift(&mut span.start);
            shift(&mut span.end);
            span.events.iter_mut().for_each(|event| shift(&mut event.time));
        }
        for record in &mut self.logs {
            shift(&mut record.time);
            shift(&mut record.observed_time);
        }
        (self.spans, self.logs)
    }
}

pub const INFO: (i32, &str) = (9, "INFO");
pub const WARN: (i32, &str) = (13, "WARN");

pub fn text(key: &str, value: &str) -> Attribute {
    Attribute::new(key, Value::String(value.to_owned()))
}

pub fn int(key: &str, value: u64) -> Attribute {
    Attribute::new(key, Value::Int(i64::try_from(value).unwrap_or(i64::MAX)))
}

pub fn double(key: &str, value: f64) -> Attribute {
    Attribute::new(key, Value::Double(value))
}

pub fn texts(key: &str, values: &[&str]) -> Attribute {
    Attribute::new(key, Value::Array(values.iter().map(|value| Value::String((*value).to_owned())).collect()))
}
