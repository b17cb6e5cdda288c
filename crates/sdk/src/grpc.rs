//! Contexts in the metadata of tonic's requests. Servers use [`crate::http::server_layer`], which knows gRPC.

use crate::carrier::inject;
use crate::span::{Span, Start};
use opentelemetry::Context;
use opentelemetry::trace::SpanKind;
use tonic::service::Interceptor;
use tonic::{Code, Request, Response, Status};

/// An interceptor for clients: each request carries the context that is active when it is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct CarryContext;

impl Interceptor for CarryContext {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        inject(&Context::current(), request.metadata_mut());
        Ok(request)
    }
}

/// The span of a call of another program, by `package.Service/Method`; for [`call`].
pub fn client(method: &str) -> Start {
    let start = Start::new(method.to_owned()).kind(SpanKind::Client);
    start.set("rpc.system.name", "grpc").set("rpc.method", method.to_owned())
}

/// Calls another program within a span: the request, made by the client that `call` gets, carries its context.
///
/// # Errors
/// What the other program answers with, or that it does not.
pub async fn call<Q, A>(
    method: &str,
    message: Q,
    call: impl AsyncFnOnce(Request<Q>) -> Result<Response<A>, Status>,
) -> Result<Response<A>, Status> {
    let span = client(method).start();
    let mut request = Request::new(message);
    inject(span.context(), request.metadata_mut());
    let answer = crate::within(span.context().clone(), call(request)).await;
    record(&span, answer.as_ref().err());
    span.end();
    answer
}

fn record(span: &Span, status: Option<&Status>) {
    let code = status.map_or(Code::Ok, Status::code);
    span.set("rpc.response.status_code", i64::from(i32::from(code)).to_string());
    let Some(status) = status else { return };
    let error_type = if code == Code::DeadlineExceeded { "timeout".to_owned() } else { format!("{code:?}") };
    span.fail(error_type, status.message().to_owned());
}
