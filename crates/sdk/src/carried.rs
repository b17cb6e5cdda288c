//! Work that goes on elsewhere, with the context that it was begun in.

use opentelemetry::Context;
use opentelemetry::context::FutureExt;
use std::io;
use std::thread::JoinHandle;

/// Lets a future run with this context active, wherever it runs: what it starts is below the context's span.
pub async fn within<T>(context: Context, future: impl Future<Output = T>) -> T {
    future.with_context(context).await
}

/// A future that takes the context that is active now along: for `tokio::spawn`, a `JoinSet`, an actor.
pub fn carry<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    future.with_context(Context::current())
}

/// A closure that takes the context that is active now along: for thread pools and `spawn_blocking`.
pub fn carry_call<T>(call: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let context = Context::current();
    move || {
        let _active = context.attach();
        call()
    }
}

/// A thread that takes the context that is active now along.
///
/// # Errors
/// When the system starts no more threads.
pub fn thread<T: Send + 'static>(
    name: impl Into<String>,
    call: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.into()).spawn(carry_call(call))
}

/// A task of Tokio that takes the context that is active now along.
pub fn task<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    #[expect(clippy::disallowed_methods, reason = "this is how programs that use the library spawn")]
    tokio::spawn(carry(future))
}

/// Tells the compiler what a future gives: `?` in its body needs to know.
#[doc(hidden)]
pub fn typed<T, F: Future<Output = T>>(future: F) -> F {
    future
}
