//! What a program tells those it calls, and they those they call: a few names and values beside the context.

use opentelemetry::baggage::BaggageExt;
use opentelemetry::{Context, ContextGuard, Key, KeyValue, StringValue};

/// What was told under this name, by this program or one before it.
#[must_use]
pub fn get(name: &str) -> Option<String> {
    of(&Context::current(), name)
}

/// What a context tells under this name.
#[must_use]
pub fn of(context: &Context, name: &str) -> Option<String> {
    context.baggage().get(name).map(ToString::to_string)
}

/// The context that is active, with this told beside all that it tells already.
#[must_use]
pub fn with(pairs: impl IntoIterator<Item = (impl Into<Key>, impl Into<StringValue>)>) -> Context {
    on(&Context::current(), pairs)
}

/// A context with this told beside all that it tells already.
#[must_use]
pub fn on(
    context: &Context,
    pairs: impl IntoIterator<Item = (impl Into<Key>, impl Into<StringValue>)>,
) -> Context {
    let told = context.baggage().iter();
    let told = told.map(|(key, (value, _))| KeyValue::new(key.clone(), value.clone()));
    let more = pairs.into_iter().map(|(key, value)| KeyValue::new(key.into(), value.into()));
    // The last of a name counts.
    context.with_baggage(told.chain(more).collect::<Vec<_>>())
}

/// Tells it while the guard lives, to all that this thread calls. Not for code that awaits: see [`crate::within`].
#[must_use = "it is told while the guard lives"]
pub fn set(pairs: impl IntoIterator<Item = (impl Into<Key>, impl Into<StringValue>)>) -> ContextGuard {
    with(pairs).attach()
}
