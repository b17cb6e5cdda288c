//! Starts spans: decides which are recorded, and gives them ids. A trace that is not recorded costs no more than its ids.

use crate::counts::{self, CREATED, ROOTS_SAMPLED, ROOTS_STARTED};
use crate::queue::Queue;
use crate::recording::Recording;
use crate::sampling::Sampling;
use crate::setup::Limits;
use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, SamplingDecision, SpanData, SpanEvents, SpanLinks,
};
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

static CURRENT: Mutex<Option<Arc<Recorder>>> = Mutex::new(None);
/// Counts the recorders that were set; 0 before the first.
static GENERATION: AtomicU64 = AtomicU64::new(0);
/// Whether what is below a span that is not sampled never is.
static PARENT_DECIDES: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The recorder that this thread used last, and which one it was: to ask all threads' costs more.
    static KEPT: RefCell<(u64, Option<Arc<Recorder>>)> = const { RefCell::new((0, None)) };
}

/// Starts spans, and knows where they go when they end.
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

/// What became of a span that someone wants to start.
struct Decided {
    context: SpanContext,
    record: bool,
    /// What the sampler says of it.
    attributes: Vec<KeyValue>,
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

    fn start(self: &Arc<Self>, scope: Cow<'static, str>, builder: SpanBuilder, parent: &Context) -> Context {
        let decided = self.decide(&builder, parent);
        if decided.record {
            parent.with_span(self.record(own_scope(scope), builder, parent, decided))
        } else {
            parent.with_remote_span_context(decided.context)
        }
    }

    fn decide(&self, builder: &SpanBuilder, context: &Context) -> Decided {
        let nothing = Decided { context: SpanContext::NONE, record: false, attributes: Vec::new() };
        if context.is_telemetry_suppressed() || self.ended.load(Ordering::Relaxed) {
            return nothing;
        }
        let ids = RandomIdGenerator::default();
        let above = context.span();
        let parent = Some(above.span_context()).filter(|parent| parent.is_valid());
        let trace_id = parent.map_or_else(|| ids.new_trace_id(), SpanContext::trace_id);
        let decision = self.sampling.decide(builder, trace_id, parent, context);
        let sampled = decision.decision == SamplingDecision::RecordAndSample;
        if parent.is_none() && !self.disabled {
            counts::add(&ROOTS_STARTED, 1);
            counts::add(&ROOTS_SAMPLED, usize::from(sampled));
        }
        let record = decision.decision != SamplingDecision::Drop;
        let flags = parent.filter(|_| record).map(SpanContext::trace_flags).unwrap_or_default();
        let flags = flags.with_sampled(sampled);
        let context = SpanContext::new(trace_id, ids.new_span_id(), flags, false, decision.trace_state);
        Decided { context, record, attributes: decision.attributes }
    }

    fn record(
        self: &Arc<Self>,
        scope: InstrumentationScope,
        builder: SpanBuilder,
        parent: &Context,
        decided: Decided,
    ) -> Recording {
        let mut attributes = builder.attributes.unwrap_or_default();
        attributes.extend(decided.attributes);
        let mut events = SpanEvents::default();
        events.events = builder.events.unwrap_or_default();
        let mut links = SpanLinks::default();
        links.links = builder.links.unwrap_or_default();
        let above = parent.span();
        let above = above.span_context();
        let start = builder.start_time.unwrap_or_else(SystemTime::now);
        let data = SpanData {
            span_context: decided.context.clone(),
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
        let mut recording = Recording::new(decided.context, data, Arc::clone(self));
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
pub(crate) fn set(recorder: &Arc<Recorder>) {
    global::set_tracer_provider(Provider(Arc::clone(recorder)));
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(recorder));
    PARENT_DECIDES.store(recorder.sampling.parent_decides, Ordering::Relaxed);
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
    let generation = GENERATION.load(Ordering::Acquire);
    if generation == 0 {
        // The program may have set up OpenTelemetry without us.
        let span = global::tracer(scope).build_with_context(builder, parent);
        return parent.with_span(span);
    }
    let mut asked = Some((scope, builder));
    let started = KEPT.try_with(|kept| {
        if kept.try_borrow().ok()?.0 != generation {
            *kept.try_borrow_mut().ok()? = (generation, current());
        }
        let kept = kept.try_borrow().ok()?;
        let (recorder, (scope, builder)) = kept.1.as_ref().zip(asked.take())?;
        Some(recorder.start(scope, builder, parent))
    });
    let again = || {
        current().zip(asked.take()).map(|(recorder, (scope, builder))| recorder.start(scope, builder, parent))
    };
    started.ok().flatten().or_else(again).unwrap_or_else(|| parent.clone())
}

fn current() -> Option<Arc<Recorder>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The recorder as OpenTelemetry's interface has it.
struct Provider(Arc<Recorder>);

impl TracerProvider for Provider {
    type Tracer = ScopeTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> ScopeTracer {
        ScopeTracer { scope, recorder: Arc::clone(&self.0) }
    }
}

/// The recorder, for one scope.
struct ScopeTracer {
    scope: InstrumentationScope,
    recorder: Arc<Recorder>,
}

impl Tracer for ScopeTracer {
    type Span = Recording;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Recording {
        let decided = self.recorder.decide(&builder, parent);
        if decided.record {
            self.recorder.record(self.scope.clone(), builder, parent, decided)
        } else {
            Recording::unseen(decided.context, Arc::clone(&self.recorder))
        }
    }
}
