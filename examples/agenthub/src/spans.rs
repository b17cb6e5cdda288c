//! How spans begin here: in the scope of their service, with what the baggage says of the request.

use clew_sdk::opentelemetry::Context;
use clew_sdk::opentelemetry::baggage::BaggageExt;
use clew_sdk::{Start, span};

/// Entries of the baggage that are said by every span of a request.
const FROM_BAGGAGE: [&str; 5] = ["user.tier", "feature.flag", "user.id", "tenant.id", "workflow.type"];

/// A span below this context.
pub(crate) fn below(context: &Context, service: &'static str, name: &'static str) -> Start {
    let mut start = span(name).scope(service).parent(context);
    for key in FROM_BAGGAGE {
        if let Some(value) = context.baggage().get(key) {
            start = start.set(key, value.clone());
        }
    }
    start
}
