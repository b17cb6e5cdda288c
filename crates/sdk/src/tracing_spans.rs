//! Spans of `tracing` that tell of agents, as rig's do, as full spans: named by what they did, with kind, status, links and
//! measurements. Other spans of `tracing` are left to other layers.

use crate::content::KEYS;
use crate::histograms::Origin;
use crate::metrics::{self, Measured};
use crate::options;
use crate::span::{Span, Start};
use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry::{ContextGuard, KeyValue, Value};
use std::cell::RefCell;
use std::fmt::Debug;
use std::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// The field that tells that a span is of an agent.
const OPERATION: &str = "gen_ai.operation.name";

/// What rig calls what was said, beside the conventions' names.
const SAID: [&str; 2] = ["gen_ai.prompt", "gen_ai.completion"];

/// What rig calls otherwise than the conventions.
const RENAMED: [(&str, &str); 3] = [
    ("gen_ai.usage.reasoning_tokens", "gen_ai.usage.reasoning.output_tokens"),
    ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens"),
    ("gen_ai.tool.error.type", "error.type"),
];

/// A layer that makes full spans of rig's, and of all that have the field `gen_ai.operation.name`. It is part of what
/// [`crate::Builder::build`] sets up; a program with a subscriber of its own adds it there.
#[must_use]
pub fn agent_spans() -> AgentSpans {
    AgentSpans
}

/// See [`agent_spans`].
#[derive(Debug, Clone, Copy)]
pub struct AgentSpans;

/// Whether the layer has anything to do with a span or event: what it has not costs nothing.
pub(crate) fn concerns(metadata: &Metadata<'_>) -> bool {
    match metadata.is_span() {
        true => metadata.fields().field(OPERATION).is_some(),
        false => *metadata.level() == Level::ERROR,
    }
}

thread_local! {
    /// Which of these spans are active on this thread, innermost last.
    static ENTERED: RefCell<Vec<(Id, ContextGuard)>> = const { RefCell::new(Vec::new()) };
}

/// A span under way, and what it told so far.
struct UnderWay {
    span: Span,
    began: Instant,
    fields: Fields,
}

#[derive(Default)]
struct Fields(Vec<KeyValue>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        let name = field.name();
        let said = KEYS.contains(&name) || SAID.contains(&name);
        if said && options::content().is_none() {
            return;
        }
        let name = RENAMED.iter().find(|(had, _)| *had == name).map_or(name, |(_, current)| current);
        self.0.retain(|had| had.key.as_str() != name);
        self.0.push(KeyValue::new(name, value));
    }

    fn text(&self, key: &str) -> Option<String> {
        let found = self.0.iter().find(|had| had.key.as_str() == key)?;
        Some(found.value.to_string()).filter(|text| !text.is_empty())
    }

    fn number(&self, key: &str) -> Option<u64> {
        match self.0.iter().find(|had| had.key.as_str() == key)?.value {
            Value::I64(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.to_owned());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for AgentSpans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        if metadata.fields().field(OPERATION).is_none() {
            return;
        }
        let Some(this) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let operation = fields.text(OPERATION).unwrap_or_else(|| metadata.name().to_owned());
        let mut start = Start::new(metadata.name()).kind(kind(&operation)).scope(metadata.target());
        if let Some(parent) = parent(attributes, &context) {
            start = start.parent(&parent);
        }
        let span = start.start();
        this.extensions_mut().insert(UnderWay { span, began: Instant::now(), fields });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        with(&context, id, |under_way| values.record(&mut under_way.fields));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        let followed = with(&context, follows, |other| other.span.context().span().span_context().clone());
        if let Some(followed) = followed {
            with(&context, id, |under_way| under_way.span.context().span().add_link(followed, Vec::new()));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // An error that is told within a span is why it failed, unless it tells otherwise itself.
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        let Some(this) = context.event_span(event) else { return };
        let mut told = Fields::default();
        event.record(&mut told);
        let message = told.text("error").or(told.text("message")).unwrap_or_default();
        let id = this.id();
        with(&context, &id, |under_way| under_way.span.fail("_OTHER", message));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(active) = with(&context, id, |under_way| under_way.span.enter()) {
            ENTERED.with_borrow_mut(|entered| entered.push((id.clone(), active)));
        }
    }

    fn on_exit(&self, id: &Id, _context: Context<'_, S>) {
        let guard = ENTERED.with_borrow_mut(|entered| {
            let place = entered.iter().rposition(|(had, _)| had == id)?;
            Some(entered.remove(place))
        });
        drop(guard);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(this) = context.span(&id) else { return };
        let under_way = this.extensions_mut().remove::<UnderWay>();
        if let Some(under_way) = under_way {
            finish(under_way);
        }
    }
}

fn with<S: for<'a> LookupSpan<'a> + Subscriber, T>(
    context: &Context<'_, S>,
    id: &Id,
    act: impl FnOnce(&mut UnderWay) -> T,
) -> Option<T> {
    context.span(id)?.extensions_mut().get_mut::<UnderWay>().map(act)
}

/// The nearest of these spans above; what is active otherwise is found without it.
fn parent<S: Subscriber + for<'a> LookupSpan<'a>>(
    attributes: &Attributes<'_>,
    context: &Context<'_, S>,
) -> Option<opentelemetry::Context> {
    if attributes.is_root() {
        return Some(opentelemetry::Context::new());
    }
    let above = context.span(attributes.parent()?)?;
    above.scope().find_map(|span| Some(span.extensions().get::<UnderWay>()?.span.context().clone()))
}

fn kind(operation: &str) -> SpanKind {
    match operation {
        "invoke_agent" | "execute_tool" | "invoke_workflow" | "plan" => SpanKind::Internal,
        _ => SpanKind::Client,
    }
}

/// Names the span by what it turned out to be, and ends it.
fn finish(under_way: UnderWay) {
    let UnderWay { span, began, fields } = under_way;
    let operation = fields.text(OPERATION).unwrap_or_default();
    let subject = match operation.as_str() {
        "invoke_agent" | "plan" => "gen_ai.agent.name",
        "execute_tool" => "gen_ai.tool.name",
        "invoke_workflow" => "gen_ai.workflow.name",
        _ => "gen_ai.request.model",
    };
    let name = fields.text(subject).map(|subject| format!("{operation} {subject}"));
    span.context().span().update_name(name.unwrap_or_else(|| operation.clone()));
    if let Some(error_type) = fields.text("error.type") {
        span.failed(error_type);
    } else if fields.text("gen_ai.tool.call.outcome").as_deref() == Some("error") {
        span.failed("tool_error");
    }
    // An agent's own sum of its calls' tokens is theirs already.
    if kind(&operation) == SpanKind::Client {
        measure(&span, began, &fields);
    }
    span.context().span().set_attributes(fields.0);
    span.end();
}

fn measure(span: &Span, began: Instant, fields: &Fields) {
    let Some(instruments) = metrics::instruments() else { return };
    // Sorted, as measurements are told apart.
    let names =
        ["error.type", OPERATION, "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model"];
    let about = names.into_iter().filter_map(|name| Some(KeyValue::new(name, fields.text(name)?)));
    let measured = Measured {
        took: began.elapsed().as_secs_f64(),
        first: None,
        input: fields.number("gen_ai.usage.input_tokens"),
        output: fields.number("gen_ai.usage.output_tokens"),
    };
    let origin = Origin::of(span.context().span().span_context());
    instruments.record(about.collect(), measured, origin);
}
