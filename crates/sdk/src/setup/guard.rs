//! The end of telemetry: what is buffered is sent when the guard is dropped, when a thread panics, and when a signal ends
//! the program.

use crate::counts::{Counts, counts};
use crate::recorder::Recorder;
use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

/// What a SIGTERM or SIGINT does, once what is buffered is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnSignal {
    /// It ends the program, as it would without this library.
    End,
    /// It ends the program when it has not dropped its telemetry by then: it may have a way to end of its own.
    EndAfter(Duration),
    /// Nothing more: the program has a way to end of its own, however long that takes.
    Flush,
}

#[derive(Debug)]
pub(super) struct Providers {
    pub(super) traces: &'static Recorder,
    pub(super) metrics: SdkMeterProvider,
    pub(super) logs: SdkLoggerProvider,
    pub(super) deadline: Duration,
    pub(super) ended: AtomicBool,
}

impl Providers {
    /// All signals at once, and no longer than the deadline.
    fn all(self: &Arc<Self>, act: fn(&Self, usize) -> OTelSdkResult) {
        let (sender, receiver) = mpsc::channel();
        let mut waited_for = 0;
        for signal in 0..3 {
            let (providers, sender) = (Arc::clone(self), sender.clone());
            let thread = std::thread::Builder::new().name("clew-flush".to_owned()).spawn(move || {
                let _suppressed = Context::enter_telemetry_suppressed_scope();
                // Whoever waited may be gone: the deadline has passed.
                let _ = sender.send(act(&providers, signal));
            });
            waited_for += usize::from(thread.is_ok());
        }
        let until = Instant::now() + self.deadline;
        for _ in 0..waited_for {
            let left = until.saturating_duration_since(Instant::now());
            match receiver.recv_timeout(left) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(target: "clew_sdk", %error, "not all telemetry was sent"),
                Err(_) => return tracing::warn!(target: "clew_sdk", "telemetry was not sent in time"),
            }
        }
    }

    fn flush(self: &Arc<Self>) {
        self.all(|providers, signal| match signal {
            0 => providers.traces.flush(),
            1 => providers.logs.force_flush(),
            _ => providers.metrics.force_flush(),
        });
    }

    fn end(self: &Arc<Self>) {
        self.all(|providers, signal| match signal {
            0 => providers.traces.end(providers.deadline),
            1 => providers.logs.shutdown_with_timeout(providers.deadline),
            _ => providers.metrics.shutdown_with_timeout(providers.deadline),
        });
        self.ended.store(true, Ordering::Release);
    }
}

/// The telemetry that a panic or a signal flushes: the one that was set up last.
static CURRENT: Mutex<Weak<Providers>> = Mutex::new(Weak::new());
static ON_SIGNAL: Mutex<OnSignal> = Mutex::new(OnSignal::End);
static HOOKS: Once = Once::new();

fn current() -> Option<Arc<Providers>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
}

/// Makes this what a panic or a signal flushes.
pub(super) fn watch(providers: &Arc<Providers>, on_signal: OnSignal) {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(providers);
    *ON_SIGNAL.lock().unwrap_or_else(PoisonError::into_inner) = on_signal;
    HOOKS.call_once(|| {
        flush_on_panic();
        flush_on_signals();
    });
}

fn flush_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if !may_flush() {
            return;
        }
        // A thread that sends cannot wait for itself.
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        if !name.starts_with("clew-")
            && !name.starts_with("OpenTelemetry")
            && let Some(providers) = current()
        {
            providers.flush();
        }
    }));
}

/// Where panics are caught, one after the other must not wait for a receiver that is gone: one flush a second. Where a
/// panic is the end, each may be the last chance.
fn may_flush() -> bool {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let flush = cfg!(panic = "abort") || last.is_none_or(|last| last.elapsed() > Duration::from_secs(1));
    if flush {
        *last = Some(Instant::now());
    }
    flush
}

fn flush_on_signals() {
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGTERM, SIGINT]) else {
        return tracing::warn!(target: "clew_sdk", "signals cannot be waited for: telemetry may be lost by them");
    };
    let thread = std::thread::Builder::new().name("clew-signals".to_owned());
    let spawned = thread.spawn(move || {
        for signal in signals.forever() {
            let on_signal = *ON_SIGNAL.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(providers) = current() {
                providers.flush();
                match on_signal {
                    OnSignal::Flush => continue,
                    OnSignal::EndAfter(grace) => {
                        let telemetry = Arc::downgrade(&providers);
                        drop(providers);
                        wait_for_the_program(&telemetry, grace);
                    }
                    OnSignal::End => {}
                }
            } else if on_signal == OnSignal::Flush {
                continue;
            }
            // The signal's own way to end the program: whoever waits for it sees which one it was.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(target: "clew_sdk", %error, "signals cannot be waited for: telemetry may be lost by them");
    }
}

/// Until the program has dropped its telemetry, and thereby ends by itself, or the time is over.
fn wait_for_the_program(telemetry: &Weak<Providers>, grace: Duration) {
    let until = Instant::now() + grace;
    while telemetry.upgrade().is_some_and(|providers| !providers.ended.load(Ordering::Acquire)) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left.min(Duration::from_millis(20)));
    }
    // It dropped its telemetry; what it still does after that is little.
    std::thread::park_timeout(until.saturating_duration_since(Instant::now()));
}

/// Telemetry that is set up. What is buffered is sent when it is dropped.
#[derive(Debug)]
#[must_use = "telemetry ends when this is dropped"]
pub struct Telemetry {
    pub(super) providers: Arc<Providers>,
    /// The runtime of connections over gRPC.
    pub(super) runtime: Option<tokio::runtime::Runtime>,
    pub(super) warnings: Vec<super::environment::Warning>,
    pub(super) log_layer: crate::logs::Logs,
}

impl Telemetry {
    /// Sends what is buffered, and waits until it is, or the deadline has passed.
    pub fn flush(&self) {
        self.providers.flush();
    }

    /// What became of spans so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        counts()
    }

    /// A layer that makes log records of `tracing` events: for programs with a subscriber of their own.
    #[must_use]
    pub fn log_layer(&self) -> crate::logs::Logs {
        self.log_layer.clone()
    }

    /// What in the environment could not be used.
    #[must_use]
    pub fn warnings(&self) -> &[super::environment::Warning] {
        &self.warnings
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.providers.end();
        if let Some(runtime) = self.runtime.take() {
            // Within another runtime, one may not wait for this one.
            runtime.shutdown_background();
        }
    }
}
