//! The tracers that spans are started with, kept by each thread: to ask for one anew costs more than a span that is not
//! sampled.

use opentelemetry::global;
use opentelemetry::trace::{SpanBuilder, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

static PROVIDER: Mutex<Option<SdkTracerProvider>> = Mutex::new(None);
/// Counts the providers that were set; 0 before the first.
static GENERATION: AtomicU64 = AtomicU64::new(0);
/// Whether what is below a span that is not sampled never is.
static PARENT_DECIDES: AtomicBool = AtomicBool::new(false);

/// More scopes than this are not kept: someone makes their names up.
const KEPT: usize = 64;

#[derive(Default)]
struct Kept {
    generation: u64,
    tracers: Vec<(String, SdkTracer)>,
}

thread_local! {
    static TRACERS: RefCell<Kept> = RefCell::default();
}

/// Makes this provider the one that spans are started with.
pub(crate) fn set(provider: &SdkTracerProvider, parent_decides: bool) {
    *PROVIDER.lock().unwrap_or_else(PoisonError::into_inner) = Some(provider.clone());
    PARENT_DECIDES.store(parent_decides, Ordering::Relaxed);
    GENERATION.fetch_add(1, Ordering::Release);
}

/// Whether a span below this context is known not to be recorded, without asking a sampler.
pub(crate) fn is_unsampled(parent: &Context) -> bool {
    if !PARENT_DECIDES.load(Ordering::Relaxed) || !parent.has_active_span() {
        return false;
    }
    let span = parent.span();
    let context = span.span_context();
    context.is_valid() && !context.is_sampled()
}

/// Starts a span of a scope, below a context.
pub(crate) fn start(scope: Cow<'static, str>, builder: SpanBuilder, parent: &Context) -> Context {
    match tracer(&scope) {
        Some(tracer) => parent.with_span(tracer.build_with_context(builder, parent)),
        None => {
            let span = global::tracer(scope).build_with_context(builder, parent);
            parent.with_span(span)
        }
    }
}

fn tracer(scope: &str) -> Option<SdkTracer> {
    let generation = GENERATION.load(Ordering::Acquire);
    if generation == 0 {
        return None;
    }
    let kept = TRACERS.try_with(|kept| {
        let mut kept = kept.try_borrow_mut().ok()?;
        if kept.generation != generation {
            *kept = Kept { generation, tracers: Vec::new() };
        }
        if let Some((_, tracer)) = kept.tracers.iter().find(|(name, _)| name == scope) {
            return Some(tracer.clone());
        }
        let tracer = made(scope)?;
        if kept.tracers.len() < KEPT {
            kept.tracers.push((scope.to_owned(), tracer.clone()));
        }
        Some(tracer)
    });
    kept.ok().flatten().or_else(|| made(scope))
}

fn made(scope: &str) -> Option<SdkTracer> {
    let provider = PROVIDER.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
    let version = (scope == crate::span::SCOPE).then_some(env!("CARGO_PKG_VERSION"));
    let mut builder = InstrumentationScope::builder(scope.to_owned());
    if let Some(version) = version {
        builder = builder.with_version(version);
    }
    Some(provider.tracer_with_scope(builder.build()))
}
