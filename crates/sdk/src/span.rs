//! A span that is under way, and how one is started.

use crate::lint;
use crate::recorder;
use crate::sampling::Asked;
use opentelemetry::context::{ContextGuard, FutureExt};
use opentelemetry::trace::{Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use std::borrow::Cow;

/// The instrumentation scope of spans that name none.
pub(crate) const SCOPE: &str = "clew-sdk";

/// So many attributes most spans have at most: their list does not grow.
const ROOM: usize = 8;

/// A span of any name.
pub fn span(name: impl Into<Cow<'static, str>>) -> Start {
    Start::new(name)
}

/// A span that is about to be started.
#[derive(Debug, Clone)]
#[must_use = "a span is recorded once it is started"]
pub struct Start {
    name: Cow<'static, str>,
    kind: SpanKind,
    scope: Cow<'static, str>,
    attributes: Vec<KeyValue>,
    links: Vec<Link>,
    parent: Option<Context>,
}

impl Start {
    /// Of this name, internal, below the span that is active.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        let (kind, scope) = (SpanKind::Internal, SCOPE.into());
        Self { name: name.into(), kind, scope, attributes: Vec::new(), links: Vec::new(), parent: None }
    }

    /// `SpanKind`: internal unless told otherwise.
    pub fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = kind;
        self
    }

    /// The instrumentation scope: which library or part of the program records this.
    pub fn scope(mut self, scope: impl Into<Cow<'static, str>>) -> Self {
        self.scope = scope.into();
        self
    }

    /// An attribute. What samplers look at must be set before the start.
    pub fn set(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        if self.attributes.capacity() == 0 {
            self.attributes.reserve(ROOM);
        }
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    /// `gen_ai.conversation.id`: conversations span traces.
    pub fn conversation(self, id: impl Into<StringValue>) -> Self {
        self.set("gen_ai.conversation.id", id.into())
    }

    /// Below this context instead of the active one: what another process, a message or a queue brought.
    pub fn parent(mut self, context: &Context) -> Self {
        self.parent = Some(context.clone());
        self
    }

    /// Points to another span that this one has to do with.
    pub fn link(mut self, to: SpanContext) -> Self {
        self.links.push(Link::with_context(to));
        self
    }

    /// Another name.
    #[cfg(feature = "database")]
    pub(crate) fn named(mut self, name: String) -> Self {
        self.name = name.into();
        self
    }

    /// Whether it is known already that nobody will see it: what is costly to tell need not be told.
    #[cfg(feature = "database")]
    pub(crate) fn is_unseen(&self) -> bool {
        self.parent
            .as_ref()
            .map_or_else(|| recorder::is_unsampled(&Context::current()), recorder::is_unsampled)
    }

    /// Starts it. It is not active by that: see [`Span::enter`] and [`Span::run`].
    #[must_use = "a span ends when it is dropped"]
    pub fn start(mut self) -> Span {
        let parent = self.parent.take().unwrap_or_else(Context::current);
        if recorder::is_unsampled(&parent) {
            // Nobody will ever see it: the context that says so serves those below as well.
            return Span { context: parent };
        }
        if cfg!(debug_assertions) {
            lint::look(&self.name, &self.kind, &self.attributes, &parent);
        }
        Span { context: recorder::start(&mut self, &parent) }
    }

    /// As samplers see it.
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked { name: &self.name, kind: &self.kind, attributes: &self.attributes, links: &self.links }
    }

    /// Its scope, and the rest as OpenTelemetry's interface has it; nothing of it is left here.
    pub(crate) fn builder(&mut self) -> (Cow<'static, str>, SpanBuilder) {
        let builder = SpanBuilder {
            name: std::mem::take(&mut self.name),
            span_kind: Some(self.kind.clone()),
            attributes: Some(std::mem::take(&mut self.attributes)),
            links: Some(std::mem::take(&mut self.links)),
            ..SpanBuilder::default()
        };
        (std::mem::take(&mut self.scope), builder)
    }
}

/// A span that is under way. It ends with [`Span::end`], or when the last clone of it and its context is dropped.
#[derive(Debug, Clone)]
pub struct Span {
    context: Context,
}

impl Span {
    /// The span that is active on this thread, to tell more of it; to end it is for who started it.
    #[must_use]
    pub fn current() -> Self {
        Self { context: Context::current() }
    }

