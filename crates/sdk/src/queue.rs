//! Holds ended spans until they are sent, in batches, by a thread of its own. Never blocks who ends a span: when the
//! queue is full, what comes is dropped and counted.

use crate::counts::{self, CREATED, DROPPED, ENDED, EXPORTED};
use crate::rules::Rules;
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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

#[derive(Debug, Default)]
struct State {
    spans: VecDeque<SpanData>,
    asked: u64,
    answered: u64,
    closed: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    answered: Condvar,
    batch: Batch,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ended spans that wait to be sent.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    shared: Arc<Shared>,
    rules: Arc<Rules>,
    /// Until the resource is known; then the thread has it.
    exporter: Mutex<Option<E>>,
}

impl<E: SpanExporter + 'static> Queue<E> {
    pub(crate) fn new(exporter: E, batch: Batch, rules: Arc<Rules>) -> Self {
        let (state, wake, answered) = (Mutex::default(), Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { state, wake, answered, batch });
        Self { shared, rules, exporter: Mutex::new(Some(exporter)) }
    }

    /// Waits until all that had ended by now is sent or given up.
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

impl<E: SpanExporter + 'static> SpanProcessor for Queue<E> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        counts::add(&CREATED, 1);
        self.rules.copy_baggage(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        counts::add(&ENDED, 1);
        if !span.span_context.is_sampled() {
            return;
        }
        self.rules.bound(&mut span);
        let mut state = self.shared.lock();
        if state.closed || state.spans.len() >= self.shared.batch.queue {
            drop(state);
            return counts::add(&DROPPED, 1);
        }
        state.spans.push_back(span);
        let full = state.spans.len() == self.shared.batch.size;
        drop(state);
        if full {
            self.shared.wake.notify_all();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.settle(self.shared.batch.timeout, false)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let settled = self.settle(timeout, true);
        if settled.is_err() {
            let mut state = self.shared.lock();
            counts::add(&DROPPED, state.spans.len());
            state.spans.clear();
        }
        settled
    }

    fn set_resource(&mut self, resource: &Resource) {
        let exporter = self.exporter.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut exporter) = exporter else { return };
        exporter.set_resource(resource);
        let sender = Sender { shared: Arc::clone(&self.shared), rules: Arc::clone(&self.rules), exporter };
        let thread = std::thread::Builder::new().name("clew-spans".to_owned());
        if let Err(error) = thread.spawn(move || sender.work()) {
            tracing::error!(target: "clew_sdk", %error, "spans are not sent: their thread cannot be started");
        }
    }
}

impl<E> Drop for Queue<E> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

/// The thread that sends.
struct Sender<E> {
    shared: Arc<Shared>,
    rules: Arc<Rules>,
    exporter: E,
}

impl<E: SpanExporter> Sender<E> {
    fn work(self) {
        // What sends telemetry makes none of its own.
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        loop {
            let mut state = self.wait();
            let (ticket, closed) = (state.asked, state.closed);
            let everything = ticket > state.answered || closed;
            let mut left = if everything { state.spans.len() } else { 1 };
            while left > 0 && !state.spans.is_empty() {
                let many = state.spans.len().min(self.shared.batch.size);
                let batch: Vec<_> = state.spans.drain(..many).collect();
                drop(state);
                left = left.saturating_sub(many);
                self.send(batch);
                state = self.shared.lock();
            }
            state.answered = ticket;
            self.shared.answered.notify_all();
            if closed {
                return;
            }
        }
    }

    /// Until there is a full batch, or a span that waited long enough, or someone who asks.
    fn wait(&self) -> MutexGuard<'_, State> {
        let Batch { size, delay, .. } = self.shared.batch;
        let until = Instant::now() + delay;
        let mut state = self.shared.lock();
        while !(state.closed || state.asked > state.answered || state.spans.len() >= size) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.wake.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    fn send(&self, mut batch: Vec<SpanData>) {
        let many = batch.len();
        batch.iter_mut().for_each(|span| self.rules.apply(span));
        let sent = futures_executor::block_on(self.exporter.export(batch));
        counts::add(if sent.is_ok() { &EXPORTED } else { &DROPPED }, many);
    }
}
