//! What is likely a mistake in how spans are made, told once for each name, in debug builds only.

use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

/// More names than this are not told of: who has so many makes them up, which was told by then.
const TOLD: usize = 64;

static SEEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// Names that tell nothing.
const EMPTY: [&str; 10] =
    ["main", "span", "run", "process", "handle", "execute", "call", "do", "dostuff", "test"];

/// Looks at a span that is about to be started.
pub(crate) fn look(name: &str, kind: &SpanKind, attributes: &[KeyValue], parent: &Context) {
    let Some(fault) = fault(name, kind, attributes, parent.span().span_context().is_valid()) else { return };
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let new = seen.len() < TOLD && seen.insert(shape(name));
    drop(seen);
    if new {
        tracing::warn!(target: "clew_sdk", span = name, "{fault}");
    }
}

/// What is likely wrong with a span.
fn fault(name: &str, kind: &SpanKind, attributes: &[KeyValue], has_parent: bool) -> Option<&'static str> {
    if EMPTY.contains(&name.to_ascii_lowercase().as_str()) {
        return Some("a span's name tells what is done: `verb object`, or `component.operation`");
    }
    if name.len() > 120 || name.split(|letter: char| !letter.is_alphanumeric()).any(is_made_up) {
        return Some(
            "ids belong into attributes, not into a span's name: names that differ cannot be summed up",
        );
    }
    let tool = attributes
        .iter()
        .any(|had| had.key.as_str() == "gen_ai.operation.name" && had.value.as_str() == "execute_tool");
    // A server's clients need not be recorded.
    if !has_parent && tool && *kind != SpanKind::Server {
        return Some("a tool was called outside any span: was the context carried into the task or thread?");
    }
    if !has_parent && *kind == SpanKind::Consumer {
        return Some("a message brought no context: was it injected into the message's headers?");
    }
    None
}

/// Whether a word is a number or an id, and not a version or a port.
fn is_made_up(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let hexadecimal = word.chars().all(|letter| letter.is_ascii_hexdigit());
    (digits == word.len() && digits > 5 && digits != 8) || (hexadecimal && digits > 2 && word.len() >= 12)
}

/// A name without its digits: a thousand names that differ in a number are told once.
fn shape(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_ascii_hexdigit()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_mistakes_are_known() {
        let tool = [KeyValue::new("gen_ai.operation.name", "execute_tool")];
        for (name, kind, attributes, has_parent, fault_begins) in [
            ("main", SpanKind::Internal, &[][..], true, Some("a span's name")),
            ("doStuff", SpanKind::Internal, &[], true, Some("a span's name")),
            ("GET /users/8412345", SpanKind::Server, &[], true, Some("ids belong")),
            ("task 4bf92f3577b34da6a3ce929d0e0e4736", SpanKind::Internal, &[], true, Some("ids belong")),
            ("execute_tool search", SpanKind::Internal, &tool, false, Some("a tool")),
            ("process tasks", SpanKind::Consumer, &[], false, Some("a message")),
            ("execute_tool search", SpanKind::Internal, &tool, true, None),
            ("tools/call search", SpanKind::Server, &tool, false, None),
            ("process tasks", SpanKind::Consumer, &[], true, None),
            ("chat gpt-4o-2024-08-06", SpanKind::Client, &[], false, None),
            ("chat claude-sonnet-4-20250514", SpanKind::Client, &[], false, None),
            ("run-agent-workflow", SpanKind::Internal, &[], false, None),
            ("llm.generate", SpanKind::Internal, &[], true, None),
            ("GET /users/{id}", SpanKind::Server, &[], false, None),
            ("ProcessBatchItem", SpanKind::Internal, &[], true, None),
        ] {
            let found = fault(name, &kind, attributes, has_parent);
            assert_eq!(found.is_some(), fault_begins.is_some(), "{name}: {found:?}");
            assert!(found.is_none_or(|found| fault_begins.is_some_and(|begins| found.starts_with(begins))));
        }
    }

    #[test]
    fn names_that_differ_in_a_number_are_one() {
        assert_eq!(shape("task 123456"), shape("task 654321"));
        assert_ne!(shape("task 123456"), shape("job 123456"));
    }
}
