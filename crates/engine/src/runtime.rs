//! The threads of questions: reading, decoding and computing hold up no other work of the process, such as taking data
//! in. They give way to it, too, where threads have priorities.

use crate::trace::internal;
use query::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Threads that read files and compute, at most; beside these, one for each processor or so.
const READING: usize = 16;
/// How much less urgent than others they are, as `nice` has it.
const GIVE_WAY: i32 = 5;

/// The threads, which end with this value.
pub struct Threads(Option<Runtime>);

impl Threads {
    pub fn start() -> Result<Self, Error> {
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(processors.clamp(2, 8))
            .max_blocking_threads(READING)
            .thread_name("clew-question")
            .on_thread_start(|| {
                // Of this thread alone. Where it is refused, all threads are as urgent.
                let _ = rustix::process::nice(GIVE_WAY);
            })
            .enable_time()
            .build();
        Ok(Self(Some(runtime.map_err(internal)?)))
    }

    /// Runs work here until it is done or nobody waits for it any more.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        match self.start_now(work) {
            Some(running) => running.await.map_err(internal),
            None => Err(internal("the threads of questions have ended")),
        }
    }

    /// Likewise, beside what is waited for.
    pub fn start_now<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<Running<T>> {
        self.0.as_ref().map(|runtime| Running(runtime.spawn(work)))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Work that ends when this is dropped.
pub struct Running<T>(JoinHandle<T>);

impl<T> Future for Running<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
