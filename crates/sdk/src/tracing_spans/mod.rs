//! Spans of `tracing` that tell of agents, as rig's do, as full spans: named by what they did, with kind, status, links and
//! measurements. Other spans of `tracing` are left to other layers.

mod fields;
mod under_way;

use crate::span::Start;
use fields::Fields;
use opentelemetry::trace::{SpanId, SpanKind, TraceContextExt};
use opentelemetry::{Context as Told, ContextGuard};
use std::cell::RefCell;
use std::fmt::Debug;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use under_way::UnderWay;

/// The field that tells that a span is of an agent.
const OPERATION: &str = "gen_ai.operation.name";

/// The field that only rig's spans have.
const OF_RIG: &str = "rig.provider_request_id";

/// Where rig tells what it sends to providers, and what they answer.
const EXCHANGES: [&str; 2] = ["rig::completions", "rig::streaming"];

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
        false => *metadata.level() == Level::ERROR || is_exchange(metadata),
    }
}

fn is_exchange(metadata: &Metadata<'_>) -> bool {
    *metadata.level() == Level::TRACE && EXCHANGES.contains(&metadata.target())
}

thread_local! {
    /// Which of these spans are active on this thread, innermost last.
    static ENTERED: RefCell<Vec<(Id, SpanId, ContextGuard)>> = const { RefCell::new(Vec::new()) };
}

/// What an event says.
#[derive(Default)]
struct Said {
    message: String,
    error: Option<String>,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "error" => self.error = Some(format!("{value:?}")),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "error" => self.error = Some(value.to_owned()),
            _ => {}
        }
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
        let is_of_rig = metadata.fields().field(OF_RIG).is_some();
        this.extensions_mut().insert(UnderWay::new(start.start(), &operation, fields, is_of_rig));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        with(&context, id, |under_way| {
            values.record(&mut under_way.fields);
            under_way.recorded();
        });
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        let followed = with(&context, follows, |other| other.span.context().span().span_context().clone());
        if let Some(followed) = followed {
            with(&context, id, |under_way| under_way.span.context().span().add_link(followed, Vec::new()));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let is_exchange = is_exchange(metadata);
        if *metadata.level() != Level::ERROR && !is_exchange {
            return;
        }
        let Some(this) = context.event_span(event) else { return };
        let mut said = Said::default();
        event.record(&mut said);
        with(&context, &this.id(), |under_way| {
            if is_exchange {
                exchanged(under_way, &said.message);
            } else {
                // An error that is told within a span is why it failed, unless it tells otherwise itself.
                under_way.failed(said.error.unwrap_or(said.message));
            }
        });
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let entered = with(&context, id, |under_way| {
            under_way.entered();
            let span_id = under_way.span.context().span().span_context().span_id();
            (id.clone(), span_id, under_way.span.enter())
        });
        ENTERED.with_borrow_mut(|all| all.extend(entered));
    }

    fn on_exit(&self, id: &Id, _context: Context<'_, S>) {
        let guard = ENTERED.with_borrow_mut(|entered| {
            let place = entered.iter().rposition(|(had, ..)| had == id)?;
            Some(entered.remove(place))
        });
        drop(guard);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(this) = context.span(&id) else { return };
        let under_way = this.extensions_mut().remove::<UnderWay>();
        let Some(failed) = under_way.and_then(UnderWay::finish) else { return };
        // An agent whose last call of a model failed has failed.
        if let Some(above) = this.parent() {
            with(&context, &above.id(), |above| above.below(failed));
        }
    }
}

/// What rig tells of a request or its answer: a word for it, and its JSON.
fn exchanged(under_way: &mut UnderWay, message: &str) {
    let Some((word, told)) = message.split_once(": ") else { return };
    let Ok(told) = serde_json::from_str(told) else { return };
    if word == "reply" {
        under_way.answered(&told);
    } else {
        under_way.asked(&told);
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
) -> Option<Told> {
    if attributes.is_root() {
        // It is no child of a span of `tracing`; but what is active beside those is what it is done for.
        return is_ours(&Told::current()).then(Told::new);
    }
    let above = context.span(attributes.parent()?)?;
    above.scope().find_map(|span| Some(span.extensions().get::<UnderWay>()?.span.context().clone()))
}

/// Whether one of these spans is active.
fn is_ours(active: &Told) -> bool {
    let id = active.span().span_context().span_id();
    ENTERED.with_borrow(|entered| entered.iter().any(|(_, had, _)| *had == id))
}

fn kind(operation: &str) -> SpanKind {
    match operation {
        "invoke_agent" | "execute_tool" | "invoke_workflow" | "plan" => SpanKind::Internal,
        _ => SpanKind::Client,
    }
}
