//! Forms of trace contexts in headers beside W3C's: B3 in one header or several, and Jaeger's.

use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, baggage::BaggageExt};
use std::sync::LazyLock;

const SINGLE: &str = "b3";
const TRACE: &str = "x-b3-traceid";
const SPAN: &str = "x-b3-spanid";
const SAMPLED: &str = "x-b3-sampled";
const FLAGS: &str = "x-b3-flags";
const JAEGER: &str = "uber-trace-id";
const JAEGER_BAGGAGE: &str = "uberctx-";

static B3_FIELDS: LazyLock<Vec<String>> =
    LazyLock::new(|| [SINGLE, TRACE, SPAN, SAMPLED, FLAGS].map(str::to_owned).into());
static JAEGER_FIELDS: LazyLock<Vec<String>> = LazyLock::new(|| vec![JAEGER.to_owned()]);

fn context(trace: &str, span: &str, sampled: bool) -> Option<SpanContext> {
    let trace = TraceId::from_hex(trace).ok()?;
    let span = SpanId::from_hex(span).ok()?;
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

fn with(parent: &Context, remote: Option<SpanContext>) -> Context {
    remote.map_or_else(|| parent.clone(), |remote| parent.with_remote_span_context(remote))
}

/// Zipkin's B3. Both forms are understood; one is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum B3 {
    /// One header: `b3`.
    Single,
    /// Several: `x-b3-traceid` and so on.
    Multiple,
}

impl TextMapPropagator for B3 {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let context = span.span_context();
        if !context.is_valid() {
            return;
        }
        let (trace, span) = (context.trace_id(), context.span_id());
        let sampled = if context.is_sampled() { "1" } else { "0" };
        match self {
            Self::Single => injector.set(SINGLE, format!("{trace}-{span}-{sampled}")),
            Self::Multiple => {
                injector.set(TRACE, trace.to_string());
                injector.set(SPAN, span.to_string());
                injector.set(SAMPLED, sampled.to_owned());
            }
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        with(context, single(extractor).or_else(|| multiple(extractor)))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&B3_FIELDS)
    }
}

fn single(extractor: &dyn Extractor) -> Option<SpanContext> {
    let mut parts = extractor.get(SINGLE)?.split('-');
    let (trace, span) = (parts.next()?, parts.next()?);
    context(trace, span, matches!(parts.next(), Some("1" | "d" | "true")))
}

fn multiple(extractor: &dyn Extractor) -> Option<SpanContext> {
    let sampled = matches!(extractor.get(SAMPLED), Some("1" | "true" | "True"));
    context(extractor.get(TRACE)?, extractor.get(SPAN)?, sampled || extractor.get(FLAGS) == Some("1"))
}

/// Jaeger's: `uber-trace-id`, and `uberctx-…` for baggage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Jaeger;

impl TextMapPropagator for Jaeger {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let spanned = span.span_context();
        if spanned.is_valid() {
            let sampled = u8::from(spanned.is_sampled());
            let value = format!("{}:{}:0:{sampled:x}", spanned.trace_id(), spanned.span_id());
            injector.set(JAEGER, value);
        }
        for (key, (value, _)) in context.baggage() {
            injector.set(&format!("{JAEGER_BAGGAGE}{key}"), value.to_string());
        }
    }

    fn extract_with_context(&self, parent: &Context, extractor: &dyn Extractor) -> Context {
        let mut parent = with(parent, jaeger(extractor));
        let baggage = extractor.keys().into_iter().filter_map(|key| {
            let name = key.to_ascii_lowercase().strip_prefix(JAEGER_BAGGAGE)?.to_owned();
            Some(opentelemetry::KeyValue::new(name, extractor.get(key)?.to_owned()))
        });
        let baggage: Vec<_> = baggage.collect();
        if !baggage.is_empty() {
            parent = parent.with_baggage(baggage);
        }
        parent
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&JAEGER_FIELDS)
    }
}

fn jaeger(extractor: &dyn Extractor) -> Option<SpanContext> {
    let value = crate::setup::environment::decoded(extractor.get(JAEGER)?);
    let mut parts = value.split(':');
    let (trace, span) = (parts.next()?, parts.next()?);
    let flags = u8::from_str_radix(parts.nth(1)?, 16).ok()?;
    context(trace, span, flags & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const HEX: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn each_form_is_read_and_written() {
        type Form<'a> = (&'a dyn TextMapPropagator, &'a [(&'a str, String)]);
        let forms: [Form<'_>; 3] = [
            (&B3::Single, &[("b3", format!("{HEX}-00f067aa0ba902b7-1"))]),
            (
                &B3::Multiple,
                &[
                    ("x-b3-traceid", HEX.to_owned()),
                    ("x-b3-spanid", "00f067aa0ba902b7".to_owned()),
                    ("x-b3-sampled", "1".to_owned()),
                ],
            ),
            (&Jaeger, &[("uber-trace-id", format!("{HEX}:00f067aa0ba902b7:0:1"))]),
        ];
        for (propagator, headers) in forms {
            let sent: HashMap<String, String> =
                headers.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
            let context = propagator.extract(&sent);
            let span = context.span().span_context().clone();
            assert_eq!((span.trace_id().to_string().as_str(), span.is_sampled()), (HEX, true));
            assert!(span.is_remote());
            let mut written = HashMap::new();
            propagator.inject_context(&context, &mut written);
            assert_eq!(written, sent);
        }
    }

    #[test]
    fn what_is_no_context_is_none() {
        for (name, value) in
            [("b3", "0"), ("b3", "nonsense-at-all"), ("uber-trace-id", "::::"), ("uber-trace-id", "0:0:0:1")]
        {
            let sent = HashMap::from([(name.to_owned(), value.to_owned())]);
            for propagator in [&B3::Single as &dyn TextMapPropagator, &Jaeger] {
                assert!(!propagator.extract(&sent).span().span_context().is_valid(), "{value}");
            }
        }
    }

    #[test]
    fn baggage_goes_with_jaeger() {
        let sent = HashMap::from([("uberctx-user.tier".to_owned(), "premium".to_owned())]);
        let context = Jaeger.extract(&sent);
        assert_eq!(context.baggage().get("user.tier").map(ToString::to_string).as_deref(), Some("premium"));
    }
}
