//! A transport that records the requests that go over it until they are answered.

use super::handler::{json, told};
use crate::carrier::{extract_mcp, inject};
use crate::mcp::{client, refused};
use crate::span::Span;
use ::rmcp::model::{CancelledNotification, GetMeta, JsonRpcMessage, RequestId};
use ::rmcp::service::{RxJsonRpcMessage, ServiceRole, TxJsonRpcMessage};
use ::rmcp::transport::{IntoTransport, Transport};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A transport of `rmcp`, that records the requests that go over it: below the span that their `_meta` names, which becomes
/// theirs.
pub fn recorded<R, E, A, T>(transport: T) -> Recorded<impl Transport<R, Error = E> + 'static>
where
    R: ServiceRole,
    E: std::error::Error + Send + Sync + 'static,
    T: IntoTransport<R, E, A>,
{
    let kind = kind(std::any::type_name::<T>());
    Recorded { transport: transport.into_transport(), kind, version: None, waiting: Waiting::default() }
}

/// See [`recorded`].
#[derive(Debug)]
#[must_use = "a transport has to be used"]
pub struct Recorded<T> {
    transport: T,
    /// `network.transport`, where it is known.
    kind: Option<&'static str>,
    /// `mcp.protocol.version`, once it is agreed upon.
    version: Option<String>,
    waiting: Waiting,
}

/// What was asked and not answered yet, each with its method.
#[derive(Debug, Clone, Default)]
struct Waiting(Arc<Mutex<HashMap<RequestId, (String, Span)>>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, (String, Span)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, id: &RequestId) -> Option<(String, Span)> {
        self.lock().remove(id)
    }

    /// Nobody will answer these.
    fn give_up(&self) {
        for (_, (_, span)) in self.lock().drain() {
            span.fail("closed", "the connection ended before the answer");
            span.end();
        }
    }
}

impl<R: ServiceRole, T: Transport<R>> Transport<R> for Recorded<T> {
    type Error = T::Error;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn send(
        &mut self,
        mut message: TxJsonRpcMessage<R>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let asked = self.asked::<R>(&mut message);
        let waiting = self.waiting.clone();
        let sent = self.transport.send(message);
        async move {
            let sent = sent.await;
            if let (Err(error), Some(id)) = (&sent, asked)
                && let Some((_, span)) = waiting.take(&id)
            {
                span.fail_with(error);
                span.end();
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<R>> {
        let message = self.transport.receive().await;
        match &message {
            Some(message) => self.heard::<R>(message),
            None => self.waiting.give_up(),
        }
        message
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.waiting.give_up();
        self.transport.close().await
    }
}

impl<T> Recorded<T> {
    /// Records what is about to be asked, or that nobody waits for it any more; the id of a request.
    fn asked<R: ServiceRole>(&self, message: &mut TxJsonRpcMessage<R>) -> Option<RequestId> {
        let request = match message {
            JsonRpcMessage::Request(request) => request,
            JsonRpcMessage::Notification(told) => {
                let cancelled: CancelledNotification = told.notification.clone().try_into().ok()?;
                let (_, span) = self.waiting.take(cancelled.params.request_id.as_ref()?)?;
                span.fail("cancelled", cancelled.params.reason.unwrap_or_default());
                span.end();
                return None;
            }
            _ => return None,
        };
        let shown = json(&request.request);
        let (method, parameters) = (shown["method"].as_str().unwrap_or_default(), &shown["params"]);
        let mut start = client(method, parameters).set("jsonrpc.request.id", request.id.to_string());
        let above = extract_mcp(parameters);
        // What is asked before there is a task for it is asked by who connects.
        start = start.parent(&if above.has_active_span() { above } else { Context::current() });
        for (key, value) in [
            ("network.transport", self.kind.map(str::to_owned)),
            ("mcp.protocol.version", self.version.clone()),
        ] {
            if let Some(value) = value {
                start = start.set(key, value);
            }
        }
        let span = start.start();
        inject(span.context(), &mut request.request.get_meta_mut().0.0);
        self.waiting.lock().insert(request.id.clone(), (method.to_owned(), span));
        Some(request.id.clone())
    }

    /// Records an answer.
    fn heard<R: ServiceRole>(&mut self, message: &RxJsonRpcMessage<R>) {
        let id = match message {
            JsonRpcMessage::Response(answer) => Some(&answer.id),
            JsonRpcMessage::Error(answer) => answer.id.as_ref(),
            _ => None,
        };
        let Some((method, span)) = id.and_then(|id| self.waiting.take(id)) else { return };
        match message {
            JsonRpcMessage::Response(answer) => {
                // Of other answers nothing is told.
                if matches!(method.as_str(), "tools/call" | "initialize") {
                    self.version = told(&span, &method, &json(&answer.result)).or(self.version.take());
                }
            }
            JsonRpcMessage::Error(answer) => {
                refused(&span, i64::from(answer.error.code.0), answer.error.message.clone());
            }
            _ => {}
        }
        span.end();
    }
}

/// What messages travel over, by the name of the type that carries them.
fn kind(name: &str) -> Option<&'static str> {
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(&["ChildProcess", "ChildStd", "Stdin", "Stdout", "Pipe"]) {
        Some("pipe")
    } else if has(&["Unix"]) {
        Some("unix")
    } else if has(&["StreamableHttp", "Tcp"]) {
        Some("tcp")
    } else {
        None
    }
}