    /// The id of its trace, in 32 hexadecimal digits; none when there is no span.
    ///
    /// ```
    /// # let _telemetry = clew_sdk::builder().exporter(clew_sdk::Exporter::None).build();
    /// assert_eq!(clew_sdk::Span::current().trace_id(), None);
    /// let span = clew_sdk::span("publish event").start();
    /// let _active = span.enter();
    /// assert_eq!(clew_sdk::Span::current().trace_id(), span.trace_id());
    /// assert_eq!(span.trace_id().map(|id| id.len()), Some(32));
    /// ```
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        let span = self.context.span();
        let context = span.span_context();
        context.is_valid().then(|| context.trace_id().to_string())
    }

    /// The context that has it as the active span: for what carries contexts elsewhere.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Whether it is recorded: what is costly to make need not be made otherwise.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.context.span().is_recording()
    }

    /// Sets an attribute.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        self.context.span().set_attribute(KeyValue::new(key, value));
    }

    /// Sets an attribute that is a list of texts.
    pub fn set_list(&self, key: &'static str, values: impl IntoIterator<Item = impl Into<StringValue>>) {
        let values = values.into_iter().map(Into::into).collect();
        self.set(key, Value::Array(Array::String(values)));
    }

    /// Something that happened at this moment.
    pub fn event(&self, name: impl Into<Cow<'static, str>>, attributes: Vec<KeyValue>) {
        self.context.span().add_event(name, attributes);
    }

    /// It did what it should.
    pub fn succeed(&self) {
        self.context.span().set_status(Status::Ok);
    }

    /// It failed: status, `error.type` (low in number, like `timeout`) and an exception event.
    pub fn fail(&self, error_type: impl Into<StringValue>, message: impl Into<Cow<'static, str>>) {
        let (error_type, message) = (error_type.into(), message.into());
        let span = self.context.span();
        span.set_attribute(KeyValue::new("error.type", error_type.clone()));
        let text = message.clone().into_owned();
        let said =
            vec![KeyValue::new("exception.type", error_type), KeyValue::new("exception.message", text)];
        span.add_event("exception", said);
        span.set_status(Status::error(message));
    }

    /// It failed with what says so, though it is no `Error`: those of `anyhow`, say.
    pub fn fail_said(&self, error: &(impl std::fmt::Debug + std::fmt::Display)) {
        self.fail(type_of(&format!("{error:?}")), error.to_string());
    }

    /// It failed, as a status code says: status and `error.type`, and no event where no error was thrown.
    pub fn failed(&self, error_type: impl Into<StringValue>) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new("error.type", error_type.into()));
        span.set_status(Status::error(""));
    }

    /// It failed with this error: its type by its name, its message with those of its causes.
    pub fn fail_with<E: std::error::Error + ?Sized>(&self, error: &E) {
        let (error_type, message) = described(error);
        self.fail(error_type, message);
    }

    /// Makes it the active span of this thread while the guard lives. Not for code that awaits: see [`Span::run`].
    #[must_use = "the span is active while the guard lives"]
    pub fn enter(&self) -> ContextGuard {
        self.context.clone().attach()
    }

    /// Lets a future run with this span active, and ends the span with it.
    pub async fn run<T>(self, future: impl Future<Output = T>) -> T {
        let done = self.within(future).await;
        self.end();
        done
    }

    /// Lets a future run with this span active; the span goes on after it.
    pub async fn within<T>(&self, future: impl Future<Output = T>) -> T {
        future.with_context(self.context.clone()).await
    }

    /// Ends it now. What is below it may go on.
    pub fn end(&self) {
        let span = self.context.span();
        // To ask what time it is costs more than all else that an unseen span costs.
        if span.is_recording() {
            span.end();
        }
    }
}

/// An error's type, low in number, and its message with those of its causes.
pub(crate) fn described<E: std::error::Error + ?Sized>(error: &E) -> (String, String) {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Many errors repeat what their causes say.
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    (type_of(&format!("{error:?}")), message)
}

/// The type that an error's `Debug` begins with, or its variant; that of a `dyn Error` is not known otherwise.
pub(crate) fn type_of(shown: &str) -> String {
    let end = shown.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(shown.len());
    let (name, rest) = shown.split_at(end);
    let is_type = name.starts_with(char::is_uppercase)
        && (rest.is_empty() || rest.starts_with('(') || rest.starts_with(" {"));
    if is_type { name.to_owned() } else { "_OTHER".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::type_of;

    #[test]
    fn types_are_told_from_sentences() {
        for (shown, name) in [
            ("ParseIntError { kind: InvalidDigit }", "ParseIntError"),
            ("Timeout", "Timeout"),
            ("OutOfReach(Custom { kind: TimedOut })", "OutOfReach"),
            ("Connection refused", "_OTHER"),
            ("no answer\n\nCaused by: x", "_OTHER"),
            ("\"text\"", "_OTHER"),
            ("", "_OTHER"),
        ] {
            assert_eq!(type_of(shown), name, "{shown}");
        }
    }
}
