//! Holds ended spans until they are sent, in batches, by a thread of its own. Never blocks who ends a span: when the
//! queue is full, what comes is dropped and counted.
//!
//! Who ends a span also writes it as it will be sent, as long as that is little: what was just recorded is at hand, and
//! costs the sending thread more than it costs here. Spans that hold long texts wait as they are.

use crate::counts::{self, DROPPED, ENDED, EXPORTED};
use crate::rules::Rules;
use crate::wire::{self, ScopeSpans};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::SpanData;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A span with more bytes of text is made ready by the thread that sends.
const LITTLE: usize = 4_096;
/// A buffer that grew beyond this is not kept for the next span.
const KEPT: usize = 64 * 1_024;
/// Buffers of batches keep no more than this for the next one.
const KEPT_FOR_BATCHES: usize = 1_024 * 1_024;

thread_local! {
    /// Where this thread writes spans before they go to the queue.
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How spans are batched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// So many spans wait at most.
    pub queue: usize,
    /// So many are sent at once.
    pub size: usize,
    /// So long a span waits for others at most.
    pub delay: Duration,
    /// So long the sending of one batch may take.
    pub timeout: Duration,
}

impl Default for Batch {
    fn default() -> Self {
        let (delay, timeout) = (Duration::from_secs(5), Duration::from_secs(30));
        Self { queue: 2_048, size: 512, delay, timeout }
    }
}

/// Where spans go.
pub(crate) trait Outlet: Debug + Send {
    /// Sends a request in OTLP's protobuf; how many of its spans were refused, or none when all were lost. The buffer may be
    /// taken.
    fn send(&mut self, request: &mut Vec<u8>) -> Option<usize>;
}

/// Spans that are sent at once.
#[derive(Debug, Default)]
struct Bundle {
    spans: usize,
    ready: Vec<ScopeSpans>,
    unready: Vec<SpanData>,
}

impl Bundle {
    /// Where spans of a scope go.
    fn of(&mut self, scope: &InstrumentationScope) -> &mut Vec<u8> {
        let place = self.ready.iter().position(|had| had.scope == *scope).unwrap_or_else(|| {
            self.ready.push(ScopeSpans { scope: scope.clone(), spans: Vec::new() });
            self.ready.len() - 1
        });
        &mut self.ready[place].spans
    }

    /// Empties it; what its buffers hold of memory is kept for the scopes that were in use.
    fn clear(&mut self) {
        self.spans = 0;
        self.ready.retain_mut(|scope| {
            let used = !scope.spans.is_empty();
            scope.spans.clear();
            scope.spans.shrink_to(KEPT_FOR_BATCHES);
            used
        });
    }
}

#[derive(Debug, Default)]
struct State {
    filling: Bundle,
    full: VecDeque<Bundle>,
    /// One that was sent, to be filled again.
    spare: Option<Bundle>,
    asked: u64,
    answered: u64,
    closed: bool,
}

impl State {
    /// What is sent next, if anything waits.
    fn next(&mut self) -> Option<Bundle> {
        self.full.pop_front().or_else(|| (self.filling.spans > 0).then(|| self.filled()))
    }

    fn filled(&mut self) -> Bundle {
        std::mem::replace(&mut self.filling, self.spare.take().unwrap_or_default())
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// How many spans wait; changed with the state locked.
    waiting: AtomicUsize,
    wake: Condvar,
    answered: Condvar,
    batch: Batch,
    rules: Arc<Rules>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= self.batch.queue
    }

