//! What every span of a run carries, and how its context goes over HTTP, with messages and into the database.

use clew_sdk::opentelemetry::baggage::BaggageExt;
use clew_sdk::opentelemetry::context::FutureExt;
use clew_sdk::opentelemetry::trace::{Span, TraceContextExt, Tracer};
use clew_sdk::opentelemetry::{Context, KeyValue, global};
use clew_sdk::{SetupError, Start, Telemetry};
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::SystemTime;

/// What is written on every span of a run; it travels as baggage.
const CARRIED: [&str; 5] = ["workflow.id", "workflow.name", "workflow.version", "tenant.id", "user.id"];

/// A context as text: what HTTP headers, message headers and the database hold of it.
pub type Headers = HashMap<String, String>;

/// Sets up what a process sends; it is flushed when it is dropped. The environment may give the process another name.
pub fn set_up(service: &str) -> Result<Telemetry, SetupError> {
    match is_named() {
        true => clew_sdk::init(),
        false => clew_sdk::builder().service(service).build(),
    }
}

#[expect(clippy::disallowed_methods, reason = "what code says would go before the environment")]
fn is_named() -> bool {
    let says = |name: &str, what: &str| std::env::var(name).is_ok_and(|value| value.contains(what));
    says("OTEL_SERVICE_NAME", "") || says("OTEL_RESOURCE_ATTRIBUTES", "service.name=")
}

/// A span below the active one that says whose run it belongs to.
pub fn span(name: impl Into<Cow<'static, str>>) -> Start {
    carrying(clew_sdk::span(name), &Context::current())
}

/// A span below a context that came from elsewhere.
pub fn span_below(name: impl Into<Cow<'static, str>>, parent: &Context) -> Start {
    carrying(clew_sdk::span(name), parent).parent(parent)
}

/// Writes the baggage of a context onto a span.
pub fn carrying(start: Start, context: &Context) -> Start {
    let baggage = context.baggage();
    CARRIED.into_iter().fold(start, |start, key| match baggage.get(key) {
        Some(value) => start.set(key, value.clone()),
        None => start,
    })
}

/// The active context, with a run's belongings in its baggage; its active span gets them, too.
pub fn belonging<'a>(belongings: impl IntoIterator<Item = (&'static str, &'a str)>) -> Context {
    let context = Context::current();
    let pairs: Vec<KeyValue> =
        belongings.into_iter().map(|(key, value)| KeyValue::new(key, value.to_owned())).collect();
    context.span().set_attributes(pairs.clone());
    context.with_baggage(pairs)
}

/// A context as text.
pub fn headers_of(context: &Context) -> Headers {
    let mut headers = Headers::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut headers));
    headers
}

/// The context that a text stands for.
pub fn context_of(headers: &Headers) -> Context {
    global::get_text_map_propagator(|propagator| propagator.extract_with_context(&Context::new(), headers))
}

/// The trace of the active span.
pub fn trace_id() -> String {
    Context::current().span().span_context().trace_id().to_string()
}

/// Lets a future run below a context, without ending its span.
pub async fn within<T>(context: &Context, future: impl Future<Output = T>) -> T {
    future.with_context(context.clone()).await
}

/// A span of something that began long ago, in another request, and ends now.
pub fn waited(
    name: &'static str,
    parent: &Context,
    began: SystemTime,
    attributes: &[(&'static str, String)],
) {
    let baggage = parent.baggage();
    let carried = CARRIED.into_iter().filter_map(|key| Some(KeyValue::new(key, baggage.get(key)?.clone())));
    let attributes = attributes.iter().map(|(key, value)| KeyValue::new(*key, value.clone())).chain(carried);
    let tracer = global::tracer("aob.engine");
    let builder =
        tracer.span_builder(name).with_start_time(began).with_attributes(attributes.collect::<Vec<_>>());
    tracer.build_with_context(builder, parent).end();
}
