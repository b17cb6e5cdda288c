//! Starts spans: decides which are recorded, and gives them ids. A trace that is not recorded costs no more than its ids.

use crate::counts::{self, CREATED, ROOTS_SAMPLED, ROOTS_STARTED};
use crate::queue::Queue;
use crate::recording::Recording;
use crate::sampling::{Asked, Sampling};
use crate::setup::Limits;
use crate::span::Start;
use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, SamplingDecision, SpanData, SpanEvents, SpanLinks,
};
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

static CURRENT: Mutex<Option<&'static Recorder>> = Mutex::new(None);
/// Counts the recorders that were set; 0 before the first.
static GENERATION: AtomicU64 = AtomicU64::new(0);
/// Whether what is below a span that is not sampled never is.
static PARENT_DECIDES: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The recorder that this thread used last, and which one it was: to ask all threads' costs more.
    static KEPT: Cell<(u64, Option<&'static Recorder>)> = const { Cell::new((0, None)) };
}

/// Starts spans, and knows where they go when they end. Programs have one or few, which live as long as they do, so that no
/// span needs to count who holds it.
#[derive(Debug)]
pub(crate) struct Recorder {
    sampling: Sampling,
    limits: Limits,
    /// None when spans go nowhere.
    queue: Option<Queue>,
    /// Whether nothing is to be recorded or counted at all.
    disabled: bool,
    ended: AtomicBool,
}

impl Recorder {
    pub(crate) fn new(sampling: Sampling, limits: Limits, queue: Option<Queue>, disabled: bool) -> Self {
        Self { sampling, limits, queue, disabled, ended: AtomicBool::new(false) }
    }

    /// Sends what is buffered.
    pub(crate) fn flush(&self) -> OTelSdkResult {
        self.queue.as_ref().map_or(Ok(()), Queue::flush)
    }

    /// Sends what is buffered, and starts no more spans.
    pub(crate) fn end(&self, within: Duration) -> OTelSdkResult {
        self.ended.store(true, Ordering::Relaxed);
        self.queue.as_ref().map_or(Ok(()), |queue| queue.end(within))
    }