    /// Until there is a full batch, or a span that waited long enough, or someone who asks.
    fn wait(&self) -> MutexGuard<'_, State> {
        let until = Instant::now() + self.batch.delay;
        let mut state = self.lock();
        while !(state.closed || state.asked > state.answered || !state.full.is_empty()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.wake.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Adds one span to those that wait, or drops it.
    fn add(&self, put: impl FnOnce(&mut Bundle)) {
        let mut state = self.lock();
        if state.closed || self.is_full() {
            drop(state);
            return counts::add(&DROPPED, 1);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        put(&mut state.filling);
        state.filling.spans += 1;
        if state.filling.spans < self.batch.size {
            return;
        }
        let filled = state.filled();
        state.full.push_back(filled);
        drop(state);
        self.wake.notify_all();
    }
}

/// Ended spans that wait to be sent.
#[derive(Debug)]
pub(crate) struct Queue {
    shared: Arc<Shared>,
}

impl Queue {
    /// One whose spans are sent, with this resource, by a thread of its own.
    pub(crate) fn new(outlet: Box<dyn Outlet>, resource: Vec<u8>, batch: Batch, rules: Arc<Rules>) -> Self {
        let batch = Batch { size: batch.size.min(batch.queue), ..batch };
        let (state, waiting) = (Mutex::default(), AtomicUsize::new(0));
        let (wake, answered) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { state, waiting, wake, answered, batch, rules });
        let request = Vec::new();
        let sender = Sender { shared: Arc::clone(&shared), outlet, resource, request };
        let thread = std::thread::Builder::new().name("clew-spans".to_owned());
        if let Err(error) = thread.spawn(move || sender.work()) {
            tracing::error!(target: "clew_sdk", %error, "spans are not sent: their thread cannot be started");
        }
        Self { shared }
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.shared.rules
    }

    /// Takes what it needs of a span that ended.
    pub(crate) fn take(&self, ended: &mut Option<SpanData>) {
        let Some(span) = ended else { return };
        counts::add(&ENDED, 1);
        if !span.span_context.is_sampled() {
            return;
        }
        if self.shared.is_full() {
            return counts::add(&DROPPED, 1);
        }
        if Rules::text(span) <= LITTLE {
            self.take_ready(span);
        } else if let Some(mut span) = ended.take() {
            self.shared.rules.bound(&mut span);
            self.shared.add(|bundle| bundle.unready.push(span));
        }
    }

    fn take_ready(&self, span: &mut SpanData) {
        with_buffer(|buffer| {
            buffer.clear();
            self.shared.rules.apply(span);
            wire::span(buffer, span);
            self.shared.add(|bundle| bundle.of(&span.instrumentation_scope).extend_from_slice(buffer));
        });
    }

    /// Waits until all that had ended by now is sent or given up.
    pub(crate) fn flush(&self) -> OTelSdkResult {
        self.settle(self.shared.batch.timeout, false)
    }

    /// As [`Self::flush`], and takes no more spans; what is not sent by then is given up.
    pub(crate) fn end(&self, within: Duration) -> OTelSdkResult {
        let settled = self.settle(within, true);
        if settled.is_err() {
            let mut state = self.shared.lock();
            counts::add(&DROPPED, self.shared.waiting.swap(0, Ordering::Relaxed));
            (state.filling, state.full) = Default::default();
        }
        settled
    }

    fn settle(&self, within: Duration, close: bool) -> OTelSdkResult {
        let until = Instant::now() + within;
        let mut state = self.shared.lock();
        if state.closed {
            // The thread is gone, and nothing waits.
            return Ok(());
        }
        state.asked += 1;
        state.closed |= close;
        let ticket = state.asked;
        self.shared.wake.notify_all();
        while state.answered < ticket {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(OTelSdkError::Timeout(within));
            }
            let waited = self.shared.answered.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

/// Lends this thread's buffer; a new one where it ends, or where a span ends while another is written.
fn with_buffer(write: impl FnOnce(&mut Vec<u8>)) {
    let mut buffer = WRITTEN.try_with(RefCell::take).unwrap_or_default();
    write(&mut buffer);
    if buffer.capacity() <= KEPT {
        // A thread that ends keeps nothing.
        let _ = WRITTEN.try_with(|kept| kept.replace(buffer));
    }
}

/// The thread that sends.
struct Sender {
    shared: Arc<Shared>,
    outlet: Box<dyn Outlet>,
    resource: Vec<u8>,
    request: Vec<u8>,
}

impl Sender {
    fn work(mut self) {
        // What sends telemetry makes none of its own.
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        let shared = Arc::clone(&self.shared);
        loop {
            let mut state = shared.wait();
            let (ticket, closed) = (state.asked, state.closed);
            let everything = ticket > state.answered || closed;
            let mut left = if everything { state.full.len() + 1 } else { 1 };
            while left > 0
                && let Some(bundle) = state.next()
            {
                shared.waiting.fetch_sub(bundle.spans, Ordering::Relaxed);
                drop(state);
                left -= 1;
                let sent = self.send(bundle);
                state = shared.lock();
                state.spare = Some(sent);
            }
            state.answered = ticket;
            shared.answered.notify_all();
            if closed {
                return;
            }
        }
    }

    /// Sends a batch; gives it back, empty.
    fn send(&mut self, mut bundle: Bundle) -> Bundle {
        for mut span in std::mem::take(&mut bundle.unready) {
            self.shared.rules.apply(&mut span);
            wire::span(bundle.of(&span.instrumentation_scope), &span);
        }
        self.request.clear();
        self.request.shrink_to(KEPT_FOR_BATCHES);
        wire::request(&mut self.request, &self.resource, &bundle.ready);
        let refused = self.outlet.send(&mut self.request).unwrap_or(bundle.spans).min(bundle.spans);
        counts::add(&EXPORTED, bundle.spans - refused);
        counts::add(&DROPPED, refused);
        bundle.clear();
        bundle
    }
}
