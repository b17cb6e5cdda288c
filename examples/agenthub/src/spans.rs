//! How spans begin here: in the scope of their service, below the context that they are told.

use clew_sdk::opentelemetry::Context;
use clew_sdk::{Start, span};

/// Entries of the baggage that every span of a request says, and those of whoever comes after.
pub(crate) const FROM_BAGGAGE: [&str; 5] =
    ["user.tier", "feature.flag", "user.id", "tenant.id", "workflow.type"];

/// A span below this context.
pub(crate) fn below(context: &Context, service: &'static str, name: &'static str) -> Start {
    span(name).scope(service).parent(context)
}
