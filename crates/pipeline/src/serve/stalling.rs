//! Ends connections whose other side has stopped reading: what they hold would be held for as long as they like.
//!
//! Two things can stand still. The connection itself is seen where it is written to. A stream of HTTP/2 has a window of its
//! own, which nobody sees: there, a body that has given a piece and is not asked for the next one is what stands still.

use axum::Router;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, Version};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep};

/// How long nothing of what there is to write may be taken. Who has nothing to write is not bound by it.
const LIMIT: Duration = Duration::from_secs(30);
/// The same for a stream of HTTP/2. Its window is opened by half at a time, so that whoever reads a megabyte a minute seems
/// to stand still for most of it.
const STREAM_LIMIT: Duration = Duration::from_secs(60);
/// How often streams are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// A larger piece of a stream is written in parts, so that each is progress.
const PIECE: usize = 64 << 10;

/// A connection that is at its end when nothing can be written to it for too long.
pub struct Bounded<S> {
    stream: S,
    stands_still: Option<Pin<Box<Sleep>>>,
}

impl<S> Bounded<S> {
    pub const fn new(stream: S) -> Self {
        Self { stream, stands_still: None }
    }

    /// What came of writing: none of it may come for so long.
    fn bounded<T>(&mut self, written: Poll<Result<T>>, context: &mut Context<'_>) -> Poll<Result<T>> {
        if written.is_ready() {
            self.stands_still = None;
            return written;
        }
        let waiting = self.stands_still.get_or_insert_with(|| Box::pin(sleep(LIMIT)));
        waiting.as_mut().poll(context).map(|()| Err(Error::new(ErrorKind::TimedOut, STALLED)))
    }
}

/// Why a connection was ended.
pub const STALLED: &str = "the other side has stopped reading";

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.bounded(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.bounded(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(context);
        self.bounded(ended, context)
    }
}

/// The pieces of a connection's streams that were given and not taken.
#[derive(Default)]
pub struct Streams {
    /// Since when, by the number of the stream.
    given: Mutex<(u64, HashMap<u64, Instant>)>,
    first: Notify,
}

impl Streams {
    fn given(&self) -> MutexGuard<'_, (u64, HashMap<u64, Instant>)> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self) -> u64 {
        let (last, _) = &mut *self.given();
        *last += 1;
        *last
    }

    fn note(&self, stream: u64, waits: bool) {
        let (_, since) = &mut *self.given();
        if waits {
            since.insert(stream, Instant::now());
            self.first.notify_one();
        } else {
            since.remove(&stream);
        }
    }

    /// Ends when one of the streams stands still.
    pub async fn stand_still(&self) {
        loop {
            self.first.notified().await;
            loop {
                let oldest = self.given().1.values().min().copied();
                match oldest {
                    None => break,
                    Some(since) if since.elapsed() >= STREAM_LIMIT => return,
                    Some(_) => sleep(LOOK).await,
                }
            }
        }
    }
}

/// The router, for one connection.
pub struct Watched {
    pub service: TowerToHyperService<Router>,
    pub streams: Arc<Streams>,
}

impl Service<Request<Incoming>> for Watched {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, std::result::Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let is_stream = request.version() == Version::HTTP_2;
        let (answering, streams) = (self.service.call(request), Arc::clone(&self.streams));
        Box::pin(async move {
            let answer = answering.await?;
            if !is_stream {
                return Ok(answer);
            }
            Ok(answer.map(|body| {
                let number = streams.add();
                Body::new(Stream { body, rest: Bytes::new(), streams, number })
            }))
        })
    }
}

/// A body that notes when it waits for being asked.
struct Stream {
    body: Body,
    rest: Bytes,
    streams: Arc<Streams>,
    number: u64,
}

impl Stream {
    fn next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let frame = match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, axum::Error>>> {
        let next = self.next(context);
        self.streams.note(self.number, matches!(next, Poll::Ready(Some(Ok(_)))));
        next
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, mut hint) = (self.rest.len() as u64, self.body.size_hint());
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.note(self.number, false);
    }
}
