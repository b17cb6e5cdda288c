//! What every span of a run carries, and how its context goes with messages and into the database.

use clew_sdk::opentelemetry::trace::{Span, TraceContextExt, Tracer};
use clew_sdk::opentelemetry::{Context, KeyValue, global};
use clew_sdk::{OnSignal, SetupError, Telemetry};
use std::collections::HashMap;
use std::time::SystemTime;

/// What is written on every span of a run; it travels as baggage.
const CARRIED: [&str; 5] = ["workflow.id", "workflow.name", "workflow.version", "tenant.id", "user.id"];

/// A context as text: what message headers and the database hold of it.
pub type Headers = HashMap<String, String>;

/// Sets up what a process sends; it is flushed when it is dropped. The environment may give the process another name.
pub fn set_up(service: &str) -> Result<Telemetry, SetupError> {
    // Services end by themselves when they are told to, and what is buffered is sent then.
    let builder = clew_sdk::builder().old_names(true).on_signal(OnSignal::Flush);
    let builder = CARRIED.into_iter().fold(builder, clew_sdk::Builder::baggage_attribute);
    let builder = if environment_says("OTEL_SERVICE_NAME", "service.name=") {
        builder
    } else {
        builder.service(service)
    };
    let versioned = environment_says("OTEL_SERVICE_VERSION", "service.version=");
    if versioned { builder.build() } else { builder.version(env!("CARGO_PKG_VERSION")).build() }
}

/// Whether a variable is set, or the resource's attributes have it.
#[expect(clippy::disallowed_methods, reason = "what code says would go before the environment")]
fn environment_says(variable: &str, attribute: &str) -> bool {
    std::env::var(variable).is_ok()
        || std::env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|attributes| attributes.contains(attribute))
}

/// The active context, with a run's belongings in its baggage; its active span gets them, too.
pub fn belonging<'a>(belongings: impl IntoIterator<Item = (&'static str, &'a str)>) -> Context {
    let belongings: Vec<(&str, String)> =
        belongings.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
    let attributes = belongings.iter().map(|(key, value)| KeyValue::new(*key, value.clone()));
    Context::current().span().set_attributes(attributes);
    clew_sdk::baggage::with(belongings)
}

/// A context as text.
pub fn headers_of(context: &Context) -> Headers {
    let mut headers = Headers::new();
    clew_sdk::inject(context, &mut headers);
    headers
}

/// The trace of the active span.
pub fn trace_id() -> String {
    Context::current().span().span_context().trace_id().to_string()
}

/// A span of something that began long ago, in another request, and ends now.
pub fn waited(
    name: &'static str,
    parent: &Context,
    began: SystemTime,
    attributes: &[(&'static str, String)],
) {
    let attributes = attributes.iter().map(|(key, value)| KeyValue::new(*key, value.clone()));
    let tracer = global::tracer("aob.engine");
    let builder = tracer.span_builder(name).with_start_time(began);
    tracer.build_with_context(builder.with_attributes(attributes.collect::<Vec<_>>()), parent).end();
}