    /// Takes what it needs of a span that ended.
    pub(crate) fn take(&self, span: &mut Option<SpanData>) {
        if let Some(queue) = &self.queue {
            queue.take(span);
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    #[inline]
    fn start(&'static self, start: &mut Start, parent: &Context) -> Context {
        match self.decide(&start.asked(), parent) {
            (context, Some(attributes)) => {
                let (scope, builder) = start.builder();
                parent.with_span(self.record(own_scope(scope), builder, parent, context, attributes))
            }
            (context, None) => parent.with_remote_span_context(context),
        }
    }

    /// A new span's context and, when it is to be recorded, what the sampler says of it.
    #[inline]
    fn decide(&self, asked: &Asked<'_>, context: &Context) -> (SpanContext, Option<Vec<KeyValue>>) {
        if context.is_telemetry_suppressed() || self.ended.load(Ordering::Relaxed) {
            return (SpanContext::NONE, None);
        }
        let above = context.span();
        let parent = Some(above.span_context()).filter(|parent| parent.is_valid());
        let ids = RandomIdGenerator::default();
        let trace_id = parent.map_or_else(|| ids.new_trace_id(), SpanContext::trace_id);
        let result = self.sampling.decide(asked, trace_id, parent, context);
        let sampled = result.decision == SamplingDecision::RecordAndSample;
        let dropped = result.decision == SamplingDecision::Drop;
        let flags = parent.filter(|_| !dropped).map(SpanContext::trace_flags).unwrap_or_default();
        let flags = flags.with_sampled(sampled);
        let is_root = parent.is_none();
        let context = SpanContext::new(trace_id, ids.new_span_id(), flags, false, result.trace_state);
        if is_root && !self.disabled {
            counts::add(&ROOTS_STARTED, 1);
            if sampled {
                counts::add(&ROOTS_SAMPLED, 1);
            }
        }
        (context, (!dropped).then_some(result.attributes))
    }

    fn record(
        &'static self,
        scope: InstrumentationScope,
        builder: SpanBuilder,
        parent: &Context,
        context: SpanContext,
        mut sampler_says: Vec<KeyValue>,
    ) -> Recording {
        let mut attributes = builder.attributes.unwrap_or_default();
        attributes.append(&mut sampler_says);
        let mut events = SpanEvents::default();
        events.events = builder.events.unwrap_or_default();
        let mut links = SpanLinks::default();
        links.links = builder.links.unwrap_or_default();
        let above = parent.span();
        let above = above.span_context();
        let start = builder.start_time.unwrap_or_else(SystemTime::now);
        let data = SpanData {
            span_context: context.clone(),
            parent_span_id: above.span_id(),
            parent_span_is_remote: above.is_valid() && above.is_remote(),
            span_kind: builder.span_kind.unwrap_or(SpanKind::Internal),
            name: builder.name,
            start_time: start,
            end_time: start,
            attributes,
            dropped_attributes_count: 0,
            events,
            links,
            status: Status::Unset,
            instrumentation_scope: scope,
        };
        let mut recording = Recording::new(context, data, self);
        if let Some(queue) = &self.queue {
            counts::add(&CREATED, 1);
            queue.rules().copy_baggage(&mut recording, parent);
        }
        recording
    }
}

/// Scopes are told with their version where it is known.
fn own_scope(name: Cow<'static, str>) -> InstrumentationScope {
    let own = name == crate::span::SCOPE;
    let builder = InstrumentationScope::builder(name);
    if own { builder.with_version(env!("CARGO_PKG_VERSION")).build() } else { builder.build() }
}

/// Makes this recorder the one that spans are started with, also by libraries that know OpenTelemetry alone.
pub(crate) fn set(recorder: Recorder) -> &'static Recorder {
    let recorder: &'static Recorder = Box::leak(Box::new(recorder));
    global::set_tracer_provider(Provider(recorder));
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(recorder);
    PARENT_DECIDES.store(recorder.sampling.parent_decides, Ordering::Relaxed);
    GENERATION.fetch_add(1, Ordering::Release);
    recorder
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

/// Starts a span below a context.
#[inline]
pub(crate) fn start(start: &mut Start, parent: &Context) -> Context {
    match current() {
        Some(recorder) => recorder.start(start, parent),
        // The program may have set up OpenTelemetry without us.
        None => {
            let (scope, builder) = start.builder();
            parent.with_span(global::tracer(scope).build_with_context(builder, parent))
        }
    }
}

fn current() -> Option<&'static Recorder> {
    let generation = GENERATION.load(Ordering::Acquire);
    let (had, kept) = KEPT.get();
    if had == generation {
        return kept;
    }
    let current = *CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    KEPT.set((generation, current));
    current
}

/// The recorder as OpenTelemetry's interface has it.
struct Provider(&'static Recorder);

impl TracerProvider for Provider {
    type Tracer = ScopeTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> ScopeTracer {
        ScopeTracer { scope, recorder: self.0 }
    }
}

/// The recorder, for one scope.
struct ScopeTracer {
    scope: InstrumentationScope,
    recorder: &'static Recorder,
}

impl Tracer for ScopeTracer {
    type Span = Recording;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Recording {
        let asked = Asked {
            name: &builder.name,
            kind: builder.span_kind.as_ref().unwrap_or(&SpanKind::Internal),
            attributes: builder.attributes.as_deref().unwrap_or_default(),
            links: builder.links.as_deref().unwrap_or_default(),
        };
        let recorder = self.recorder;
        match recorder.decide(&asked, parent) {
            (context, Some(attributes)) => {
                recorder.record(self.scope.clone(), builder, parent, context, attributes)
            }
            (context, None) => Recording::unseen(context, recorder),
        }
    }
}
